// Package drill is how the keys of a cold vault prove that they are under control without
// moving anything: the platform draws a text, cosigners sign it apart and without network,
// as a message that no transaction can be (BIP 137 for keys of coins, EIP-191 for owners
// of a Safe), and whoever reads it again verifies it against the vault's own keys. It keeps
// nothing and decides nothing.
package drill
