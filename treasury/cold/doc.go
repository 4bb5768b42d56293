// Package cold is what a machine without network does to move money out of a cold
// vault: it reads the file of a transaction, derives again what that does from a
// description of the vault that this machine trusts, says so in plain words, adds one
// person's signature, and joins what several people signed apart. It draws and opens
// the keys of cosigners, and cuts files into frames for a camera where nothing else
// may cross the gap.
//
// It never opens a connection, knows no database, and believes nothing that comes
// with a transaction.
package cold

import "errors"

// ErrDescription reports a description of a vault that cannot be trusted.
var ErrDescription = errors.New("not a description of a vault")

// ErrTransaction reports a file that is no transaction of this vault, or one that
// nobody should sign.
var ErrTransaction = errors.New("transaction refused")

// ErrKey reports a key file or passphrase that does not serve.
var ErrKey = errors.New("key of a cosigner")

// ErrFrames reports frames that do not make a file.
var ErrFrames = errors.New("frames of a file")
