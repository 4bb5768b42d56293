package safe_test

import (
	"crypto/ecdsa"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
)

// keysOf makes keys in the order of their addresses.
func keysOf(n int) []*ecdsa.PrivateKey {
	var keys []*ecdsa.PrivateKey
	for i := range n {
		key, _ := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), 'k'}))
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b *ecdsa.PrivateKey) int { return addressOf(a).Cmp(addressOf(b)) })
	return keys
}

func addressOf(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

func vaultOf(threshold int, keys ...*ecdsa.PrivateKey) safe.Vault {
	v := safe.Vault{ChainID: 31337, Address: named("the vault"), Version: safe.Version, Threshold: threshold}
	for _, key := range keys {
		v.Owners = append(v.Owners, addressOf(key))
	}
	return v
}

// named is an address that stands for something.
func named(name string) common.Address { return common.BytesToAddress(crypto.Keccak256([]byte(name))) }

func known() safe.Known {
	return safe.Known{
		Tokens: map[common.Address]safe.Token{named("dollar"): {Symbol: "USDC", Decimals: 6}},
		Names:  map[common.Address]string{named("hot"): "hot wallet"},
	}
}

func wei(n int64) *big.Int { return big.NewInt(n) }

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// payments are transactions that Decode takes, of each sort.
func payments(t *testing.T) map[string]safe.Tx {
	t.Helper()
	return map[string]safe.Tx{
		"ether": safe.PayNative(named("hot"), wei(15e17), 7),
		"token": safe.PayToken(named("dollar"), named("hot"), wei(1_250_000), 7),
		"batch": must[safe.Tx](t)(safe.Batch(safe.Canonical(),
			safe.PayNative(named("hot"), wei(1), 7), safe.PayToken(named("dollar"), named("other"), wei(2), 7))),
	}
}
