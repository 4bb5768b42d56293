package signer

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"

	"strongroom/chainadapters/bitcoin/network"
)

// Levels of BIP 44 and BIP 84 paths.
const (
	hardened       = hdkeychain.HardenedKeyStart
	purposeEVM     = 44
	purposeWitness = 84
	coinEVM        = 60
	accountDeposit = 0
	accountHot     = 1
	accounts       = 2
	branchReceive  = 0
	branchChange   = 1
)

// keyPath is account/branch/index below purpose and coin type.
type keyPath struct{ account, branch, index uint32 }

// String returns the path in the usual notation.
func (p keyPath) String() string { return fmt.Sprintf("%d/%d/%d", p.account, p.branch, p.index) }

// keyring holds the account keys of one chain.
type keyring struct {
	account [accounts]*hdkeychain.ExtendedKey
	// vault holds the private keys of the hot account, of which account then has only the
	// public half; nil: account has both.
	vault *vaulted
}

// signingKey is a key of the house, wherever its private half is.
type signingKey interface {
	// PubKey returns the public half.
	PubKey() *btcec.PublicKey
	// compact signs a hash: 27 plus recovery id, r, low s. The signature was verified.
	compact(hash []byte) ([]byte, error)
}

// plainKey is a key in this process's memory.
type plainKey struct{ *btcec.PrivateKey }

// compact implements signingKey by RFC 6979.
func (k plainKey) compact(hash []byte) ([]byte, error) {
	signed := ecdsa.SignCompact(k.PrivateKey, hash, false)
	recovered, _, err := ecdsa.RecoverCompact(signed, hash)
	if err != nil || !recovered.IsEqual(k.PubKey()) {
		return nil, fmt.Errorf("verify own signature: %w", errSelfCheck)
	}
	return signed, nil
}

// newKeyring derives the accounts of a chain from the seed. Extended keys of an
// EVM chain have the versions of Bitcoin's main network, as wallets do it.
func newKeyring(s seed, c Chain) (keyring, error) {
	purpose, coin, versions := uint32(purposeEVM), uint32(coinEVM), "main"
	if c.Family == familyBitcoin {
		purpose, versions = purposeWitness, c.Network
	}
	params, known := network.ByName(versions)
	if !known {
		return keyring{}, fmt.Errorf("%w: network %q", ErrPolicy, versions)
	}
	if c.Family == familyBitcoin {
		coin = params.CoinType
	}
	master, err := hdkeychain.NewMaster(s.bytes, &chaincfg.Params{HDPrivateKeyID: params.HDPrivateID})
	if err != nil {
		return keyring{}, fmt.Errorf("derive master key: %w", err)
	}
	var ring keyring
	for i := range ring.account {
		if ring.account[i], err = descend(master, hardened+purpose, hardened+coin, hardened+uint32(i)); err != nil {
			return keyring{}, err
		}
	}
	return ring, nil
}

func descend(key *hdkeychain.ExtendedKey, steps ...uint32) (*hdkeychain.ExtendedKey, error) {
	for _, step := range steps {
		next, err := key.Derive(step)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		key = next
	}
	return key, nil
}

// private returns the key at a path, or ErrInvalid for a path outside the
// accounts and branches that the house uses.
func (r keyring) private(p keyPath) (signingKey, error) {
	if p.account >= accounts || p.branch > branchChange || p.index >= hardened {
		return nil, fmt.Errorf("%w: no key at %s", ErrInvalid, p)
	}
	child, err := descend(r.account[p.account], p.branch, p.index)
	if err != nil {
		return nil, err
	}
	if r.vault != nil && p.account == accountHot {
		public, err := child.ECPubKey()
		if err != nil {
			return nil, fmt.Errorf("derive key %s: %w", p, err)
		}
		return r.vault.key(p, public)
	}
	key, err := child.ECPrivKey()
	if err != nil {
		return nil, fmt.Errorf("derive key %s: %w", p, err)
	}
	return plainKey{key}, nil
}

// xpub returns the extended public key of an account, with the version bytes of
// the network and independent of the library's table of networks.
func (r keyring) xpub(account int, params network.Params) (string, error) {
	key := r.account[account]
	public, err := key.ECPubKey()
	if err != nil {
		return "", fmt.Errorf("derive public key: %w", err)
	}
	fingerprint := binary.BigEndian.AppendUint32(nil, key.ParentFingerprint())
	return hdkeychain.NewExtendedKey(params.HDPublicID[:], public.SerializeCompressed(), key.ChainCode(),
		fingerprint, key.Depth(), key.ChildIndex(), false).String(), nil
}
