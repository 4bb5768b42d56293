package settle_test

import (
	"math/rand/v2"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/naive"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/money"
)

// matcher is what both engines can do.
type matcher interface {
	Configure(c *engine.Command, cfg *engine.MarketConfig, out []engine.Event) []engine.Event
	Apply(c *engine.Command, out []engine.Event) []engine.Event
}

// TestTheEnginesBalancesAreTheLedgers settles what the engines really say, with fees,
// transfers both ways and a refusal, and lets the checkpoints compare.
func TestTheEnginesBalancesAreTheLedgers(t *testing.T) {
	cfg := engine.Config{Orders: 1 << 10, Accounts: 8, Assets: 4, Markets: 4, Keys: 1 << 10, Retention: 1, Transfers: 1 << 10}
	fast, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := naive.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]matcher{"fast": fast, "naive": plain} {
		t.Run(name, func(t *testing.T) { settlesWhatItSays(t, m) })
	}
}

func settlesWhatItSays(t *testing.T, m matcher) {
	t.Helper()
	h := newHouse(t, 1, 3, false)
	rng := rand.New(rand.NewPCG(5, 6))
	now := int64(settletest.Start)
	var out []engine.Event
	apply := func(c engine.Command) {
		now++
		c.Time = now
		out = m.Apply(&c, out)
	}
	for no := range 3 {
		apply(engine.Command{Op: engine.OpAccount, Account: engine.AccountID(no + 1)})
	}
	for _, market := range h.world.Markets {
		cfg := engine.MarketConfig{
			Base: market.Base, Quote: market.Quote, LotUnits: market.LotUnits, TickUnits: market.TickUnits, MinQty: 1, MaxQty: 1_000, MaxSlippage: 50, MaxOrders: 500,
		}
		cfg.Tiers[0] = engine.Fees{Maker: 900, Taker: 2_100}
		out = m.Configure(&engine.Command{Op: engine.OpMarket, Market: market.No, Time: now}, &cfg, out)
		apply(engine.Command{Op: engine.OpState, Market: market.No, State: engine.Open})
	}
	transfer := func(op engine.Op, no engine.AccountID, asset engine.AssetID, amount uint64) string {
		move := settle.Transfer{ID: settletest.TransferID(rng), Customer: settletest.Customer(no), Asset: h.world.Assets[asset], Amount: money.FromUint64(amount)}
		key, err := settle.TransferKey(move.ID)
		h.must(err)
		if op == engine.OpCredit {
			h.must(h.transfers.Credit(t.Context(), move))
		} else {
			h.must(h.transfers.Announce(t.Context(), move))
		}
		apply(engine.Command{Op: op, Account: no, Asset: asset, Amount: engine.Amount{Lo: amount}, Key: key})
		return move.ID
	}
	for no := range 3 {
		for asset := range h.world.Assets {
			transfer(engine.OpCredit, engine.AccountID(no+1), engine.AssetID(asset), 1<<32)
		}
	}
	taken, refused := transfer(engine.OpDebit, 1, 0, 12_345), transfer(engine.OpDebit, 2, 1, 1<<40)
	for i := range 600 {
		apply(engine.Command{
			Op: engine.OpNew, Market: engine.MarketID(rng.IntN(3)), Account: engine.AccountID(1 + rng.IntN(3)), Side: engine.Side(rng.IntN(2)),
			Price: 90 + rng.Int64N(20), Qty: 1 + rng.Int64N(30),
		})
		if i%100 == 99 {
			apply(engine.Command{Op: engine.OpCheckpoint})
		}
	}
	trades := 0
	for _, e := range out {
		if e.Kind == engine.EventTrade {
			trades++
		}
	}
	if trades < 100 {
		t.Fatalf("only %d trades", trades)
	}
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.must(s.Take(t.Context(), settle.Batch{Epoch: 1, Head: uint64(len(out)), Events: out}))
	h.must(h.transfers.Debit(t.Context(), taken))
	if h.transfers.Debit(t.Context(), refused) == nil {
		t.Error("what the engine refused is booked")
	}
	var agreed int
	h.must(h.pool.QueryRow(t.Context(), `SELECT count(*) FROM trading.checkpoint WHERE agrees`).Scan(&agreed))
	if agreed != 6 {
		t.Errorf("%d of 6 checkpoints agree", agreed)
	}
	h.cleared(t.Context())
	t.Logf("%d events, %d trades, %d checkpoints agree", len(out), trades, agreed)
}
