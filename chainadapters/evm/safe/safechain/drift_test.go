package safechain_test

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
)

// Whatever owners change of a vault is seen. They must sign by other means: Decode refuses
// each of these.
func TestWhatChangesIsSeen(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		keys, owners := people(3)
		stranger := common.BytesToAddress([]byte("stranger"))
		for salt, change := range []struct {
			method string
			args   []any
			says   string
		}{
			{"addOwnerWithThreshold", []any{stranger, big.NewInt(2)}, "owners are"},
			{"removeOwner", []any{common.BytesToAddress([]byte{1}), owners[0], big.NewInt(2)}, "owners are"},
			{"changeThreshold", []any{big.NewInt(1)}, "it takes 1 owners"},
			{"enableModule", []any{stranger}, "it has modules"},
			{"setFallbackHandler", []any{stranger}, "its fallback handler is"},
		} {
			v := c.vault(t, owners, 2, uint64(salt))
			state, err := safechain.Read(t.Context(), c, v)
			must(t, err)
			must(t, safechain.Compare(v, state, c.set))
			call := safe.Tx{To: v.Address, Data: pack(t, published(t, "Safe"), change.method, change.args...)}
			if _, err := safe.Decode(v, call, safe.Known{}); !errors.Is(err, safe.ErrRefused) || !says(err, change.method) {
				t.Errorf("%s: %v", change.method, err)
			}
			if change.method == "removeOwner" {
				// The list on the chain begins with the first that was given to setup.
				if !c.execute(t, v, call, keys[1], keys[2]) {
					t.Fatalf("%s failed", change.method)
				}
			} else if !c.execute(t, v, call, keys[0], keys[1]) {
				t.Fatalf("%s failed", change.method)
			}
			state, err = safechain.Read(t.Context(), c, v)
			must(t, err)
			if err := safechain.Compare(v, state, c.set); !errors.Is(err, safechain.ErrDrift) || !says(err, change.says) {
				t.Errorf("%s: %v", change.method, err)
			}
			if state.Nonce != 1 {
				t.Errorf("%s: nonce %d", change.method, state.Nonce)
			}
		}
	})
}

func TestForeignContractsAreNoVaults(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		_, owners := people(3)
		v := c.vault(t, owners, 2, 1)
		for name, at := range map[string]common.Address{"nothing": common.BytesToAddress([]byte("empty")), "the singleton": c.set.Singleton, "a token": c.dollar(t, owners[0], 1)} {
			other := v
			other.Address = at
			if s, err := safechain.Read(t.Context(), c, other); !errors.Is(err, safechain.ErrState) {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
		state, err := safechain.Read(t.Context(), c, v)
		must(t, err)
		state.Guard, state.ChainID, state.Singleton = owners[0], 1, owners[1]
		if err := safechain.Compare(v, state, c.set); !says(err, "it has guard", "the chain is 1", "its singleton is") {
			t.Errorf("a guard, another chain and singleton: %v", err)
		}
	})
}

// A guard and another singleton are read where the contract keeps them: both have no function
// to ask for them. Anvil writes there what an upgrade by a delegatecall would.
func TestWhatHasNoFunctionIsSeen(t *testing.T) {
	c := onAnvil(t)
	_, owners := people(3)
	v := c.vault(t, owners, 2, 1)
	for slot, seen := range map[common.Hash]func(s safechain.State, err error) bool{
		crypto.Keccak256Hash([]byte("guard_manager.guard.address")): func(s safechain.State, err error) bool {
			return err == nil && s.Guard == owners[0] && says(safechain.Compare(v, s, c.set), "it has guard "+owners[0].Hex())
		},
		crypto.Keccak256Hash([]byte("fallback_manager.handler.address")): func(s safechain.State, err error) bool {
			return err == nil && s.Fallback == owners[0] && says(safechain.Compare(v, s, c.set), "its fallback handler is")
		},
		{}: func(s safechain.State, err error) bool {
			return errors.Is(err, safechain.ErrState) && s.Singleton == owners[0]
		},
	} {
		var before common.Hash
		must(t, c.Call(t.Context(), &before, "eth_getStorageAt", v.Address, slot, "latest"))
		must(t, c.Call(t.Context(), nil, "anvil_setStorageAt", v.Address, slot, common.BytesToHash(owners[0][:])))
		must(t, c.mine(t.Context()))
		if s, err := safechain.Read(t.Context(), c, v); !seen(s, err) {
			t.Errorf("slot %s: %+v, %v", slot, s, err)
		}
		must(t, c.Call(t.Context(), nil, "anvil_setStorageAt", v.Address, slot, before))
		must(t, c.mine(t.Context()))
	}
	state, err := safechain.Read(t.Context(), c, v)
	must(t, err)
	must(t, safechain.Compare(v, state, c.set))
}

// Anybody may create a vault where it was planned, and nothing else gets there.
func TestVaultsAreWherePlanned(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		_, owners := people(5)
		planned, err := safechain.Plan(chainID, c.set, owners, 3, 42)
		must(t, err)
		if done, _ := c.send(t, &planned.To, nil, planned.Data); !done {
			t.Fatal("could not be created")
		}
		v, err := safechain.CreateVault(t.Context(), c, c.rich, c.set, owners, 3, 42)
		must(t, err)
		if !v.Equal(planned.Vault) {
			t.Errorf("%+v is not %+v", v, planned.Vault)
		}
		if done, _ := c.send(t, &planned.To, nil, planned.Data); done {
			t.Error("created twice")
		}
		if _, err := safechain.Plan(chainID, c.set, owners, 1, 42); !errors.Is(err, safe.ErrVault) {
			t.Errorf("one of five: %v", err)
		}
	})
}
