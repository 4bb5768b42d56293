package engine_test

import (
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// TestPagesAreBounded places orders as far apart as prices go: they are refused where
// the pages are used up, and taken again when one is free.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	const pages = 8
	e, err := engine.New(engine.Config{Orders: 64, Pages: pages, Accounts: 2, Assets: 2, Markets: 1, Transfers: 4})
	if err != nil {
		t.Fatal(err)
	}
	cfg := engine.MarketConfig{Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 10, MaxOrders: 64, MaxPegs: 4}
	e.Configure(&engine.Command{Op: engine.OpMarket}, &cfg, nil)
	do := func(c engine.Command) engine.Event {
		c.Account = 1
		return e.Apply(&c, nil)[0]
	}
	do(engine.Command{Op: engine.OpState, State: engine.Open})
	do(engine.Command{Op: engine.OpAccount})
	do(engine.Command{Op: engine.OpCredit, Asset: 1, Key: engine.Key{Lo: 1}, Amount: engine.Amount{Lo: 1 << 40}})
	at := func(page int64) engine.Command {
		return engine.Command{Op: engine.OpNew, Price: page*engine.PageTicks + 1, Qty: 1}
	}
	var first engine.OrderID
	for page := range int64(pages) {
		v := do(at(page))
		if v.Kind != engine.EventAccepted {
			t.Fatalf("page %d: %+v", page, v)
		}
		first = max(first, v.Order)
	}
	stop := engine.Command{Op: engine.OpNew, Type: engine.Stop, Trigger: 5, Qty: 1}
	amend := engine.Command{Op: engine.OpAmend, Order: first, Price: 100 * engine.PageTicks}
	for name, c := range map[string]engine.Command{"another page": at(100), "a known page": at(1), "a stop": stop, "an amend": amend} {
		if v := do(c); v.Code != engine.CodeTooManyOrders {
			t.Errorf("%s: %+v", name, v)
		}
	}
	now := at(100)
	now.TIF = engine.IOC
	if v := do(now); v.Kind != engine.EventAccepted {
		t.Errorf("one that does not wait: %+v", v)
	}
	do(engine.Command{Op: engine.OpCancel, Order: first})
	if v := do(at(100)); v.Kind != engine.EventAccepted || e.PagesUsed() != pages {
		t.Errorf("a page was free: %+v, %d are used", v, e.PagesUsed())
	}
}

// TestPagesNeverPassTheirBound runs everything that can be said on few pages.
func TestPagesNeverPassTheirBound(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		stream := flow.NewAny(seed, flow.All)
		shard := stream.Shard()
		shard.Pages, shard.Orders = 12, 256
		fast, err := engine.New(shard)
		if err != nil {
			t.Fatal(err)
		}
		slow := newNaive(t, shard)
		full, most := 0, uint32(0)
		for i := range 3000 {
			step := stream.Next()
			want := step.Do(slow, nil)
			if got := step.Do(fast, nil); !equalEvents(got, want) {
				t.Fatalf("seed %d, command %d: %s instead of %s", seed, i, listed(got), listed(want))
			}
			for _, v := range want {
				if v.Code == engine.CodeTooManyOrders {
					full++
				}
			}
			most = max(most, fast.PagesUsed())
			if most > shard.Pages {
				t.Fatalf("seed %d, command %d: %d pages of %d", seed, i, most, shard.Pages)
			}
			stream.Saw(want)
		}
		if full == 0 || most < 4 {
			t.Errorf("seed %d: %d refusals, %d pages at most", seed, full, most)
		}
	}
}
