package vaultsafe_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/evm/safe"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
)

// copies keeps what was offered and brought in memory.
type copies struct {
	mu      sync.Mutex
	offered map[string][]byte
	brought map[string][][]byte
}

var errOther = errors.New("another one was offered")

func (c *copies) Offer(_ context.Context, id, _ string, file []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offered == nil {
		c.offered, c.brought = map[string][]byte{}, map[string][][]byte{}
	}
	if before, there := c.offered[id]; there && string(before) != string(file) {
		return errOther
	}
	c.offered[id] = file
	return nil
}

func (c *copies) Copies(_ context.Context, id string) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brought[id], nil
}

// sign has an owner bring a copy.
func (w *world) sign(id string, owner int) {
	w.t.Helper()
	f, err := safe.ParseFile(w.copies.offered[id])
	w.must(err)
	f, err = f.Sign(w.owners[owner])
	w.must(err)
	w.copies.brought[id] = append(w.copies.brought[id], f.Encode())
}

func TestSweepsReachASafe(t *testing.T) {
	onBoth(t, func(w *world) {
		w.sweep("swp_1n1", "ETH", units(4*ether))
		w.sweep("swp_2n1", "USDC", units(7_000*usdc))
		w.agree("ETH", units(4*ether))
		w.agree("USDC", units(7_000*usdc))
	})
}

func TestRefillsComeOutOfASafe(t *testing.T) {
	onBoth(t, func(w *world) {
		w.sweep("swp_1n1", "ETH", units(4*ether))
		w.sweep("swp_2n1", "USDC", units(7_000*usdc))
		for n, c := range []struct {
			id, asset   string
			amount, has uint64
		}{{"rfl_1n1", "ETH", ether, 3 * ether}, {"rfl_2n1", "USDC", 2_000 * usdc, 5_000 * usdc}, {"rfl_3n1", "ETH", ether, 2 * ether}} {
			w.must(w.store.OpenRefill(w.t.Context(), custodydb.Refill{ID: c.id, Asset: c.asset, Vault: "cold-eth", Amount: units(c.amount)}))
			if p, err := w.step(c.id); !errors.Is(err, custody.ErrConsent) || p.State != custody.WithdrawalApproved {
				w.t.Fatalf("nobody signed: %+v, %v", p, err)
			}
			w.sign(c.id, n%3)
			if _, err := w.step(c.id); !errors.Is(err, custody.ErrConsent) {
				w.t.Fatalf("one of three signed: %v", err)
			}
			w.sign(c.id, (n+1)%3)
			w.carry(c.id, custody.WithdrawalPosted)
			w.agree(c.asset, units(c.has))
		}
	})
}

// ready is a refill of one ether out of four that two owners have signed.
func (w *world) ready(id string) {
	w.t.Helper()
	w.must(w.store.OpenRefill(w.t.Context(), custodydb.Refill{ID: id, Asset: "ETH", Vault: "cold-eth", Amount: units(ether)}))
	if _, err := w.step(id); !errors.Is(err, custody.ErrConsent) {
		w.t.Fatal(err)
	}
	w.sign(id, 0)
	w.sign(id, 1)
}

// The checker sees a place that two payments have, and a payment that has none.
func TestPlacesAreChecked(t *testing.T) {
	w := newWorld(t, nodes.NewAnvil(t))
	w.sweep("swp_1n1", "ETH", units(4*ether))
	for _, id := range []string{"rfl_1n1", "rfl_2n1"} {
		w.ready(id)
		w.carry(id, custody.WithdrawalPosted)
	}
	w.agree("ETH", units(2*ether))
	for _, sql := range []string{
		`UPDATE custody.vault_slot SET nonce = 0`, `DELETE FROM custody.vault_slot WHERE intent = 'rfl_2n1'`,
		`UPDATE custody.vault_slot SET intent = 'rfl_9n9' WHERE intent = 'rfl_1n1'`,
	} {
		tx, err := w.pool.Begin(t.Context())
		w.must(err)
		_, err = tx.Exec(t.Context(), sql)
		w.must(err)
		w.must(tx.Commit(t.Context()))
		found := w.found()
		if len(found) == 0 || found[0].Invariant != "each payment of a contract has a place of its own, and one call" {
			t.Errorf("after %s: %v", sql, found)
		}
		_, err = w.pool.Exec(t.Context(), `INSERT INTO custody.vault_slot SELECT 'rfl_2n1', chain, address, 1, created_at FROM custody.vault_slot LIMIT 1 ON CONFLICT (intent) DO UPDATE SET nonce = 1`)
		w.must(err)
		if found := w.found(); sql != `UPDATE custody.vault_slot SET intent = 'rfl_9n9' WHERE intent = 'rfl_1n1'` && len(found) > 0 {
			t.Errorf("put right again after %s: %v", sql, found)
		}
	}
}

// What was planned is what is sent, whatever owners bring meanwhile.
func TestOwnersWhoComeLaterChangeNothing(t *testing.T) {
	w := newWorld(t, nodes.NewAnvil(t))
	w.sweep("swp_1n1", "ETH", units(4*ether))
	w.ready("rfl_1n1")
	w.take(custody.WithdrawalReserved, w.desk.Reserve)
	before, err := w.store.Plan(w.t.Context(), "rfl_1n1")
	w.must(err)
	w.copies.brought["rfl_1n1"] = w.copies.brought["rfl_1n1"][1:] // as if another set were there
	w.sign("rfl_1n1", 2)
	w.take(custody.WithdrawalReserved, w.desk.Reserve)
	w.take(custody.WithdrawalBroadcast, w.desk.Sign, w.desk.Send)
	sent, err := w.store.Attempts(w.t.Context(), "rfl_1n1")
	w.must(err)
	if len(sent) != 1 || !bytes.Equal(sent[0].Plan.Exec, before.Plan.Exec) || !bytes.Contains(sent[0].Raw, before.Plan.Exec) {
		w.t.Errorf("%d transactions, another call was sent", len(sent))
	}
	w.carry("rfl_1n1", custody.WithdrawalPosted)
	w.agree("ETH", units(3*ether))
}

// A refill whose block leaves the chain comes once all the same.
func TestRefillsSurviveReorganisations(t *testing.T) {
	onBoth(t, func(w *world) {
		w.sweep("swp_1n1", "ETH", units(4*ether))
		w.ready("rfl_1n1")
		w.take(custody.WithdrawalBroadcast, w.desk.Reserve, w.desk.Sign, w.desk.Send)
		w.mine(1)
		w.take(custody.WithdrawalConfirming, w.desk.Observe)
		w.node.Reorg(w.t, 1)
		w.mine(1)
		w.carry("rfl_1n1", custody.WithdrawalPosted)
		w.agree("ETH", units(3*ether))
	})
}

// Whoever sees a signed call may send it. Ours then is undone and costs its gas, and a person
// is told; the money is where it was to go.
func TestRefillsThatAStrangerSendsFirst(t *testing.T) {
	onBoth(t, func(w *world) {
		w.sweep("swp_1n1", "ETH", units(4*ether))
		w.ready("rfl_1n1")
		w.take(custody.WithdrawalSigned, w.desk.Reserve, w.desk.Sign)
		plan, err := w.store.Plan(w.t.Context(), "rfl_1n1")
		w.must(err)
		w.stranger(plan.Plan.Exec)
		w.take(custody.WithdrawalBroadcast, w.desk.Send)
		w.mine(final)
		w.carry("rfl_1n1", custody.WithdrawalReverted)
		found := w.found()
		told := slices.ContainsFunc(found, func(v check.Violation) bool { return v.Invariant == "ledger custody is what is on chain" })
		if !told {
			w.t.Errorf("nobody is told: %v", found)
		}
		// The vault has made that payment: the next one has another place.
		w.ready("rfl_2n1")
		w.carry("rfl_2n1", custody.WithdrawalPosted)
	})
}
