package cold

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/treasury/drill"
)

// prover is what kinds of vaults do differently where keys prove control.
type prover interface {
	// place is where the vault is paid.
	place() (string, error)
	// holders are all who hold a key, with the name that drills call it by, and how many
	// are needed.
	holders() (all []Signer, need int)
	// proven lists the names of keys that signed a drill.
	proven(f *drill.File) ([]string, error)
	// prove signs a message.
	prove(message string, key *Key) (drill.Signature, Signer, error)
}

// inspectDrill says what is signed: that no money moves by it, and of which vault it is.
func (v *Vault) inspectDrill(file []byte) (*Review, error) {
	f, err := drill.ParseFile(file)
	if err != nil {
		return nil, err
	}
	text, err := drill.Parse(f.Message)
	if err != nil {
		return nil, err
	}
	place, err := v.book.place()
	if err != nil {
		return nil, err
	}
	if text.Place != place {
		return nil, fmt.Errorf("it is a drill of the vault at %s, and this one is at %s", text.Place, place)
	}
	proven, err := v.book.proven(&f)
	if err != nil {
		return nil, err
	}
	at := func(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
	r := &Review{
		Vault: v.description.Name, Confirm: drill.Digest(f.Message), Hashes: []Hash{{"SHA-256 of the text", drill.Digest(f.Message)}},
		Words: fmt.Sprintf("A key drill: no money moves by it, and no transaction can be made of it.\nVault %s of installation %s, at %s\nOpened %s, until %s\nThe text that is signed:\n  %s\n",
			text.Vault, text.Environment, text.Place, at(text.Opened), at(text.Until), strings.ReplaceAll(f.Message, "\n", "\n  ")),
	}
	all, need := v.book.holders()
	r.Need = need
	for _, who := range all {
		if slices.Contains(proven, who.ID) {
			r.Signed = append(r.Signed, who)
		} else {
			r.Missing = append(r.Missing, who)
		}
	}
	return r, nil
}

// signDrill adds one person's signature.
func (v *Vault) signDrill(file []byte, key *Key) ([]byte, Signer, error) {
	f, err := drill.ParseFile(file)
	if err != nil {
		return nil, Signer{}, err
	}
	s, who, err := v.book.prove(f.Message, key)
	if err != nil {
		return nil, Signer{}, err
	}
	signed := f.With(s)
	if _, err := v.book.proven(&signed); err != nil {
		return nil, Signer{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return signed.Encode(), who, nil
}

func combineDrills(files [][]byte) ([]byte, error) {
	copies := make([]drill.File, len(files))
	var err error
	for i, file := range files {
		if copies[i], err = drill.ParseFile(file); err != nil {
			return nil, fmt.Errorf("copy %d: %w", i+1, err)
		}
	}
	joined, err := drill.Combine(copies...)
	if err != nil {
		return nil, err
	}
	return joined.Encode(), nil
}

// errDrillSent says what becomes of a drill.
var errDrillSent = errors.New("a key drill is not sent: bring it to the platform with strongroom treasury drill bring")

func (b *coinBook) place() (string, error) { return b.wallet.Address(multisig.Receive, 0) }

func (b *coinBook) holders() ([]Signer, int) {
	v := b.wallet.Vault()
	all := make([]Signer, len(v.Keys))
	for i, c := range v.Keys {
		all[i] = Signer{c.Name, c.Fingerprint}
	}
	return all, v.K
}

func (b *coinBook) proven(f *drill.File) ([]string, error) {
	v := b.wallet.Vault()
	return drill.OfCoins(&v, f)
}

func (b *coinBook) prove(message string, key *Key) (drill.Signature, Signer, error) {
	who, err := b.signerOf(key)
	if err != nil {
		return drill.Signature{}, who, err
	}
	private, err := key.coinKey(b.wallet.Vault().Network)
	if err != nil {
		return drill.Signature{}, who, err
	}
	defer private.Zero()
	return drill.Signature{Key: who.ID, Signature: drill.SignCoin(private, message)}, who, nil
}

// coinKey is the key of the first address of vaults of a network.
func (k *Key) coinKey(networkName string) (*btcec.PrivateKey, error) {
	own, err := k.Cosigner(networkName)
	if err != nil {
		return nil, err
	}
	master, err := k.master(networkName)
	if err != nil {
		return nil, err
	}
	defer master.Zero()
	var coinType uint32
	if _, err := fmt.Sscanf(own.Path, "m/48'/%d'/0'/2'", &coinType); err != nil {
		return nil, fmt.Errorf("%w: path %s", ErrKey, own.Path)
	}
	at, err := descend(master, hardened+48, hardened+coinType, hardened, hardened+2, multisig.Receive, 0)
	if err != nil {
		return nil, err
	}
	defer at.Zero()
	private, err := at.ECPrivKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return private, nil
}

func (b *contractBook) place() (string, error) { return b.vault.Address.Hex(), nil }

func (b *contractBook) holders() ([]Signer, int) {
	all := make([]Signer, len(b.vault.Owners))
	for i, owner := range b.vault.Owners {
		all[i] = b.signer(owner)
	}
	return all, b.vault.Threshold
}

func (b *contractBook) proven(f *drill.File) ([]string, error) { return drill.OfSafe(&b.vault, f) }

func (b *contractBook) prove(message string, key *Key) (drill.Signature, Signer, error) {
	owner, err := key.Owner()
	if err != nil {
		return drill.Signature{}, Signer{}, err
	}
	who := b.signer(common.HexToAddress(owner))
	private, err := key.owner()
	if err != nil {
		return drill.Signature{}, who, err
	}
	signature, err := drill.SignAccount(private, message)
	return drill.Signature{Key: owner, Signature: signature}, who, err
}
