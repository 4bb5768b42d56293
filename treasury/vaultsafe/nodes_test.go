package vaultsafe_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
	"strongroom/treasury/vaultsafe"
)

// A vault that is not what it is described as is told by any one node; too few nodes say
// nothing about any.
func TestVaultsAreComparedWithTheirDescription(t *testing.T) {
	node := nodes.NewAnvil(t)
	v, owners, set := deploySafe(t, node)
	n := vaultsafe.Nodes{chain: {asked(t, node), down{}, asked(t, node)}}
	if err := n.Sound(t.Context(), chain, v, set); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(v *safe.Vault, set *safe.Set){
		"it takes 2 owners and not 3": func(v *safe.Vault, _ *safe.Set) { v.Threshold = 3 },
		"owners are":                  func(v *safe.Vault, _ *safe.Set) { v.Owners = v.Owners[:2] },
		"the chain is":                func(v *safe.Vault, _ *safe.Set) { v.ChainID = 1 },
		"its singleton is":            func(_ *safe.Vault, set *safe.Set) { *set = safe.Canonical() },
	} {
		other, of := v, set
		change(&other, &of)
		if err := n.Sound(t.Context(), chain, other, of); !errors.Is(err, safechain.ErrDrift) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	nobody := v
	nobody.Address = common.BytesToAddress([]byte("nobody"))
	if err := n.Sound(t.Context(), chain, nobody, set); !errors.Is(err, safechain.ErrState) {
		t.Errorf("where no contract is: %v", err)
	}
	half := vaultsafe.Nodes{chain: {asked(t, node), down{}}}
	if err := half.Sound(t.Context(), chain, v, set); !errors.Is(err, vaultsafe.ErrNodes) {
		t.Errorf("half of the nodes: %v", err)
	}
	if _, err := half.Nonce(t.Context(), "another chain", v); !errors.Is(err, vaultsafe.ErrNodes) {
		t.Errorf("a chain without nodes: %v", err)
	}

	// One of the owners is replaced: by a transaction of the owners, past us.
	w := &world{t: t, node: node, vault: v}
	swap := safe.Tx{To: v.Address, Data: swapOwner(v.Owners[0], v.Owners[1], common.BytesToAddress([]byte{0xee, 1}))}
	f, err := safe.File{Vault: v, Tx: swap}.Sign(owners[0])
	w.must(err)
	f, err = f.Sign(owners[2])
	w.must(err)
	call, err := f.ExecCalldata()
	w.must(err)
	w.send(call)
	node.Mine(t, 1)
	if err := n.Sound(t.Context(), chain, v, set); !errors.Is(err, safechain.ErrDrift) || !strings.Contains(err.Error(), "owners are") {
		t.Errorf("an owner was replaced: %v", err)
	}
	if nonce, err := n.Nonce(t.Context(), chain, v); err != nil || nonce != 1 {
		t.Errorf("%d payments, %v", nonce, err)
	}
}
