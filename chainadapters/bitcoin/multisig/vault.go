package multisig

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"strongroom/chainadapters/bitcoin/network"
)

// Bounds of a vault.
const (
	MinThreshold = 2  // no one person moves what is in a vault
	MaxKeys      = 15 // what every implementation takes
	maxName      = 64
	accountDepth = 4 // m/48'/coin'/account'/2'
	purpose      = 48
	scriptType   = 2 // P2WSH
	hardened     = hdkeychain.HardenedKeyStart
)

// The branches below a cosigner's account.
const (
	Receive uint32 = 0
	Change  uint32 = 1
)

// MaxIndex is the highest index of an address. Coins beyond it could only be found
// again by whoever put them there.
const MaxIndex = 1_000_000

// Cosigner is one key of a vault, as its holder's device exports it.
type Cosigner struct {
	// Name is for people; it is no part of the descriptor.
	Name string `json:"name,omitempty"`
	// Fingerprint of the master key: eight hex digits in lower case.
	Fingerprint string `json:"fingerprint"`
	// Path from the master key to XPub: m/48'/coin'/account'/2'.
	Path string `json:"path"`
	// XPub is the extended public key at Path, with the network's usual version.
	XPub string `json:"xpub"`
}

// Vault is what is to be known of a vault: it takes K of Keys to move a coin. The
// order of Keys does not matter to its addresses.
type Vault struct {
	Network string     `json:"network"` // as network.ByName
	K       int        `json:"k"`
	Keys    []Cosigner `json:"keys"`
}

// origin is where a cosigner's account is.
type origin struct {
	fingerprint uint32 // as BIP 174 writes it: little endian
	path        [accountDepth]uint32
}

// Wallet is a vault that was checked. It is immutable and safe for concurrent use.
type Wallet struct {
	vault    Vault
	params   network.Params
	origins  []origin
	accounts []*hdkeychain.ExtendedKey
	branches [2][]*hdkeychain.ExtendedKey // per cosigner
}

// Open checks a vault. Errors wrap ErrVault and name the field.
func Open(v Vault) (*Wallet, error) {
	params, known := network.ByName(v.Network)
	switch {
	case !known:
		return nil, fmt.Errorf("%w: network %.40q is unknown", ErrVault, v.Network)
	case len(v.Keys) > MaxKeys:
		return nil, fmt.Errorf("%w: keys: %d, at most %d", ErrVault, len(v.Keys), MaxKeys)
	case v.K < MinThreshold || v.K > len(v.Keys):
		return nil, fmt.Errorf("%w: k: %d of %d keys, at least %d", ErrVault, v.K, len(v.Keys), MinThreshold)
	}
	w := &Wallet{vault: v, params: params}
	w.vault.Keys = append([]Cosigner(nil), v.Keys...)
	for i, key := range w.vault.Keys {
		if err := w.add(key); err != nil {
			return nil, fmt.Errorf("%w: keys[%d]: %w", ErrVault, i, err)
		}
	}
	return w, nil
}

// Vault returns what was opened.
func (w *Wallet) Vault() Vault {
	v := w.vault
	v.Keys = append([]Cosigner(nil), v.Keys...)
	return v
}

func (w *Wallet) add(c Cosigner) error {
	if len(c.Name) > maxName || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("name: %.80q is not up to %d printable characters", c.Name, maxName)
	}
	o, err := readOrigin(c, w.params)
	if err != nil {
		return err
	}
	account, err := readAccount(c.XPub, o, w.params)
	if err != nil {
		return err
	}
	for i, other := range w.accounts {
		// Two keys below one master key are one person's.
		if w.origins[i].fingerprint == o.fingerprint || samePoint(other, account) {
			return fmt.Errorf("fingerprint %s: the same signer as keys[%d]", c.Fingerprint, i)
		}
	}
	for branch := range w.branches {
		key, err := account.Derive(uint32(branch))
		if err != nil {
			return fmt.Errorf("xpub: derive branch %d: %w", branch, err)
		}
		w.branches[branch] = append(w.branches[branch], key)
	}
	w.origins, w.accounts = append(w.origins, o), append(w.accounts, account)
	return nil
}

func samePoint(a, b *hdkeychain.ExtendedKey) bool {
	x, errX := a.ECPubKey()
	y, errY := b.ECPubKey()
	return errX == nil && errY == nil && x.IsEqual(y)
}

// readOrigin reads fingerprint and path of a cosigner of a network.
func readOrigin(c Cosigner, params network.Params) (origin, error) {
	raw, err := hex.DecodeString(c.Fingerprint)
	if err != nil || len(raw) != 4 || c.Fingerprint != strings.ToLower(c.Fingerprint) {
		return origin{}, fmt.Errorf("fingerprint: %.20q is not eight hex digits in lower case", c.Fingerprint)
	}
	o := origin{fingerprint: binary.LittleEndian.Uint32(raw)}
	if o.path, err = readPath(c.Path); err != nil {
		return origin{}, err
	}
	if o.path != [accountDepth]uint32{hardened + purpose, hardened + params.CoinType, o.path[2], hardened + scriptType} {
		return origin{}, fmt.Errorf("path: %s is not m/48'/%d'/account'/2' of %s", c.Path, params.CoinType, params.Name)
	}
	return o, nil
}

// readPath reads m and four hardened steps.
func readPath(text string) (path [accountDepth]uint32, err error) {
	steps := strings.Split(text, "/")
	if len(steps) != 1+accountDepth || steps[0] != "m" {
		return path, fmt.Errorf("path: %.60q is not m/48'/coin'/account'/2'", text)
	}
	for i, step := range steps[1:] {
		digits, ok := strings.CutSuffix(step, "'")
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || !ok || strconv.FormatUint(n, 10) != digits {
			return path, fmt.Errorf("path: %.60q is not m/48'/coin'/account'/2'", text)
		}
		path[i] = hardened + uint32(n)
	}
	return path, nil
}

// readAccount reads the extended public key at an origin.
func readAccount(xpub string, o origin, params network.Params) (*hdkeychain.ExtendedKey, error) {
	key, err := hdkeychain.NewKeyFromString(xpub)
	switch {
	case err != nil:
		return nil, fmt.Errorf("xpub: %w", err)
	case key.IsPrivate():
		return nil, errors.New("xpub: is a private key; take it off this machine and use another one")
	case [4]byte(key.Version()) != params.HDPublicID:
		return nil, fmt.Errorf("xpub: its version is not that of %s; export it as xpub or tpub", params.Name)
	case key.Depth() != accountDepth || key.ChildIndex() != o.path[accountDepth-1]:
		return nil, fmt.Errorf("xpub: is at another place than its path; it is of depth %d", key.Depth())
	}
	return key, nil
}
