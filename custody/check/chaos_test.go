package check_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/internal/id"
	"strongroom/money"
)

// TestDisorderEndsInOrder throws deposits, withdrawals, collections, reorganisations,
// bad nodes, racing watchers and restarts together. Once things calm down nothing
// disagrees, and the deposits are those that a reading of the chain from its first
// block finds.
func TestDisorderEndsInOrder(t *testing.T) {
	seeds, actions := uint64(4), 160
	if testing.Short() {
		seeds, actions = 1, 120
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			h := newHouse(t)
			h.fund(t)
			rng := rand.New(rand.NewPCG(seed, 11))
			for range actions {
				h.disturb(t, rng)
			}
			h.calm(t)
			for _, v := range h.violations(t) {
				t.Error(v)
			}
			for name := range h.Chains {
				h.rescan(t, name)
			}
			h.count(t)
		})
	}
}

func (h *house) disturb(tb testing.TB, rng *rand.Rand) {
	tb.Helper()
	chain := pick(rng, custodytest.Coins, custodytest.Accounts)
	asset := pick(rng, custodytest.BTC, custodytest.ETH, custodytest.TUSD)
	customer := pick(rng, "cus_a", "cus_b", "cus_c")
	switch rng.IntN(16) {
	case 0, 1, 2:
		h.Pay(tb, asset, h.Address(tb, customer, asset), amount(rng, asset))
	case 3, 4, 5:
		for range 1 + rng.IntN(custodytest.CreditDepth) {
			h.mine(tb, chain)
			h.look(tb, rng, chain)
			h.Deliver(tb)
		}
	case 6:
		if err := h.Chains[chain].Reorg(1 + rng.IntN(custodytest.MaxReorg)); err != nil {
			tb.Fatal(err)
		}
	case 7:
		h.look(tb, rng, chain)
	case 8:
		h.Deliver(tb)
	case 9:
		// A chain that was reorganised since the last look is refused by the node.
		if err := h.collector.Round(context.Background()); err != nil && !errors.Is(err, chainadapters.ErrIncomplete) {
			tb.Fatal(err)
		}
	case 10:
		h.withdraw(tb, customer, asset, amount(rng, asset)/2+custodytest.Dust)
	case 11, 12:
		h.drive(tb)
	case 13:
		h.sweep(tb, asset, amount(rng, asset)+custodytest.Dust)
	case 14: // somebody pays to the vault by mistake, or as a refill's change would
		h.Pay(tb, asset, h.vault(tb, asset), amount(rng, asset)+custodytest.Dust)
	case 15:
		if rng.IntN(6) == 0 {
			h.Restart(tb)
			h.wire(tb)
		}
	}
}

// vault is where the vault of an asset's chain is.
func (h *house) vault(tb testing.TB, asset string) string {
	tb.Helper()
	info, _ := h.Assets.AssetByCode(asset)
	address, err := h.Nodes[info.Chain].DeriveAddress(fakechain.PublicKey("vault"), 0, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := h.Store.RegisterVault(context.Background(), info.Chain, "cold", address); err != nil {
		tb.Fatal(err)
	}
	return address
}

func (h *house) sweep(tb testing.TB, asset string, amount uint64) {
	tb.Helper()
	w := custodydb.Sweep{ID: id.New("swp"), Asset: asset, To: h.vault(tb, asset), Amount: money.FromUint64(amount)}
	for range 2 { // the same again is the same sweep
		if err := h.Store.OpenSweep(context.Background(), w); err != nil {
			tb.Fatal(err)
		}
	}
}

func (h *house) mine(tb testing.TB, chain chainadapters.ChainID) {
	tb.Helper()
	if err := h.Chains[chain].Mine(1); err != nil {
		tb.Fatal(err)
	}
}

func amount(rng *rand.Rand, asset string) uint64 {
	if rng.IntN(8) == 0 {
		return 1 + rng.Uint64N(custodytest.Dust)
	}
	if asset == custodytest.ETH {
		return plenty(asset) / (1 + rng.Uint64N(1000))
	}
	return custodytest.Dust + rng.Uint64N(3*custodytest.Small)
}

// look lets two watchers race, sometimes through a bad node.
func (h *house) look(tb testing.TB, rng *rand.Rand, chain chainadapters.ChainID) {
	tb.Helper()
	if rng.IntN(5) == 0 {
		h.Nodes[chain].Break(pick(rng, fakechain.Down, fakechain.Timeout, fakechain.NullBlock, fakechain.PartialBlock,
			fakechain.Lagging, fakechain.Foreign))
		defer h.Nodes[chain].Break(fakechain.None)
	}
	var both sync.WaitGroup
	for range 2 {
		w := h.Watcher(tb, chain)
		both.Go(func() {
			for more := true; more; {
				var err error
				if more, err = w.Look(context.Background()); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	both.Wait()
}

// calm mines and works until nothing moves any more.
func (h *house) calm(tb testing.TB) {
	tb.Helper()
	const rounds = 60
	quiet := 0
	for range rounds {
		for chain := range h.Chains {
			h.mine(tb, chain)
			h.Look(tb, chain)
		}
		for deposit, err := range h.Deliver(tb) {
			tb.Fatalf("deposit %s: %v", deposit, err)
		}
		if err := h.Intake.RepayDebts(context.Background()); err != nil {
			tb.Fatal(err)
		}
		if h.drive(tb) > 0 {
			quiet = 0
		} else if quiet++; quiet > custodytest.FinalDepth {
			return
		}
	}
	var stuck string
	_ = h.Pool.QueryRow(context.Background(), `SELECT string_agg(id || ' ' || state || ' ' || reason, '; ') FROM (
		SELECT id, state, reason FROM custody.withdrawal UNION ALL SELECT id, state, reason FROM custody.house_intent) i
		WHERE state NOT IN ('posted', 'cancelled', 'reverted')`).Scan(&stuck)
	tb.Fatalf("does not calm down: %s", stuck)
}

// rescan reads the whole chain anew and compares it with the rows.
func (h *house) rescan(tb testing.TB, chain chainadapters.ChainID) {
	tb.Helper()
	ctx := context.Background()
	type key struct {
		txid string
		idx  uint32
	}
	want := map[key]money.Units{}
	houses, err := h.Store.HouseAddresses(ctx, chain)
	if err != nil {
		tb.Fatal(err)
	}
	ours := map[string]bool{}
	for _, a := range houses {
		ours[a.Address] = true
	}
	head, err := h.Nodes[chain].Head(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	for height := uint64(0); height <= head.Height; height++ {
		header, err := h.Nodes[chain].HeaderAt(ctx, height)
		if err != nil {
			tb.Fatal(err)
		}
		block, err := h.Nodes[chain].Block(ctx, header.Ref, []string{h.Chains[chain].Token()})
		if err != nil {
			tb.Fatal(err)
		}
		own, err := h.Store.OwnTxs(ctx, chain, block.TxIDs)
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range block.Movements {
			if ours[m.To] && !slices.Contains(own, m.TxID) {
				want[key{m.TxID, m.Index}] = m.Amount
			}
		}
	}
	rows, err := h.Pool.Query(ctx, `SELECT txid, idx, amount, canonical, state, customer FROM custody.deposit WHERE chain = $1`, chain)
	if err != nil {
		tb.Fatal(err)
	}
	for rows.Next() {
		var k key
		var units money.Units
		var canonical bool
		var state custody.DepositState
		var customer string
		if err := rows.Scan(&k.txid, &k.idx, &units, &canonical, &state, &customer); err != nil {
			tb.Fatal(err)
		}
		on, found := want[k]
		end := custody.DepositWithdrawable
		if units.Less(money.FromUint64(custodytest.Dust)) && customer != "" {
			end = custody.DepositDust
		}
		switch {
		case found != canonical || (found && on != units):
			tb.Errorf("deposit %+v of %s: on chain %v with %s, row says %v", k, units, found, on, canonical)
		case found && state != end:
			tb.Errorf("deposit %+v is %s, want %s", k, state, end)
		case !found && state.Booked():
			tb.Errorf("deposit %+v is gone and %s", k, state)
		}
		delete(want, k)
	}
	for k := range want {
		tb.Errorf("deposit %+v has no row", k)
	}
}

// count holds each customer's balances against what the chain gave and took.
func (h *house) count(tb testing.TB) {
	tb.Helper()
	var checked, credited, taken, posted int
	for _, customer := range []string{"cus_a", "cus_b", "cus_c"} {
		for _, info := range h.Assets {
			h.Address(tb, customer, info.Code)
			var in, out money.Units
			err := h.Pool.QueryRow(context.Background(), `SELECT
				(SELECT coalesce(sum(amount), 0) FROM custody.deposit WHERE customer = $1 AND asset = $2 AND canonical AND state <> 'dust_held')::numeric(78,0),
				(SELECT coalesce(sum(amount + fee), 0) FROM custody.withdrawal WHERE customer = $1 AND asset = $2 AND state = 'posted')::numeric(78,0)`,
				customer, info.Code).Scan(&in, &out)
			if err != nil {
				tb.Fatal(err)
			}
			has, _ := money.Sum(h.Available(tb, custody.FundingAccount(customer, info.Code)), h.Available(tb, custody.MaturingAccount(customer, info.Code)), out)
			owes, _ := money.Sum(in, h.Available(tb, custody.DebtAccount(customer, info.Code)))
			if has != owes {
				tb.Errorf("%s %s: has and had %s, was given and owes %s", customer, info.Code, has, owes)
			}
			checked++
		}
	}
	err := h.Pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM custody.deposit WHERE state = 'withdrawable'),
		(SELECT count(*) FROM ledger.transaction WHERE id LIKE 'dep/%/takeback/%'), (SELECT count(*) FROM ledger.transaction WHERE id LIKE '%/post')`).
		Scan(&credited, &taken, &posted)
	if err != nil || credited == 0 {
		tb.Fatalf("nothing was credited: %v", err)
	}
	tb.Logf("%d balances; %d deposits withdrawable, %d take-backs, %d payments and collections posted", checked, credited, taken, posted)
}
