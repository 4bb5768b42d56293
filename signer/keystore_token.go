package signer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
)

// accountsFile takes the place of the seed file where a token holds the hot keys.
const accountsFile = "accounts.age"

// Token keeps private keys that do not come out of it; package hsm has one by PKCS#11. It
// is used by many at a time.
type Token interface {
	// Import puts a key below a label. The same again changes nothing; a label never gets
	// another key.
	Import(label string, key *btcec.PrivateKey) error
	// Public returns the public half of a key.
	Public(label string) (*btcec.PublicKey, error)
	// Sign returns r‖s over a 32-byte hash, s as it comes.
	Sign(label string, hash []byte) ([]byte, error)
}

// keystore gives the keys of each chain. A token cannot derive children (BIP 32 adds
// numbers to private keys, which PKCS#11 has no word for), and an ECDSA signature cannot be
// moved from a key to its child afterwards. So hot keys, which hold nearly all money that
// one process can spend, are in the token one by one: 1/0/0, and for coins the first
// change keys. Deposit keys are as many as there are customers, each holds what came in
// last until it is collected, and may pay into the hot wallet alone; they stay derived from
// an account key of their own, in the encrypted file. That key is below a hardened step,
// so that it tells nothing of the hot account.
type keystore interface {
	// ring returns the keys of a chain.
	ring(c Chain) (keyring, error)
	// fingerprint names the seed from which all keys came.
	fingerprint() string
}

// ring implements keystore by deriving all keys.
func (s seed) ring(c Chain) (keyring, error) { return newKeyring(s, c) }

// openKeystore opens what a folder's keys are in. Errors wrap ErrSeed or ErrToken.
func openKeystore(cfg Config) (keystore, error) {
	state := filepath.Join(cfg.Dir, StateFolder)
	moved, err := exists(filepath.Join(state, accountsFile))
	if err != nil {
		return nil, err
	}
	if cfg.Token != nil {
		return openVaults(cfg, moved)
	}
	if _, err := Init(cfg); err != nil {
		return nil, err
	}
	seeded, err := exists(filepath.Join(state, seedFile))
	if err != nil {
		return nil, err
	}
	if moved && !seeded {
		return nil, fmt.Errorf("%w: this folder's hot keys are in a token: name it", ErrSeed)
	}
	return openSeed(filepath.Join(state, seedFile), cfg.Passphrase)
}

func openVaults(cfg Config, moved bool) (keystore, error) {
	state := filepath.Join(cfg.Dir, StateFolder)
	seeded, err := exists(filepath.Join(state, seedFile))
	if err != nil {
		return nil, err
	}
	if !moved || seeded {
		return nil, fmt.Errorf("%w: the hot keys of this folder are not in a token alone: load it first", ErrToken)
	}
	kept, err := readAccounts(filepath.Join(state, accountsFile), cfg.Passphrase)
	return tokenStore{kept: kept, token: cfg.Token}, err
}

func exists(file string) (bool, error) {
	_, err := os.Lstat(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("look for keys: %w", err)
	}
	return err == nil, nil
}

// keptAccounts is the content of the accounts file: a secret.
type keptAccounts struct {
	Fingerprint string                 `json:"fingerprint"`
	Chains      map[string]keptAccount `json:"chains"`
}

// keptAccount is what stays of a chain outside the token.
type keptAccount struct {
	Deposit string `json:"deposit"` // extended private key of account 0
	Hot     string `json:"hot"`     // extended public key of account 1
	Change  uint32 `json:"change"`  // how many change keys the token has
}

func readAccounts(file, passphrase string) (kept keptAccounts, err error) {
	raw, err := openFile(file, passphrase)
	if err != nil {
		return kept, err
	}
	if err := json.Unmarshal(raw, &kept); err != nil {
		return kept, fmt.Errorf("%w: %s is not what it was", ErrSeed, accountsFile)
	}
	return kept, nil
}

// tokenStore is the keystore whose hot keys are in a token.
type tokenStore struct {
	kept  keptAccounts
	token Token
}

// fingerprint implements keystore.
func (t tokenStore) fingerprint() string { return t.kept.Fingerprint }

// ring implements keystore.
func (t tokenStore) ring(c Chain) (keyring, error) {
	kept, known := t.kept.Chains[c.Name]
	if !known {
		return keyring{}, fmt.Errorf("%w: it was loaded before the policy had %s: load it again with the seed", ErrToken, c.Name)
	}
	ring := keyring{vault: &vaulted{token: t.token, chain: c.Name, change: kept.Change}}
	for i, text := range []string{kept.Deposit, kept.Hot} {
		key, err := hdkeychain.NewKeyFromString(text)
		if err != nil || key.IsPrivate() != (i == accountDeposit) {
			return keyring{}, fmt.Errorf("%w: account %d of %s is not readable", ErrSeed, i, c.Name)
		}
		ring.account[i] = key
	}
	return ring, nil
}

// vaulted are the hot keys of one chain in a token.
type vaulted struct {
	token  Token
	chain  string
	change uint32
}

// label names a key of the token.
func label(chain string, p keyPath) string { return "strongroom/" + chain + "/" + p.String() }

// key returns the key of the hot account at a path. Errors wrap ErrInvalid for one that
// was not loaded, and ErrToken.
func (v *vaulted) key(p keyPath, public *btcec.PublicKey) (signingKey, error) {
	if (p.branch == branchReceive && p.index > 0) || (p.branch == branchChange && p.index >= v.change) {
		return nil, fmt.Errorf("%w: key %s of %s is not in the token, which has %d for change: load more",
			ErrInvalid, p, v.chain, v.change)
	}
	held, err := v.token.Public(label(v.chain, p))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if !held.IsEqual(public) {
		return nil, fmt.Errorf("%w: key %s of %s is another one", ErrToken, p, v.chain)
	}
	return heldKey{token: v.token, label: label(v.chain, p), public: public}, nil
}

// heldKey is a key in a token.
type heldKey struct {
	token  Token
	label  string
	public *btcec.PublicKey
}

// PubKey implements signingKey.
func (k heldKey) PubKey() *btcec.PublicKey { return k.public }

// compact implements signingKey.
func (k heldKey) compact(hash []byte) ([]byte, error) {
	raw, err := k.token.Sign(k.label, hash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return compactOf(raw, hash, k.public)
}

// compactOf makes r‖s a signature with low s and recovery id, which tries whether it is
// one of this key at all. Chains know ids 0 and 1 only.
func compactOf(raw, hash []byte, public *btcec.PublicKey) ([]byte, error) {
	var r, s btcec.ModNScalar
	if len(raw) != 2*wordSize || r.SetByteSlice(raw[:wordSize]) || s.SetByteSlice(raw[wordSize:]) || r.IsZero() || s.IsZero() {
		return nil, fmt.Errorf("%w: %w", ErrToken, errSelfCheck)
	}
	if s.IsOverHalfOrder() {
		s.Negate()
	}
	compact := make([]byte, 1+2*wordSize)
	r.PutBytesUnchecked(compact[1 : 1+wordSize])
	s.PutBytesUnchecked(compact[1+wordSize:])
	for id := range byte(2) {
		compact[0] = compactHeader + id
		if recovered, _, err := ecdsa.RecoverCompact(compact, hash); err == nil && recovered.IsEqual(public) {
			return compact, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrToken, errSelfCheck)
}
