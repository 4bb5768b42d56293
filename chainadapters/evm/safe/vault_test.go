package safe_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
)

func TestWhatIsNoVault(t *testing.T) {
	keys := keysOf(5)
	if err := vaultOf(3, keys...).Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(v *safe.Vault){
		"no chain":            func(v *safe.Vault) { v.ChainID = 0 },
		"another version":     func(v *safe.Vault) { v.Version = "1.3.0" },
		"one of five":         func(v *safe.Vault) { v.Threshold = 1 },
		"none of five":        func(v *safe.Vault) { v.Threshold = 0 },
		"six of five":         func(v *safe.Vault) { v.Threshold = 6 },
		"no owners":           func(v *safe.Vault) { v.Owners = nil },
		"an owner twice":      func(v *safe.Vault) { v.Owners[1] = v.Owners[0] },
		"owners out of order": func(v *safe.Vault) { slices.Reverse(v.Owners) },
		"nobody is an owner":  func(v *safe.Vault) { v.Owners[0] = common.Address{} },
		"the list's own end":  func(v *safe.Vault) { v.Owners[0] = common.BytesToAddress([]byte{1}) },
		"nowhere":             func(v *safe.Vault) { v.Address = common.Address{} },
		"it owns itself":      func(v *safe.Vault) { v.Address = v.Owners[2] },
		"too many owners": func(v *safe.Vault) {
			for len(v.Owners) <= safe.MaxOwners {
				next := v.Owners[len(v.Owners)-1]
				next[19]++
				v.Owners = append(v.Owners, next)
			}
		},
	} {
		v := vaultOf(3, keys...)
		spoil(&v)
		if err := v.Check(); !errors.Is(err, safe.ErrVault) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each part of what owners sign changes the hash, and so do chain and vault.
func TestHashCoversEverything(t *testing.T) {
	v := vaultOf(2, keysOf(3)...)
	whole := v.Hash(safe.Tx{})
	seen := map[common.Hash]string{whole: "nothing"}
	for name, tx := range map[string]safe.Tx{
		"to": {To: named("a")}, "value": {Value: wei(1)}, "data": {Data: []byte{0}}, "operation": {Operation: 1}, "safeTxGas": {SafeTxGas: wei(1)},
		"baseGas": {BaseGas: wei(1)}, "gasPrice": {GasPrice: wei(1)}, "gasToken": {GasToken: named("a")},
		"refundReceiver": {RefundReceiver: named("a")}, "nonce": {Nonce: 1},
	} {
		if other, twice := seen[v.Hash(tx)]; twice {
			t.Errorf("%s hashes like %s", name, other)
		}
		seen[v.Hash(tx)] = name
	}
	chain, place := v, v
	chain.ChainID, place.Address = 1, named("another")
	if chain.Hash(safe.Tx{}) == whole || place.Hash(safe.Tx{}) == whole {
		t.Error("another chain or vault has the same hash")
	}
}
