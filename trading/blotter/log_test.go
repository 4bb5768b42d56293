package blotter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/blotter"
)

// shop is two customers on one market, told by an engine and read through a Log.
type shop struct {
	t      *testing.T
	engine *engine.Engine
	now    int64
	events []engine.Event
	pool   *pgxpool.Pool
	log    *blotter.Log
	market *trading.Market
}

// numbered is a registry whose numbers are fixed.
type numbered map[string]engine.AssetID

func (n numbered) Asset(_ context.Context, code string) (engine.AssetID, error) { return n[code], nil }

func open(t *testing.T) *shop {
	t.Helper()
	catalog, err := trading.NewCatalog(t.Context(), []trading.Terms{{
		Name: "BTC-USDC", ID: 1, Base: "BTC", Quote: "USDC", Tick: "0.01", Lot: "0.0001", MinQuantity: "0.0001", MaxQuantity: "100", MaxSlippage: "100", MaxOrders: 100,
		Tiers: []trading.FeeTier{{MakerPPM: 1_000, TakerPPM: 2_000}},
	}}, func(code string) (money.Asset, error) {
		return money.Asset{Code: code, Scale: map[string]uint8{"BTC": 8, "USDC": 6}[code]}, nil
	}, numbered{"BTC": 0, "USDC": 1})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Orders: 1000, Accounts: 4, Assets: 2, Markets: 2, Keys: 1000, Retention: 1, Transfers: 10})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, engine: e, now: 1_700_000_000_000_000_000, pool: database(t), market: catalog.Market("BTC-USDC")}
	s.log = blotter.NewLog(s.pool, shard, catalog)
	registry := settle.NewRegistry(s.pool)
	for no := range engine.AccountID(2) {
		got, err := registry.Account(t.Context(), customer(no+1))
		if err != nil || got != no+1 {
			t.Fatal(got, err)
		}
		s.do(engine.Command{Op: engine.OpAccount, Account: no + 1})
		for asset := range engine.AssetID(2) {
			s.do(engine.Command{Op: engine.OpCredit, Account: no + 1, Asset: asset, Amount: engine.Amount{Lo: 1 << 50}, Key: engine.Key{Hi: 1, Lo: uint64(no)*2 + uint64(asset) + 1}})
		}
	}
	s.events = e.Configure(&engine.Command{Op: engine.OpMarket, Market: 1, Time: s.now}, &s.market.Config, s.events)
	s.do(engine.Command{Op: engine.OpState, Market: 1, State: engine.Open})
	return s
}

func customer(no engine.AccountID) string { return fmt.Sprintf("cus_%d", no) }

func (s *shop) do(c engine.Command) engine.OrderID {
	s.now += 1_000_000
	c.Time, c.Market = s.now, 1
	n := len(s.events)
	s.events = s.engine.Apply(&c, s.events)
	return s.events[n].Order
}

func (s *shop) order(no engine.AccountID, clientID string, side engine.Side, price, qty int64) string {
	c := engine.Command{Op: engine.OpNew, Account: no, Side: side, Price: price, Qty: qty, STP: engine.STPNone}
	if clientID != "" {
		c.Key = trading.ClientKey(customer(no), clientID)
	}
	return trading.OrderIDText(s.do(c))
}

// written follows the events, and writes trades as settlement does.
func (s *shop) written() {
	s.t.Helper()
	b := batches{(&tape{events: s.events, before: []chain.Hash{{}}}).batch(0, len(s.events), 1)}
	if err := writer(s.t, s.pool, b, 1000, time.Unix(0, s.now)).Follow(s.t.Context()); !errors.Is(err, errCut) {
		s.t.Fatal(err)
	}
	s.settled(s.events)
}

func TestOwnersReadTheirOrdersAndNobodyElseDoes(t *testing.T) {
	s := open(t)
	sold := s.order(1, "my first", engine.Sell, 6_000_000, 30)
	bought := s.order(2, "", engine.Buy, 6_000_000, 20)
	waits := s.order(2, "low", engine.Buy, 5_000_000, 7)
	gone := s.order(1, "gone", engine.Sell, 7_000_000, 5)
	id, _ := trading.ParseOrderID(gone)
	s.do(engine.Command{Op: engine.OpCancel, Account: 1, Order: id})
	s.written()
	o, err := s.log.Order(t.Context(), "cus_1", sold)
	if err != nil || o.State != trading.OrderOpen || o.Price != "60000" || o.Quantity != "0.003" || o.Filled != "0.002" || o.Remaining != "0.001" ||
		o.Turnover != "120" || o.Side != "sell" || o.Type != trading.TypeLimit || o.Market != "BTC-USDC" || o.UpdatedAt.Before(o.CreatedAt) || o.ClientID != "" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.OrderByClientID(t.Context(), "cus_1", "my first"); err != nil || o.ID != sold || o.ClientID != "my first" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.Order(t.Context(), "cus_1", gone); err != nil || o.State != trading.OrderCancelled || o.Reason != "by_client" || o.Remaining != "0.0005" {
		t.Errorf("%+v, %v", o, err)
	}
	for name, read := range map[string]func() (trading.Order, error){
		"another's":    func() (trading.Order, error) { return s.log.Order(t.Context(), "cus_2", sold) },
		"a stranger's": func() (trading.Order, error) { return s.log.Order(t.Context(), "cus_9", sold) },
		"the house's":  func() (trading.Order, error) { return s.log.Order(t.Context(), "", sold) },
		"no number":    func() (trading.Order, error) { return s.log.Order(t.Context(), "cus_1", "x") },
		"another's id": func() (trading.Order, error) { return s.log.OrderByClientID(t.Context(), "cus_2", "my first") },
	} {
		if o, err := read(); !errors.Is(err, trading.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	list, next, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_2", Limit: 10})
	if err != nil || next != "" || len(list) != 2 || list[0].ID != waits || list[1].ID != bought || list[1].State != trading.OrderFilled {
		t.Errorf("%+v, %q, %v", list, next, err)
	}
	if list, _, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_2", Market: "ETH-USDC", Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	fills, next, err := s.log.Fills(t.Context(), trading.LogQuery{Customer: "cus_1", OrderID: sold, Limit: 10})
	if err != nil || next != "" || len(fills) != 1 {
		t.Fatalf("%+v, %q, %v", fills, next, err)
	}
	if f := fills[0]; !f.Maker || f.OrderID != sold || f.Side != "sell" || f.Price != "60000" || f.Quantity != "0.002" || f.Turnover != "120" || f.Fee != "0.12" || f.FeeAsset != "USDC" {
		t.Errorf("%+v", f)
	}
	fills, _, err = s.log.Fills(t.Context(), trading.LogQuery{Customer: "cus_2", Limit: 10})
	if err != nil || len(fills) != 1 || fills[0].Maker || fills[0].OrderID != bought || fills[0].Fee != "0.000004" || fills[0].FeeAsset != "BTC" {
		t.Errorf("%+v, %v", fills, err)
	}
}

// TestPagesMeetWithoutGapAndOverlap turns pages of all sizes, with trades of a customer
// with themselves among them.
func TestPagesMeetWithoutGapAndOverlap(t *testing.T) {
	s := open(t)
	for i := range int64(40) {
		s.order(engine.AccountID(1+i%2), "", engine.Sell, 6_000_000, 3)
		s.order(engine.AccountID(1+i%3/2), "", engine.Buy, 6_000_000, 1+i%4)
	}
	s.written()
	for _, market := range []string{"", "BTC-USDC"} {
		allOrders, _, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_1", Market: market, Limit: blotter.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		allFills, _, err := s.log.Fills(t.Context(), trading.LogQuery{Customer: "cus_1", Market: market, Limit: blotter.MaxPage})
		if err != nil || len(allOrders) < 40 || len(allFills) < 40 || !slices.IsSortedFunc(allFills, func(a, b trading.Fill) int { return int(b.Seq) - int(a.Seq) }) {
			t.Fatal(len(allOrders), len(allFills), err)
		}
		for size := 1; size < 9; size++ {
			orders := turn(t, func(cursor string) ([]trading.Order, string, error) {
				return s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_1", Market: market, Limit: size, Cursor: cursor})
			})
			fills := turn(t, func(cursor string) ([]trading.Fill, string, error) {
				return s.log.Fills(t.Context(), trading.LogQuery{Customer: "cus_1", Market: market, Limit: size, Cursor: cursor})
			})
			if !slices.Equal(orders, allOrders) || !slices.Equal(fills, allFills) {
				t.Errorf("pages of %d have %d orders of %d, %d fills of %d", size, len(orders), len(allOrders), len(fills), len(allFills))
			}
		}
	}
	for _, cursor := range []string{"x", "-1", "0", "01", "99999999999999999999"} {
		var refusal *trading.Refusal
		if _, _, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_1", Cursor: cursor}); !errors.As(err, &refusal) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func turn[T any](t *testing.T, page func(cursor string) ([]T, string, error)) (all []T) {
	t.Helper()
	for cursor := ""; ; {
		list, next, err := page(cursor)
		if err != nil || len(all) > 1000 {
			t.Fatal(len(all), err)
		}
		if all = append(all, list...); next == "" {
			return all
		}
		cursor = next
	}
}

// TestTermsAreShownFromBeforeTheOrderToItsEnd notes what no event tells, first of an
// order that the history does not have yet.
func TestTermsAreShownFromBeforeTheOrderToItsEnd(t *testing.T) {
	s := open(t)
	s.order(1, "", engine.Sell, 6_000_000, 30)
	s.order(2, "", engine.Buy, 6_000_000, 20)
	stop := s.do(engine.Command{Op: engine.OpNew, Account: 2, Type: engine.Stop, Side: engine.Sell, Trigger: 5_500_000, Qty: 5, STP: engine.STPNone})
	timed, plain := s.order(2, "timed", engine.Buy, 5_000_000, 7), s.order(2, "plain", engine.Buy, 5_000_000, 7)
	id, _ := trading.ParseOrderID(timed)
	until := time.Unix(0, s.now).Add(time.Hour).UTC()
	for range 2 {
		if err := errors.Join(s.log.Note(t.Context(), stop, 5_500_000, time.Time{}), s.log.Note(t.Context(), id, 0, until)); err != nil {
			t.Fatal(err)
		}
	}
	s.written()
	if o, err := s.log.Order(t.Context(), "cus_2", trading.OrderIDText(stop)); err != nil || o.StopPrice != "55000" || !o.ExpiresAt.IsZero() || o.Price != "" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.OrderByClientID(t.Context(), "cus_2", "timed"); err != nil || o.StopPrice != "" || !o.ExpiresAt.Equal(until) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.Order(t.Context(), "cus_2", plain); err != nil || o.StopPrice != "" || !o.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", o, err)
	}
	list, _, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: "cus_2", Limit: 10})
	if err != nil || len(list) != 4 || list[2].StopPrice != "55000" || !list[1].ExpiresAt.Equal(until) {
		t.Errorf("%+v, %v", list, err)
	}
}
