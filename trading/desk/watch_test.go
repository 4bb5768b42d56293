package desk_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// next takes the next update that what accepts, skipping others.
func next(tb testing.TB, from <-chan trading.Update, what func(trading.Update) bool) trading.Update {
	tb.Helper()
	end := time.After(patience) //nolint:forbidigo // waits for the server
	for {
		select {
		case u, ok := <-from:
			if !ok {
				tb.Fatal("the channel is closed")
			}
			if what(u) {
				return u
			}
		case <-end:
			tb.Fatal("no such update comes")
		}
	}
}

func isFill(u trading.Update) bool     { return u.Fill != nil }
func isReset(u trading.Update) bool    { return u.Reset }
func isBalances(u trading.Update) bool { return len(u.Balances) > 0 }

func TestWatchersHearOrdersFillsAndBalances(t *testing.T) {
	h := open(t, nil)
	maker, err := h.desk.Watch(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	taker, err := h.desk.Watch(t.Context(), "c2")
	if err != nil {
		t.Fatal(err)
	}
	ask := h.place(t, "c1", limit("ask", "sell", "2", "60000"))
	u := next(t, maker, func(u trading.Update) bool { return u.Order != nil })
	if u.Order.ID != ask.ID || u.Order.State != trading.OrderOpen || u.Order.ClientID != "ask" || u.Seq != ask.Seq {
		t.Errorf("%+v", u.Order)
	}
	bid := h.place(t, "c2", limit("bid", "buy", "0.5", "60000"))
	want := trading.Fill{
		Market: "BTC-USDC", Customer: "c1", OrderID: ask.ID, Side: "sell", Maker: true, Price: "60000", Quantity: "0.5", Turnover: "30000",
		Fee: "30", FeeAsset: "USDC",
	}
	got := *next(t, maker, isFill).Fill
	if got.Seq == 0 || !got.Time.Equal(h.clock()) {
		t.Errorf("%+v", got)
	}
	seq := got.Seq
	got.Seq, got.Time = 0, time.Time{}
	if got != want {
		t.Errorf("the maker hears %+v\nwant %+v", got, want)
	}
	want = trading.Fill{
		Seq: seq, Market: "BTC-USDC", Customer: "c2", OrderID: bid.ID, Side: "buy", Price: "60000", Quantity: "0.5", Turnover: "30000",
		Fee: "0.00075", FeeAsset: "BTC", Time: h.clock().UTC(),
	}
	if got := *next(t, taker, isFill).Fill; got != want {
		t.Errorf("the taker hears %+v\nwant %+v", got, want)
	}
	u = next(t, taker, func(u trading.Update) bool { return u.Order != nil })
	if u.Order.State != trading.OrderFilled || u.Order.Filled != "0.5" {
		t.Errorf("%+v", u.Order)
	}
	usdc, _ := known("USDC")
	next(t, maker, func(u trading.Update) bool {
		for _, b := range u.Balances {
			if b.Asset == "USDC" && usdc.Format(b.Available) == "10029970" && u.Seq >= seq {
				return true
			}
		}
		return false
	})
	if _, err := h.desk.Cancel(t.Context(), "c1", ask.ID); err != nil {
		t.Fatal(err)
	}
	u = next(t, maker, func(u trading.Update) bool { return u.Order != nil && u.Order.State == trading.OrderCancelled })
	if u.Order.Remaining != "1.5" || u.Order.Reason != "by_client" {
		t.Errorf("%+v", u.Order)
	}
}

func TestATransferTouchesBalances(t *testing.T) {
	h := open(t, nil)
	updates, err := h.desk.Watch(t.Context(), "c9")
	if err != nil {
		t.Fatal(err)
	}
	no, _ := h.catalog.AssetNo("LTC")
	account, _ := h.numbers.Account(t.Context(), "c9")
	h.do(t, engine.Command{Op: engine.OpCredit, Account: account, Asset: no, Amount: engine.Amount{Lo: 5}, Key: engine.Key{Hi: 99, Lo: 1}})
	u := next(t, updates, isBalances)
	if len(u.Balances) != 1 || u.Balances[0].Asset != "LTC" || u.Balances[0].Available.String() != "5" {
		t.Errorf("%+v", u.Balances)
	}
}

func TestAWatcherThatDoesNotReadIsClosed(t *testing.T) {
	h := open(t, nil)
	slow, err := h.desk.Watch(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reads, err := h.desk.Watch(ctx, "c1")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan int)
	go func() {
		n := 0
		for u := range reads {
			if u.Order != nil {
				n++
			}
		}
		heard <- n
	}()
	const orders = 300
	for i := range orders {
		h.place(t, "c1", limit(strconv.Itoa(i), "sell", "0.001", "61000"))
	}
	n := 0
	for range slow {
		n++
	}
	if n != 256 {
		t.Errorf("a slow reader is closed after %d updates", n)
	}
	cancel()
	if n := <-heard; n != orders {
		t.Errorf("a reader hears of %d orders of %d", n, orders)
	}
	if got := h.figure(t, "strongroom_desk_watchers"); got != 0 {
		t.Errorf("%v watchers are counted", got)
	}
	if got := h.figure(t, "strongroom_desk_watchers_dropped_total"); got != 1 {
		t.Errorf("%v watchers were dropped", got)
	}
}

func TestTooManyReadersOfOneCustomer(t *testing.T) {
	h := open(t, nil)
	for range 64 {
		if _, err := h.desk.Watch(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.desk.Watch(t.Context(), "c1"); err == nil {
		t.Error("another reader is taken")
	}
	updates, err := h.desk.Watch(t.Context(), "c2")
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	for range updates {
	}
	if _, err := h.desk.Watch(t.Context(), "c3"); err == nil {
		t.Error("a desk that has closed takes readers")
	}
}

// TestManyCustomersAtOnce has 64 customers trade with each other. What each hears adds up
// to what it is answered, and to what the shard says that it has.
func TestManyCustomersAtOnce(t *testing.T) {
	h := open(t, nil)
	const traders, rounds = 64, 12
	var wg sync.WaitGroup
	for i := 1; i <= traders; i++ {
		wg.Go(func() {
			me := name(i)
			side := [2]string{"buy", "sell"}[i%2]
			for n := range rounds {
				o := limit(fmt.Sprint("o", n), side, "0.01", "60000")
				if n%3 == 2 {
					o.TimeInForce = "ioc"
				}
				got, repeated, err := h.desk.Place(t.Context(), me, o)
				if err != nil || repeated || got.Customer != me || got.ClientID != o.ClientID || got.State == "" {
					t.Errorf("%s: %+v, %v", me, got, err)
				}
				again, repeated, err := h.desk.Place(t.Context(), me, o)
				if err != nil || !repeated || again.ID != got.ID {
					t.Errorf("%s again: %+v, %v", me, again, err)
				}
				if n%4 == 3 {
					if _, err := h.desk.CancelAll(t.Context(), me, "BTC-USDC", ""); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	total := map[string]uint64{}
	for i := 0; i <= customers; i++ {
		who := name(i)
		if i == 0 {
			continue
		}
		list, _, err := h.desk.Balances(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			if b.Asset == "ETH" {
				continue
			}
			a, _ := b.Available.Uint64()
			r, _ := b.Reserved.Uint64()
			total[b.Asset] += a + r
		}
		open, _, err := h.desk.Open(t.Context(), who, "")
		if err != nil || len(open) != 0 {
			t.Errorf("%s: %d orders wait, %v", who, len(open), err)
		}
	}
	// What is missing is fees, a thousandth and a half of what was traded at most.
	for asset, all := range map[string]uint64{"BTC": customers * 100 * 1e8, "USDC": customers * 10_000_000 * 1e6} {
		if total[asset] > all || all-total[asset] > all/1000 {
			t.Errorf("%d of %d %s are left", total[asset], all, asset)
		}
	}
}

func (h *house) figure(tb testing.TB, metric string) float64 {
	tb.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
