package engine_test

import (
	"testing"

	"strongroom/matching/engine"
)

// desk is an open market with accounts that have plenty.
type desk struct {
	t *testing.T
	e *engine.Engine
}

func newDesk(t *testing.T, change func(*engine.MarketConfig)) *desk {
	t.Helper()
	e, err := engine.New(engine.Config{
		Orders: 1000, Accounts: 8, Assets: 2, Markets: 1, Keys: 100, Retention: 1000, Transfers: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t, e}
	for a := engine.AccountID(1); a < 8; a++ {
		d.do(engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			d.do(engine.Command{
				Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: 1_000_000},
				Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
			})
		}
	}
	cfg := engine.MarketConfig{
		Base: 0, Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1000, MaxSlippage: 10,
		MaxOrders: 1000, MaxPegs: 10, MaxTrailing: 10,
	}
	if change != nil {
		change(&cfg)
	}
	e.Configure(&engine.Command{Op: engine.OpMarket}, &cfg, nil)
	d.do(engine.Command{Op: engine.OpState, State: engine.Open})
	return d
}

func (d *desk) do(c engine.Command) []engine.Event { return d.e.Apply(&c, nil) }

func (d *desk) order(account engine.AccountID, side engine.Side, price, qty int64) engine.Command {
	return engine.Command{Op: engine.OpNew, Account: account, Side: side, Price: price, Qty: qty}
}

// trades returns price and quantity of each trade.
func trades(events []engine.Event) (all [][2]int64) {
	for i := range events {
		if events[i].Kind == engine.EventTrade {
			all = append(all, [2]int64{events[i].Price, events[i].Qty})
		}
	}
	return all
}

func (d *desk) wantTrades(events []engine.Event, want ...[2]int64) {
	d.t.Helper()
	got := trades(events)
	if len(got) != len(want) {
		d.t.Fatalf("trades %v, want %v in %+v", got, want, events)
	}
	for i := range want {
		if got[i] != want[i] {
			d.t.Fatalf("trades %v, want %v", got, want)
		}
	}
}

func (d *desk) wantCode(events []engine.Event, code engine.Code) {
	d.t.Helper()
	if last := events[len(events)-1]; last.Code != code {
		d.t.Fatalf("code %d, want %d in %+v", last.Code, code, events)
	}
}

func TestBestPriceFirstAndOldestFirst(t *testing.T) {
	d := newDesk(t, nil)
	d.do(d.order(1, engine.Sell, 102, 5))
	d.do(d.order(2, engine.Sell, 101, 5))
	d.do(d.order(3, engine.Sell, 101, 5))
	events := d.do(d.order(4, engine.Buy, 102, 12))
	d.wantTrades(events, [2]int64{101, 5}, [2]int64{101, 5}, [2]int64{102, 2})
	if events[1].MakerAccount != 2 || events[2].MakerAccount != 3 {
		t.Fatal("the younger order of a price went first")
	}
	available, reserved := d.e.Balance(4, 1)
	if available.Lo != 1_000_000-5*101-5*101-2*102 || reserved.Lo != 0 {
		t.Fatalf("buyer has %v and %v: what its limit reserved above the trades must come back", available, reserved)
	}
}

func TestOrdersThatMayNotRest(t *testing.T) {
	d := newDesk(t, nil)
	d.do(d.order(1, engine.Sell, 100, 5))
	c := d.order(2, engine.Buy, 100, 6)
	c.TIF = engine.FOK
	d.wantCode(d.do(c), engine.CodeWouldNotFill)
	c.TIF = engine.IOC
	d.wantCode(d.do(c), engine.CodeUnfilled)
	c = d.order(1, engine.Sell, 100, 5)
	d.do(c)
	c = d.order(2, engine.Buy, 100, 1)
	c.Flags = engine.PostOnly
	d.wantCode(d.do(c), engine.CodeWouldTake)
	c.Flags |= engine.Slide
	if events := d.do(c); events[1].Kind != engine.EventRested || events[1].Price != 99 {
		t.Fatalf("slid to %+v", events)
	}
}

func TestIcebergShowsNextLotsAtTheEnd(t *testing.T) {
	d := newDesk(t, nil)
	c := d.order(1, engine.Sell, 100, 10)
	c.Display = 3
	d.do(c)
	d.do(d.order(2, engine.Sell, 100, 4))
	if depth := d.e.Depth(0, engine.Sell, 5, nil); len(depth) != 1 || depth[0].Qty != 7 {
		t.Fatalf("depth %v shows hidden lots", depth)
	}
	d.wantTrades(d.do(d.order(3, engine.Buy, 100, 9)), [2]int64{100, 3}, [2]int64{100, 4}, [2]int64{100, 2})
}

func TestStopEntersAfterTheCommandThatTriggeredIt(t *testing.T) {
	d := newDesk(t, nil)
	d.do(d.order(1, engine.Sell, 100, 1))
	d.do(d.order(1, engine.Sell, 103, 4))
	stop := engine.Command{Op: engine.OpNew, Account: 3, Type: engine.Stop, Trigger: 100, Qty: 2}
	d.do(stop)
	events := d.do(d.order(2, engine.Buy, 100, 1))
	d.wantTrades(events, [2]int64{100, 1}, [2]int64{103, 2})
	d.wantCode(d.do(stop), engine.CodeWouldTrigger)
}

func TestHalvesOfAnOCOEndTogether(t *testing.T) {
	d := newDesk(t, nil)
	d.do(engine.Command{Op: engine.OpNew, Account: 1, Type: engine.OCO, Side: engine.Sell, Price: 110, Trigger: 90, Qty: 5})
	events := d.do(d.order(2, engine.Buy, 110, 1))
	d.wantCode(events, engine.CodeBySibling)
	if left := d.e.Orders(1, nil); len(left) != 1 || left[0].Qty != 4 {
		t.Fatalf("left %+v", left)
	}
}

func TestBracketPlacesWhatWasBought(t *testing.T) {
	d := newDesk(t, func(c *engine.MarketConfig) { c.Tiers[0] = engine.Fees{Maker: 0, Taker: 100_000} })
	d.do(d.order(1, engine.Sell, 100, 20))
	c := d.order(2, engine.Buy, 100, 20)
	c.Flags, c.TakeProfit, c.StopLoss = engine.Bracket, 120, 80
	d.do(c)
	left := d.e.Orders(2, nil)
	if len(left) != 2 || left[0].Price != 120 || left[0].Qty != 18 || left[1].Trigger != 80 {
		t.Fatalf("placed %+v, want a pair for 18 lots", left)
	}
}

func TestDynamicBandEndsInAnAuctionAtOnePrice(t *testing.T) {
	d := newDesk(t, func(c *engine.MarketConfig) { c.DynamicPPM, c.HaltFor, c.Reference = 20_000, 50, 100 })
	d.do(d.order(1, engine.Sell, 101, 1))
	d.do(d.order(1, engine.Sell, 110, 5))
	events := d.do(d.order(2, engine.Buy, 110, 4))
	d.wantTrades(events, [2]int64{101, 1})
	if events[2].State != engine.Auction || events[3].Kind != engine.EventRested {
		t.Fatalf("events %+v, want an auction and a rest", events)
	}
	d.wantTrades(d.do(engine.Command{Op: engine.OpTime, Time: 50}), [2]int64{110, 3})
}

func TestMassCancelGivesAllBack(t *testing.T) {
	d := newDesk(t, nil)
	for i := range int64(50) {
		d.do(d.order(1, engine.Buy, 10+i, 3))
	}
	d.do(engine.Command{Op: engine.OpKill, Account: 1})
	if available, reserved := d.e.Balance(1, 1); available.Lo != 1_000_000 || !reserved.IsZero() {
		t.Fatalf("left %v and %v", available, reserved)
	}
	d.wantCode(d.do(d.order(1, engine.Buy, 10, 1)), engine.CodeKilled)
}
