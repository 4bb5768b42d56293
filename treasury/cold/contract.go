package cold

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
)

// Bounds of what a description says of a Safe.
const (
	maxTokens   = 1000
	maxDecimals = 36
	// nonceWindow is how far ahead of the next one a nonce may be: whatever is signed for
	// later waits for all before it.
	nonceWindow = 16
)

// Safe is what the offline machine knows of a vault that is a Safe contract. Addresses have
// their checksums (EIP-55).
type Safe struct {
	ChainID   uint64  `json:"chainId"`
	Address   string  `json:"address"`
	Version   string  `json:"version"` // "1.4.1"
	Threshold int     `json:"threshold"`
	Owners    []Known `json:"owners"` // in any order
	// Native is the name of the chain's own coin; ETH where empty.
	Native string `json:"native,omitempty"`
	// Tokens are what the vault may pay besides; a call of anything else is refused.
	Tokens []Token `json:"tokens,omitempty"`
	// Deployer made the contracts of Safe on this chain, by CREATE2; that of public chains
	// where empty. The address of the contract that runs batches follows from it and from
	// the hash of its code.
	Deployer string `json:"deployer,omitempty"`
	// NextNonce is the vault's next nonce, as last known: what is signed for one that is
	// spent, or far ahead, is refused. Any goes where it is absent.
	NextNonce *uint64 `json:"nextNonce,omitempty"`
}

// Token is a token (ERC-20) that is known.
type Token struct {
	Symbol   string `json:"symbol"`
	Address  string `json:"address"`
	Decimals uint8  `json:"decimals"`
}

// contractBook is a vault that is a Safe.
type contractBook struct {
	vault safe.Vault
	names map[common.Address]string // of owners
	known safe.Known
	next  *uint64
}

func openContract(d *Description) (*contractBook, error) {
	s := d.Safe
	b := &contractBook{
		names: make(map[common.Address]string, len(s.Owners)), next: s.NextNonce,
		vault: safe.Vault{ChainID: s.ChainID, Version: s.Version, Threshold: s.Threshold},
		known: safe.Known{Native: s.Native, Set: safe.Canonical()},
	}
	var err error
	if b.vault.Address, err = checkedAddress(s.Address); err != nil {
		return nil, fmt.Errorf("safe.address: %w", err)
	}
	if s.Deployer != "" {
		deployer, err := checkedAddress(s.Deployer)
		if err != nil {
			return nil, fmt.Errorf("safe.deployer: %w", err)
		}
		b.known.Set = safe.SetOf(deployer)
	}
	if s.Native != "" {
		if err := checkName(s.Native); err != nil {
			return nil, fmt.Errorf("safe.native: %w", err)
		}
	}
	if err := b.owners(s.Owners); err != nil {
		return nil, err
	}
	if err := b.tokens(s.Tokens); err != nil {
		return nil, err
	}
	if b.known.Names, err = namesOf("known", d.Known); err != nil {
		return nil, err
	}
	if err := b.vault.Check(); err != nil {
		return nil, fmt.Errorf("safe: %w", err)
	}
	return b, nil
}

func (b *contractBook) owners(list []Known) error {
	if len(list) > safe.MaxOwners {
		return fmt.Errorf("safe.owners: %d, at most %d", len(list), safe.MaxOwners)
	}
	var err error
	if b.names, err = namesOf("safe.owners", list); err != nil {
		return err
	}
	for owner := range b.names {
		b.vault.Owners = append(b.vault.Owners, owner)
	}
	sortAddresses(b.vault.Owners)
	return nil
}

func (b *contractBook) tokens(list []Token) error {
	if len(list) > maxTokens {
		return fmt.Errorf("safe.tokens: %d, at most %d", len(list), maxTokens)
	}
	b.known.Tokens = make(map[common.Address]safe.Token, len(list))
	for i, token := range list {
		at, err := checkedAddress(token.Address)
		if err != nil {
			return fmt.Errorf("safe.tokens[%d].address: %w", i, err)
		}
		if err := checkName(token.Symbol); err != nil {
			return fmt.Errorf("safe.tokens[%d].symbol: %w", i, err)
		}
		if token.Decimals > maxDecimals {
			return fmt.Errorf("safe.tokens[%d].decimals: %d, at most %d", i, token.Decimals, maxDecimals)
		}
		if _, twice := b.known.Tokens[at]; twice {
			return fmt.Errorf("safe.tokens[%d].address: %s is there already", i, at)
		}
		b.known.Tokens[at] = safe.Token{Symbol: token.Symbol, Decimals: token.Decimals}
	}
	return nil
}

// read reads a file, compares its vault with the one that is trusted, and says what it does.
func (b *contractBook) read(file []byte) (safe.File, safe.Effect, error) {
	f, err := safe.ParseFile(file)
	if err != nil {
		return safe.File{}, safe.Effect{}, err
	}
	if err := b.own(f.Vault); err != nil {
		return safe.File{}, safe.Effect{}, err
	}
	if err := b.inTime(f.Tx.Nonce); err != nil {
		return safe.File{}, safe.Effect{}, err
	}
	e, err := safe.Decode(b.vault, f.Tx, b.known)
	return f, e, err
}

// own compares a file's vault with the one of the description.
func (b *contractBook) own(v safe.Vault) error {
	switch {
	case v.ChainID != b.vault.ChainID:
		return fmt.Errorf("for chain %d, and the vault is on chain %d", v.ChainID, b.vault.ChainID)
	case v.Address != b.vault.Address:
		return fmt.Errorf("for vault %s, and this is %s", v.Address, b.vault.Address)
	case v.Threshold != b.vault.Threshold:
		return fmt.Errorf("it says that it takes %d owners, and it takes %d", v.Threshold, b.vault.Threshold)
	case !v.Equal(b.vault):
		return errors.New("it says other owners than the vault has")
	}
	return nil
}

func (b *contractBook) inTime(nonce uint64) error {
	switch {
	case nonce == math.MaxUint64:
		return fmt.Errorf("nonce %d can never come", nonce)
	case b.next == nil:
		return nil
	case nonce < *b.next:
		return fmt.Errorf("nonce %d was spent: the next is %d", nonce, *b.next)
	case nonce-*b.next >= nonceWindow:
		return fmt.Errorf("nonce %d is far ahead of the next, %d", nonce, *b.next)
	}
	return nil
}

func (b *contractBook) inspect(file []byte) (*Review, error) {
	f, e, err := b.read(file)
	if err != nil {
		return nil, err
	}
	r := &Review{Words: e.String(), Confirm: e.Hash.Hex(), Need: b.vault.Threshold, Hashes: []Hash{
		{"safeTxHash", e.Hash.Hex()},
		{"domain hash", b.vault.DomainHash().Hex()},
		{"message hash", b.vault.MessageHash(f.Tx).Hex()},
	}}
	for _, owner := range b.vault.Owners {
		if who := b.signer(owner); f.Signed(owner) {
			r.Signed = append(r.Signed, who)
		} else {
			r.Missing = append(r.Missing, who)
		}
	}
	return r, nil
}

func (b *contractBook) signer(owner common.Address) Signer {
	return Signer{b.names[owner], owner.Hex()}
}

func (b *contractBook) sign(file []byte, hash string, key *Key) ([]byte, Signer, error) {
	f, e, err := b.read(file)
	if err != nil {
		return nil, Signer{}, err
	}
	if e.Hash.Hex() != hash {
		return nil, Signer{}, fmt.Errorf("its hash is %s", e.Hash)
	}
	private, err := key.owner()
	if err != nil {
		return nil, Signer{}, err
	}
	signed, err := f.Sign(private)
	if errors.Is(err, safe.ErrKey) {
		return nil, Signer{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err != nil {
		return nil, Signer{}, err
	}
	owner, err := key.Owner()
	if err != nil {
		return nil, Signer{}, err
	}
	return signed.Encode(), b.signer(common.HexToAddress(owner)), nil
}

func (b *contractBook) combine(files [][]byte) ([]byte, error) {
	copies := make([]safe.File, len(files))
	for i, file := range files {
		f, _, err := b.read(file)
		if err != nil {
			return nil, fmt.Errorf("copy %d: %w", i+1, err)
		}
		copies[i] = f
	}
	joined, err := safe.Combine(copies...)
	if err != nil {
		return nil, err
	}
	return joined.Encode(), nil
}

func (b *contractBook) finish(file []byte) (*Finished, error) {
	f, e, err := b.read(file)
	if err != nil {
		return nil, err
	}
	call, err := f.ExecCalldata()
	if err != nil {
		return nil, err
	}
	return &Finished{ID: e.Hash.Hex(), Hex: "0x" + hex.EncodeToString(call), To: b.vault.Address.Hex()}, nil
}

func (b *contractBook) words() (string, error) {
	var text strings.Builder
	v := b.vault
	fmt.Fprintf(&text, "%d of %d owners, Safe %s at %s on chain %d\n", v.Threshold, len(v.Owners), v.Version, v.Address, v.ChainID)
	for _, owner := range v.Owners {
		fmt.Fprintf(&text, "  %s  %s\n", owner, b.names[owner])
	}
	for _, at := range sortedKeys(b.known.Tokens) {
		token := b.known.Tokens[at]
		fmt.Fprintf(&text, "token %s at %s, %d decimals\n", token.Symbol, at, token.Decimals)
	}
	fmt.Fprintf(&text, "batches by MultiSendCallOnly at %s, made by %s\n", b.known.Set.MultiSend, b.known.Set.Deployer)
	if b.next != nil {
		fmt.Fprintf(&text, "next nonce %d\n", *b.next)
	}
	return text.String(), nil
}
