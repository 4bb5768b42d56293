package cold

import (
	"errors"
	"fmt"

	"strongroom/treasury/drill"
)

// MaxCopies bounds how many files are joined at once.
const MaxCopies = 32

// Vault reads, signs and joins transactions of one vault. It is immutable.
type Vault struct {
	description Description
	book        book
}

// book is what kinds of vaults do differently. Files are whole; every method makes
// sure of all of the file first.
type book interface {
	inspect(file []byte) (*Review, error)
	// sign adds signatures to the transaction that hash names.
	sign(file []byte, hash string, key *Key) ([]byte, Signer, error)
	combine(files [][]byte) ([]byte, error)
	finish(file []byte) (*Finished, error)
	// words describe the vault itself.
	words() (string, error)

	prover
}

// Open returns the vault of a description. Errors wrap ErrDescription.
func Open(d *Description) (*Vault, error) {
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	b, err := openBook(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	return &Vault{*d, b}, nil
}

func openBook(d *Description) (book, error) {
	if d.Kind == KindSafe {
		return openContract(d)
	}
	return openCoins(d)
}

// Inspect says what a transaction does. Errors wrap ErrTransaction and give the
// reason for which nobody should sign it.
func (v *Vault) Inspect(file []byte) (*Review, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTransaction, len(file), MaxFile)
	}
	look := v.book.inspect
	if drill.IsFile(file) {
		look = v.inspectDrill
	}
	r, err := look(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	r.Vault = v.description.Name
	return r, nil
}

// Sign adds one person's signatures to the transaction that hash names: Confirm of the
// review that the person saw. It returns the file with them, and who it was. Errors
// wrap ErrTransaction, or ErrKey where the key is none of the vault's.
func (v *Vault) Sign(file []byte, hash string, key *Key) ([]byte, Signer, error) {
	r, err := v.Inspect(file)
	if err != nil {
		return nil, Signer{}, err
	}
	if hash != r.Confirm {
		return nil, Signer{}, fmt.Errorf("%w: %.80q was compared, and this is %s", ErrTransaction, hash, r.Confirm)
	}
	var signed []byte
	var who Signer
	if drill.IsFile(file) {
		signed, who, err = v.signDrill(file, key)
	} else {
		signed, who, err = v.book.sign(file, hash, key)
	}
	if errors.Is(err, ErrKey) {
		return nil, Signer{}, err
	}
	if err != nil {
		return nil, Signer{}, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	return signed, who, nil
}

// Combine joins the signatures of copies of one transaction, in any order. Errors wrap
// ErrTransaction and say which copy.
func (v *Vault) Combine(files ...[]byte) ([]byte, error) {
	if len(files) < 2 || len(files) > MaxCopies {
		return nil, fmt.Errorf("%w: %d copies, 2 to %d can be joined", ErrTransaction, len(files), MaxCopies)
	}
	for i, file := range files {
		if _, err := v.Inspect(file); err != nil {
			return nil, fmt.Errorf("copy %d: %w", i+1, err)
		}
	}
	join := v.book.combine
	if drill.IsFile(files[0]) {
		join = combineDrills
	}
	joined, err := join(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	return joined, nil
}

// Finish makes what is sent out of a file with enough signatures. Errors wrap
// ErrTransaction.
func (v *Vault) Finish(file []byte) (*Finished, error) {
	if _, err := v.Inspect(file); err != nil {
		return nil, err
	}
	if drill.IsFile(file) {
		return nil, fmt.Errorf("%w: %w", ErrTransaction, errDrillSent)
	}
	f, err := v.book.finish(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	return f, nil
}

// Words describe the vault: what persons compare before they trust a description.
// Errors wrap ErrDescription.
func (v *Vault) Words() (string, error) {
	text, err := v.book.words()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrDescription, err)
	}
	return "Vault " + v.description.Name + "\n" + text, nil
}
