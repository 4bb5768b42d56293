package vaultsafe_test

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
	"strongroom/treasury/vaultsafe"
)

// asked is the adapter as who reads vaults off the node.
func asked(t *testing.T, node *nodes.EVM) safechain.Node {
	t.Helper()
	is, can := node.Adapter().(safechain.Node)
	if !can {
		t.Fatal("the adapter cannot be asked about vaults")
	}
	return is
}

// key draws a key with some ether.
func key(t *testing.T, node *nodes.EVM) *ecdsa.PrivateKey {
	t.Helper()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	node.Fund(t, crypto.PubkeyToAddress(k.PublicKey).Hex(), units(5*ether))
	node.Mine(t, 1)
	return k
}

// meanwhile makes blocks until work has ended.
func meanwhile(t *testing.T, node *nodes.EVM, work func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-ticks.C:
			node.Mine(t, 1)
		}
	}
}

// deploySafe creates a Safe, two of whose three owners move it.
func deploySafe(t *testing.T, node *nodes.EVM) (v safe.Vault, owners []*ecdsa.PrivateKey, set safe.Set) {
	t.Helper()
	var addresses []common.Address
	for range 3 {
		k, err := crypto.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, k)
	}
	slices.SortFunc(owners, func(a, b *ecdsa.PrivateKey) int {
		return crypto.PubkeyToAddress(a.PublicKey).Cmp(crypto.PubkeyToAddress(b.PublicKey))
	})
	for _, k := range owners {
		addresses = append(addresses, crypto.PubkeyToAddress(k.PublicKey))
	}
	by := key(t, node)
	meanwhile(t, node, func() (err error) {
		if set, err = safechain.DeployCanonical(t.Context(), asked(t, node), by); err != nil {
			return err
		}
		v, err = safechain.CreateVault(t.Context(), asked(t, node), by, set, addresses, 2, 0)
		return err
	})
	return v, owners, set
}

// swapOwner is the call by which a Safe puts an owner in the place of another; before is the
// one that its list has before that.
func swapOwner(before, old, next common.Address) []byte {
	call := crypto.Keccak256([]byte("swapOwner(address,address,address)"))[:4]
	for _, a := range []common.Address{before, old, next} {
		call = append(call, common.LeftPadBytes(a[:], 32)...)
	}
	return call
}

// stranger sends a call of the vault before we do.
func (w *world) stranger(call []byte) {
	w.t.Helper()
	w.send(call)
	w.mine(1)
}

// send sends a call of the vault by a key that is nobody's here.
func (w *world) send(call []byte) {
	w.t.Helper()
	by := key(w.t, w.node)
	chainID := big.NewInt(31337)
	tx, err := types.SignNewTx(by, types.LatestSignerForChainID(chainID), &types.DynamicFeeTx{
		ChainID: chainID, Gas: 500_000, GasTipCap: big.NewInt(2_000_000_000), GasFeeCap: big.NewInt(200_000_000_000), To: &w.vault.Address, Data: call,
	})
	w.must(err)
	raw, err := tx.MarshalBinary()
	w.must(err)
	w.must(asked(w.t, w.node).Call(w.t.Context(), nil, "eth_sendRawTransaction", hexutil.Encode(raw)))
}

func (w *world) nodes() vaultsafe.Nodes { return vaultsafe.Nodes{chain: {asked(w.t, w.node)}} }

// down is a node that cannot be reached.
type down struct{}

func (down) Call(context.Context, any, string, ...any) error { return context.DeadlineExceeded }
