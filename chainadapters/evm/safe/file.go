package safe

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// MaxCopies bounds how many copies are joined at once.
const MaxCopies = 32

// Signature is an owner's over a transaction.
type Signature struct {
	Owner common.Address
	Bytes [SignatureBytes]byte // r, s, v; v is 27 or 28
}

// File is what travels between the machines of owners: a transaction of a vault, and who
// has signed it. It is a value: methods return new ones.
type File struct {
	Vault      Vault
	Tx         Tx
	Signatures []Signature // ascending by owner, none twice
}

// Hash is what the owners of the file sign.
func (f File) Hash() common.Hash { return f.Vault.Hash(f.Tx) }

// Check makes sure that the vault is one, that the transaction has an encoding, and that
// each signature is an owner's over it. It does not say whether anybody should sign:
// Decode does. Errors: ErrVault, ErrRefused, ErrSignature.
func (f File) Check() error {
	if err := f.Vault.Check(); err != nil {
		return err
	}
	if err := f.Tx.check(); err != nil {
		return err
	}
	hash := f.Hash()
	for i, s := range f.Signatures {
		owner, err := f.Vault.Signer(hash, s.Bytes)
		switch {
		case err != nil:
			return fmt.Errorf("signature %d: %w", i+1, err)
		case owner != s.Owner:
			return fmt.Errorf("%w: signature %d is by %s and not by %s", ErrSignature, i+1, owner, s.Owner)
		case i > 0 && owner.Cmp(f.Signatures[i-1].Owner) <= 0:
			return fmt.Errorf("%w: signature %d is out of order", ErrSignature, i+1)
		}
	}
	return nil
}

// Signed reports whether an owner has signed.
func (f File) Signed(owner common.Address) bool {
	return slices.ContainsFunc(f.Signatures, func(s Signature) bool { return s.Owner == owner })
}

// Sign returns the file with one owner's signature added. It signs whatever the file says:
// Decode comes first. Errors: ErrKey where the key is no owner's, those of Check.
func (f File) Sign(key *ecdsa.PrivateKey) (File, error) {
	if err := f.Check(); err != nil {
		return File{}, err
	}
	owner := crypto.PubkeyToAddress(key.PublicKey)
	if !slices.Contains(f.Vault.Owners, owner) {
		return File{}, fmt.Errorf("%w: %s", ErrKey, owner)
	}
	hash := f.Hash()
	signature, err := crypto.Sign(hash[:], key)
	if err != nil {
		return File{}, fmt.Errorf("sign: %w", err)
	}
	signature[SignatureBytes-1] += recoverBase
	return f.with(Signature{Owner: owner, Bytes: [SignatureBytes]byte(signature)}), nil
}

// with adds a signature. Of two of the same owner the lesser stays, so that the order of
// joining does not matter.
func (f File) with(s Signature) File {
	all := slices.Clone(f.Signatures)
	at, found := slices.BinarySearchFunc(all, s.Owner, func(a Signature, owner common.Address) int { return a.Owner.Cmp(owner) })
	switch {
	case !found:
		all = slices.Insert(all, at, s)
	case bytes.Compare(s.Bytes[:], all[at].Bytes[:]) < 0:
		all[at] = s
	}
	f.Signatures = all
	return f
}

// Combine joins the signatures of copies of one transaction, in any order: 1 to MaxCopies.
// Errors: ErrDiffer where copies are not of the same transaction, those of Check.
func Combine(files ...File) (File, error) {
	if len(files) == 0 || len(files) > MaxCopies {
		return File{}, fmt.Errorf("%w: %d copies, 1 to %d can be joined", ErrDiffer, len(files), MaxCopies)
	}
	joined := files[0]
	for i, f := range files {
		if err := f.Check(); err != nil {
			return File{}, fmt.Errorf("copy %d: %w", i+1, err)
		}
		if !f.Vault.Equal(joined.Vault) {
			return File{}, fmt.Errorf("%w: copy %d is of another vault, chain, or set of owners", ErrDiffer, i+1)
		}
		if f.Tx.Nonce != joined.Tx.Nonce {
			return File{}, fmt.Errorf("%w: copy %d has nonce %d and not %d", ErrDiffer, i+1, f.Tx.Nonce, joined.Tx.Nonce)
		}
		if f.Hash() != joined.Hash() {
			return File{}, fmt.Errorf("%w: copy %d is of another transaction", ErrDiffer, i+1)
		}
		for _, s := range f.Signatures {
			joined = joined.with(s)
		}
	}
	return joined, nil
}

// Complete reports whether enough owners have signed.
func (f File) Complete() bool { return len(f.Signatures) >= f.Vault.Threshold }

// ExecCalldata is the call that executes the transaction, whoever sends it, with the first
// signatures by owner that it takes: the same signatures give the same bytes. Errors:
// ErrIncomplete, those of Check.
func (f File) ExecCalldata() ([]byte, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if !f.Complete() {
		return nil, fmt.Errorf("%w: %d of %d", ErrIncomplete, len(f.Signatures), f.Vault.Threshold)
	}
	var signatures []byte
	for _, s := range f.Signatures[:f.Vault.Threshold] {
		signatures = append(signatures, s.Bytes[:]...)
	}
	return encodeExec(f.Tx, signatures), nil
}
