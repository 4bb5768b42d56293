package multisig

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// publicKeyBytes is the length of a compressed public key.
const publicKeyBytes = 33

// place is one address of a vault with all that its spending needs.
type place struct {
	branch, index uint32
	keys          []placeKey // in the order of the script
	witness       []byte     // script
	output        []byte     // script
}

type placeKey struct {
	cosigner int
	public   *btcec.PublicKey
	bytes    []byte
}

// Address returns the address of a branch (Receive or Change) and an index up to
// MaxIndex. Errors wrap ErrVault.
func (w *Wallet) Address(branch, index uint32) (string, error) {
	p, err := w.place(branch, index)
	if err != nil {
		return "", err
	}
	address, ok := w.params.Address(p.output)
	if !ok {
		return "", fmt.Errorf("%w: no address for %x", ErrVault, p.output)
	}
	return address, nil
}

// place derives the scripts of an address.
func (w *Wallet) place(branch, index uint32) (*place, error) {
	if branch > Change || index > MaxIndex {
		return nil, fmt.Errorf("%w: no address at %d/%d: branches are 0 and 1, indexes up to %d", ErrVault, branch, index, MaxIndex)
	}
	p := &place{branch: branch, index: index, keys: make([]placeKey, len(w.accounts))}
	for i, parent := range w.branches[branch] {
		child, err := parent.Derive(index)
		if err != nil {
			return nil, fmt.Errorf("%w: derive %d/%d of keys[%d]: %w", ErrVault, branch, index, i, err)
		}
		public, err := child.ECPubKey()
		if err != nil {
			return nil, fmt.Errorf("%w: derive %d/%d of keys[%d]: %w", ErrVault, branch, index, i, err)
		}
		p.keys[i] = placeKey{cosigner: i, public: public, bytes: public.SerializeCompressed()}
	}
	slices.SortFunc(p.keys, func(a, b placeKey) int { return bytes.Compare(a.bytes, b.bytes) })
	p.witness = []byte{small(w.vault.K)}
	for _, key := range p.keys {
		p.witness = append(append(p.witness, publicKeyBytes), key.bytes...)
	}
	p.witness = append(p.witness, small(len(p.keys)), txscript.OP_CHECKMULTISIG)
	hash := sha256.Sum256(p.witness)
	p.output = append([]byte{txscript.OP_0, sha256.Size}, hash[:]...)
	return p, nil
}

// small is the opcode that pushes a number from 1 to 16.
func small(n int) byte { return byte(txscript.OP_1 - 1 + n) } //nolint:gosec // at most MaxKeys

// derivations are the paths of all cosigners' keys, as BIP 174 writes them.
func (w *Wallet) derivations(p *place) []*psbt.Bip32Derivation {
	all := make([]*psbt.Bip32Derivation, len(p.keys))
	for i, key := range p.keys {
		o := w.origins[key.cosigner]
		all[i] = &psbt.Bip32Derivation{
			PubKey: key.bytes, MasterKeyFingerprint: o.fingerprint,
			Bip32Path: append(slices.Clone(o.path[:]), p.branch, p.index),
		}
	}
	return all
}

// placeOf finds the address whose keys these are, and makes sure that they are all
// cosigners' keys, with their paths, and nobody else's.
func (w *Wallet) placeOf(derivations []*psbt.Bip32Derivation) (*place, error) {
	if len(derivations) == 0 || len(derivations[0].Bip32Path) != accountDepth+2 {
		return nil, fmt.Errorf("%w: it does not name the paths of the vault's keys", ErrRefused)
	}
	path := derivations[0].Bip32Path
	p, err := w.place(path[accountDepth], path[accountDepth+1])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	want := w.derivations(p)
	if len(derivations) != len(want) {
		return nil, fmt.Errorf("%w: paths of %d keys, the vault has %d", ErrRefused, len(derivations), len(want))
	}
	for _, got := range derivations {
		i := slices.IndexFunc(want, func(d *psbt.Bip32Derivation) bool { return bytes.Equal(d.PubKey, got.PubKey) })
		if i < 0 {
			return nil, fmt.Errorf("%w: key %x is not one of the vault's at %d/%d", ErrRefused, got.PubKey, p.branch, p.index)
		}
		if got.MasterKeyFingerprint != want[i].MasterKeyFingerprint || !slices.Equal(got.Bip32Path, want[i].Bip32Path) {
			return nil, fmt.Errorf("%w: key %x is said to be at another path than it is", ErrRefused, got.PubKey)
		}
	}
	return p, nil
}
