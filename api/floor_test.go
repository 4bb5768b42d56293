package api_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/internal/id"
	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

const marketName = "BTC-USDC"

// floor stands in for all that trades: it keeps orders and transfers in memory and
// refuses as the real ones do.
type floor struct {
	mu        sync.Mutex
	market    *trading.Market
	feed      *feed.Market
	orders    []trading.Order
	transfers map[string]trading.Transfer // by customer and key
	prefers   bool
	down      error
	seq       uint64
	readers   []chan trading.Update
	endings   chan trading.TransferNews
	queue     int    // of a reader
	during    func() // called while balances are read
}

func newFloor(t *testing.T) *floor {
	t.Helper()
	catalog, err := trading.NewCatalog(t.Context(), []trading.Terms{{
		Name: marketName, ID: 1, Base: "BTC", Quote: "USDC", Tick: "0.01", Lot: "0.0001", MinQuantity: "0.0001", MaxQuantity: "100",
		MinNotional: "1", MaxSlippage: "500", MaxOrders: 100, Tiers: []trading.FeeTier{{MakerPPM: 100, TakerPPM: 1000}},
	}}, func(code string) (money.Asset, error) {
		return money.Asset{Code: code, Scale: map[string]uint8{"BTC": 8, "USDC": 6}[code]}, nil
	}, numbers{})
	must(t, err)
	f := &floor{market: catalog.Market(marketName), feed: feed.NewMarket(nil, nil), transfers: map[string]trading.Transfer{}, queue: 16, seq: 7}
	f.feed.Begin(&feed.Standing{Seq: 7, Time: 1_700_000_000_000_000_000, State: engine.Open, Orders: []feed.Order{
		{ID: 1, Side: engine.Buy, Price: 5_999_000, Shown: 20_000},
		{ID: 2, Side: engine.Buy, Price: 5_998_000, Shown: 10_000},
		{ID: 3, Side: engine.Sell, Price: 6_001_000, Shown: 5_000},
	}})
	return f
}

type numbers struct{}

func (numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	return engine.AssetID(len(code)), nil // BTC is 3, USDC is 4
}

func (f *floor) Market(name string) *trading.Market {
	if name != f.market.Name {
		return nil
	}
	return f.market
}

func (f *floor) All() []*trading.Market { return []*trading.Market{f.market} }

func (f *floor) Feed(market string) *feed.Market {
	if market != f.market.Name {
		return nil
	}
	return f.feed
}

func (f *floor) Candles(_ context.Context, _ string, _ feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error) {
	if !from.Before(to) || limit < 1 {
		return nil, fmt.Errorf("candles from %s to %s, %d", from, to, limit)
	}
	return []feed.Candle{{Start: 60e9, Open: 5_999_000, High: 6_000_000, Low: 5_998_000, Close: 6_000_000, Volume: 100, Turnover: engine.Amount{Lo: 600_000_000}, Trades: 3}}, f.down
}

func (f *floor) Behind() (time.Duration, bool) { return time.Second, true }

// trade makes a trade of one lot at a price, as the shard's next event.
func (f *floor) trade(price int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq++
	f.feed.Take([]engine.Event{{
		Seq: f.seq, Time: 1_700_000_000_000_000_000 + int64(f.seq), Kind: engine.EventTrade, Market: 1, Order: 90, Maker: 3, Price: price, Qty: 1,
		Side: engine.Buy, Left: 4_999, Shown: 4_999,
	}}, nil)
}

func (f *floor) Place(_ context.Context, customer string, o trading.NewOrder) (trading.Order, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return trading.Order{}, false, f.down
	}
	if f.Market(o.Market) == nil {
		return trading.Order{}, false, &trading.Refusal{Code: "unknown_market", Field: "market", Text: "there is no such market", Fix: "use BTC-USDC"}
	}
	for _, known := range f.orders {
		if known.ClientID == o.ClientID && known.Customer == customer {
			return known, true, nil
		}
	}
	if _, err := f.market.Ticks(o.Price); err != nil {
		return trading.Order{}, false, &trading.Refusal{Code: "off_tick", Field: "price", Text: err.Error(), Fix: "send a multiple of 0.01"}
	}
	f.seq++
	made := trading.Order{
		ID: strconv.Itoa(100 + len(f.orders)), ClientID: o.ClientID, Customer: customer, Market: o.Market, Side: o.Side, Type: o.Type,
		State: trading.OrderOpen, Price: o.Price, Quantity: o.Quantity, Remaining: o.Quantity, Filled: "0", CreatedAt: time.Unix(1_700_000_000, 0), Seq: f.seq,
	}
	f.orders = append(f.orders, made)
	f.tell(trading.Update{Seq: f.seq, Order: &made})
	return made, false, nil
}

// tell gives an update to all readers; whose queue is full is dropped. The lock is held.
func (f *floor) tell(u trading.Update) {
	kept := f.readers[:0]
	for _, ch := range f.readers {
		select {
		case ch <- u:
			kept = append(kept, ch)
		default:
			close(ch)
		}
	}
	f.readers = kept
}

func (f *floor) at(customer, ref string) int {
	for i, o := range f.orders {
		if o.Customer == customer && (o.ID == ref || "client:"+o.ClientID == ref) {
			return i
		}
	}
	return -1
}

func (f *floor) Amend(_ context.Context, customer, ref string, a trading.Amendment) (trading.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.at(customer, ref)
	if i < 0 || f.down != nil {
		return trading.Order{}, unlessDown(f.down)
	}
	f.orders[i].Price, f.orders[i].Remaining = a.Price, a.Quantity
	return f.orders[i], nil
}

func unlessDown(down error) error {
	if down != nil {
		return down
	}
	return &trading.Refusal{Code: "unknown_order", Field: "id", Text: "no such order waits"}
}

func (f *floor) Cancel(_ context.Context, customer, ref string) (trading.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.at(customer, ref)
	if i < 0 || f.down != nil || f.orders[i].State != trading.OrderOpen {
		return trading.Order{}, unlessDown(f.down)
	}
	f.orders[i].State, f.orders[i].Reason = trading.OrderCancelled, "by_client"
	return f.orders[i], nil
}

func (f *floor) CancelAll(_ context.Context, customer, _, side string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for i := range f.orders {
		if o := &f.orders[i]; o.Customer == customer && o.State == trading.OrderOpen && (side == "" || o.Side == side) {
			o.State = trading.OrderCancelled
			n++
		}
	}
	return n, f.down
}

func (f *floor) Open(_ context.Context, customer, _ string) ([]trading.Order, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []trading.Order
	for _, o := range f.orders {
		if o.Customer == customer && o.State == trading.OrderOpen {
			list = append(list, o)
		}
	}
	return list, f.seq, f.down
}

func (f *floor) Balances(context.Context, string) ([]trading.Balance, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.during != nil {
		f.during()
	}
	return []trading.Balance{{Asset: "BTC", Available: money.FromUint64(150_000_000), Reserved: money.FromUint64(10_000)}}, f.seq, f.down
}

// say is tell for tests.
func (f *floor) say(u trading.Update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(u)
}

// hangUp drops all readers as too slow.
func (f *floor) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ch := range f.readers {
		close(ch)
	}
	f.readers = nil
}

func (f *floor) Watch(ctx context.Context, _ string) (<-chan trading.Update, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	ch := make(chan trading.Update, f.queue)
	f.readers = append(f.readers, ch)
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if i := slices.Index(f.readers, ch); i >= 0 {
			close(ch)
			f.readers = slices.Delete(f.readers, i, i+1)
		}
	})
	return ch, nil
}

// history is the floor as a Log: all that it ever took.
type history struct{ *floor }

func (h history) Order(_ context.Context, customer, ref string) (trading.Order, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := h.at(customer, ref); i >= 0 {
		return h.orders[i], nil
	}
	return trading.Order{}, fmt.Errorf("order %s: %w", ref, trading.ErrNotFound)
}

func (h history) OrderByClientID(ctx context.Context, customer, clientID string) (trading.Order, error) {
	return h.Order(ctx, customer, "client:"+clientID)
}

func (h history) Orders(_ context.Context, q trading.LogQuery) ([]trading.Order, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []trading.Order
	for _, v := range slices.Backward(h.orders) {
		if o := v; o.Customer == q.Customer && (q.Cursor == "" || o.ID < q.Cursor) {
			if len(list) == q.Limit {
				return list, list[len(list)-1].ID, nil
			}
			list = append(list, o)
		}
	}
	return list, "", nil
}

func (h history) Fills(_ context.Context, q trading.LogQuery) ([]trading.Fill, string, error) {
	return []trading.Fill{{
		Seq: 5, Market: marketName, Customer: q.Customer, OrderID: "100", Side: "buy", Price: "60000", Quantity: "0.5", Turnover: "30000",
		Fee: "0.0005", FeeAsset: "BTC", Time: time.Unix(1_700_000_000, 0),
	}}, "", nil
}

// purse is the floor as Transfers.
type purse struct{ *floor }

func (p purse) CreateTransfer(_ context.Context, n trading.NewTransfer) (trading.Transfer, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := n.Customer + "\n" + n.Key
	if t, ok := p.transfers[key]; ok {
		if t.Amount != n.Amount || t.Asset != n.Asset || t.Direction != n.Direction {
			return t, false, fmt.Errorf("create transfer: %w", trading.ErrIdempotency)
		}
		return t, true, nil
	}
	if money.FromUint64(500_000_000).Less(n.Amount) {
		return trading.Transfer{}, false, fmt.Errorf("account x: %w", ledger.ErrInsufficient)
	}
	t := trading.Transfer{
		ID: id.New("fnd"), Customer: n.Customer, Asset: n.Asset, Amount: n.Amount, Direction: n.Direction, State: trading.TransferPending,
		CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
	}
	p.transfers[key] = t
	return t, false, nil
}

func (p purse) Transfer(_ context.Context, customer, ref string) (trading.Transfer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.transfers {
		if t.ID == ref && t.Customer == customer {
			return t, nil
		}
	}
	return trading.Transfer{}, trading.ErrNotFound
}

func (p purse) Transfers(_ context.Context, customer, _ string, limit int) ([]trading.Transfer, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []trading.Transfer
	for _, t := range p.transfers {
		if t.Customer == customer && len(list) < limit {
			list = append(list, t)
		}
	}
	return list, "", nil
}

func (p purse) Await(ctx context.Context, customer, ref string) (trading.Transfer, error) {
	return p.Transfer(ctx, customer, ref)
}

func (p purse) Preference(context.Context, string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prefers, nil
}

func (p purse) SetPreference(_ context.Context, _ string, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefers = on
	return nil
}

// Watch implements trading.Endings.
func (p purse) Watch(ctx context.Context, _ string) (<-chan trading.TransferNews, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return nil, p.down
	}
	ch := make(chan trading.TransferNews, p.queue)
	p.endings = ch
	return ch, nil
}

// end ends a transfer and tells of it, or only that something was lost.
func (f *floor) end(id string, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, t := range f.transfers {
		if t.ID != id {
			continue
		}
		t.State = trading.TransferDone
		f.transfers[key] = t
		if lost {
			f.endings <- trading.TransferNews{Lost: true}
		} else {
			f.endings <- trading.TransferNews{Transfer: &t}
		}
	}
}
