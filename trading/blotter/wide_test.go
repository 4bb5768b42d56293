package blotter_test

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/trading"
)

// wide is a trade between two orders, the numbers of all of which are large: beyond int4,
// beyond 32 bits, beyond what a signed number of 64 bits holds.
func (s *shop) wide(seq uint64, taker, maker engine.OrderID) {
	s.t.Helper()
	list := []engine.Event{
		{Kind: engine.EventAccepted, Market: 1, Account: 1, Order: maker, Side: engine.Sell, Price: 6_000_000, Qty: 30},
		{Kind: engine.EventRested, Market: 1, Account: 1, Order: maker, Side: engine.Sell, Price: 6_000_000, Qty: 30, Shown: 30},
		{Kind: engine.EventAccepted, Market: 1, Account: 2, Order: taker, Side: engine.Buy, Price: 6_000_000, Qty: 20, Key: trading.ClientKey("cus_2", strconv.FormatUint(seq, 10))},
		{
			Kind: engine.EventTrade, Market: 1, Account: 2, MakerAccount: 1, Order: taker, Maker: maker, Price: 6_000_000, Qty: 20, Left: 10,
			Amount: engine.Amount{Lo: 4}, Balance: engine.Amount{Lo: 120_000},
		},
	}
	for i := range list {
		list[i].Seq, list[i].Time = seq+uint64(i), s.now
	}
	_, err := s.pool.Exec(s.t.Context(), `INSERT INTO blotter.cursor (shard, epoch, next_seq, hash, half_order, half_account) VALUES ($1, 1, $2, $3, 0, 0)
		ON CONFLICT (shard) DO UPDATE SET next_seq = EXCLUDED.next_seq, hash = EXCLUDED.hash`, shard, int64(seq), make([]byte, 32))
	if err != nil {
		s.t.Fatal(err)
	}
	b := batches{{Epoch: 1, Before: chain.Hash{}, Head: seq + 3, Events: list}}
	if err := writer(s.t, s.pool, b, 1000, time.Unix(0, s.now)).Follow(s.t.Context()); !errors.Is(err, errCut) {
		s.t.Fatal(err)
	}
	s.settled(list)
}

// settled writes trades as settlement does.
func (s *shop) settled(events []engine.Event) {
	s.t.Helper()
	for i := range events {
		v := &events[i]
		if v.Kind != engine.EventTrade {
			continue
		}
		_, err := s.pool.Exec(s.t.Context(), `INSERT INTO trading.trade (shard, seq, market, price, qty, taker_side, taker_order, taker_account, taker_fee, maker_order, maker_account, maker_fee, time)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, shard, v.Seq, int32(v.Market), v.Price, v.Qty, int16(v.Side),
			int64(v.Order), v.Account, settle.UnitsOf(v.Amount), int64(v.Maker), v.MakerAccount, settle.UnitsOf(v.Balance), v.Time)
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestLargeNumbersAreWholeEverywhere writes and reads orders and fills with ids and
// numbers of events beyond 31, 32 and 63 bits, page by page and one by one.
func TestLargeNumbersAreWholeEverywhere(t *testing.T) {
	for _, c := range []struct {
		seq          uint64
		taker, maker engine.OrderID
	}{
		{math.MaxInt32 - 1, math.MaxInt32 + 1, math.MaxInt32},
		{math.MaxInt32 + 5, 1 << 31, 1<<31 + 1},
		{math.MaxUint32 - 1, math.MaxUint32 + 1, math.MaxUint32},
		{1 << 33, 1<<33 + 7, 1<<33 + 6},
		{1 << 52, math.MaxInt64, math.MaxInt64 - 1},
		{1<<61 + 3, 1 << 63, math.MaxUint64},
	} {
		s := open(t)
		s.wide(c.seq, c.taker, c.maker)
		for customer, id := range map[string]engine.OrderID{"cus_1": c.maker, "cus_2": c.taker} {
			text := trading.OrderIDText(id)
			o, err := s.log.Order(t.Context(), customer, text)
			if err != nil || o.ID != text || o.Filled != "0.002" {
				t.Errorf("%d: %+v, %v", c.seq, o, err)
			}
			list, _, err := s.log.Orders(t.Context(), trading.LogQuery{Customer: customer, Limit: 10})
			if err != nil || len(list) != 1 || list[0] != o {
				t.Errorf("%d: %+v, %v", c.seq, list, err)
			}
			for _, q := range []trading.LogQuery{{OrderID: text}, {}, {Market: "BTC-USDC"}} {
				q.Customer, q.Limit = customer, 10
				fills, _, err := s.log.Fills(t.Context(), q)
				if err != nil || len(fills) != 1 || fills[0].OrderID != text || fills[0].Seq != c.seq+3 || fills[0].Maker != (customer == "cus_1") {
					t.Errorf("%d: fills of %+v are %+v, %v", c.seq, q, fills, err)
				}
			}
		}
		if o, err := s.log.OrderByClientID(t.Context(), "cus_2", strconv.FormatUint(c.seq, 10)); err != nil || o.ID != trading.OrderIDText(c.taker) {
			t.Errorf("%d: %+v, %v", c.seq, o, err)
		}
		before := strconv.FormatUint(2*(c.seq+3), 10) // the place of the taker's half
		for cursor, want := range map[string]int{before: 0, strconv.FormatUint(2*(c.seq+3)+1, 10): 1} {
			fills, _, err := s.log.Fills(t.Context(), trading.LogQuery{Customer: "cus_2", Limit: 10, Cursor: cursor})
			if err != nil || len(fills) != want {
				t.Errorf("%d: before %s are %+v, %v", c.seq, cursor, fills, err)
			}
		}
	}
}
