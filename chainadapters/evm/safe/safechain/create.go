package safechain

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/contracts"
)

const (
	factoryCall  = "createProxyWithNonce(address,bytes,uint256)"
	setupCall    = "setup(address[],uint256,address,bytes,address,address,uint256,address)"
	factoryWords = 3
	setupWords   = 8
)

// Creation is a vault that does not exist yet: a call of Data to To, by whoever, creates
// it where Vault says. The address binds owners, threshold and code: nobody can create
// another vault there.
type Creation struct {
	Vault safe.Vault
	To    common.Address
	Data  []byte
}

// Plan says how a vault is created out of a set. Owners are ascending; salt tells vaults
// of the same owners apart. Errors: safe.ErrVault.
func Plan(chainID uint64, set safe.Set, owners []common.Address, threshold int, salt uint64) (Creation, error) {
	proxy, err := contracts.Safe("SafeProxy")
	if err != nil {
		return Creation{}, fmt.Errorf("read code of vaults: %w", err)
	}
	setup := setupData(set, owners, threshold)
	salted := crypto.Keccak256Hash(crypto.Keccak256(setup), number(salt))
	code := crypto.Keccak256(proxy.Code, address(set.Singleton))
	c := Creation{To: set.Factory, Vault: safe.Vault{
		ChainID: chainID, Version: safe.Version, Owners: owners, Threshold: threshold,
		Address: crypto.CreateAddress2(set.Factory, salted, code),
	}}
	if err := c.Vault.Check(); err != nil {
		return Creation{}, fmt.Errorf("plan vault: %w", err)
	}
	c.Data = join(selector(factoryCall), address(set.Singleton), number(factoryWords*wordBytes), number(salt),
		number(uint64(len(setup))), setup, make([]byte, (wordBytes-len(setup)%wordBytes)%wordBytes))
	return c, nil
}

// setupData is the vault's first call: owners and threshold, the set's fallback handler, and
// nothing else; nobody is paid.
func setupData(set safe.Set, owners []common.Address, threshold int) []byte {
	behind := uint64((setupWords + 1 + len(owners)) * wordBytes)
	data := join(selector(setupCall), number(setupWords*wordBytes), number(uint64(threshold)), address(common.Address{}), //nolint:gosec // small
		number(behind), address(set.FallbackHandler), address(common.Address{}), number(0), address(common.Address{}),
		number(uint64(len(owners))))
	for _, owner := range owners {
		data = append(data, address(owner)...)
	}
	return append(data, number(0)...)
}

// CreateVault creates a vault by a transaction of key and waits until it is there; where it
// is there already it only looks. What comes back is as described on the chain. For
// development chains. Errors: safe.ErrVault, ErrDeploy, ErrState, ErrDrift.
func CreateVault(
	ctx context.Context, node Node, key *ecdsa.PrivateKey, set safe.Set, owners []common.Address, threshold int, salt uint64,
) (safe.Vault, error) {
	s, err := newSender(ctx, node, key)
	if err != nil {
		return safe.Vault{}, err
	}
	c, err := Plan(s.chain.Uint64(), set, owners, threshold, salt)
	if err != nil {
		return safe.Vault{}, err
	}
	there, err := s.hasCode(c.Vault.Address)
	if err != nil {
		return safe.Vault{}, err
	}
	if !there {
		if err := s.sendAndWait(&c.To, nil, c.Data); err != nil {
			return safe.Vault{}, err
		}
	}
	state, err := Read(ctx, node, c.Vault)
	if err != nil {
		return safe.Vault{}, err
	}
	return c.Vault, Compare(c.Vault, state, set)
}

func selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }

func address(a common.Address) []byte { return common.LeftPadBytes(a[:], wordBytes) }

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, wordBytes-8), n) }

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}
