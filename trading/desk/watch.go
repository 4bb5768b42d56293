package desk

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/trading"
)

// Bounds of watchers.
const (
	// watchQueue is how many updates may wait for a reader.
	watchQueue = 256
	// maxWatchers bounds the readers of one customer.
	maxWatchers = 64
)

// hub tells customers what happens to their orders and balances.
type hub struct {
	desk *Desk

	mu      sync.Mutex
	watched map[engine.AccountID]*watched
	closed  bool
	readers sync.WaitGroup
}

// watched is a customer somebody listens for.
type watched struct {
	account  engine.AccountID
	customer string
	channels map[chan trading.Update]func() bool // what keeps it from being closed with its context
	touched  map[engine.AssetID]bool             // balances to be read
	unheard  int                                 // how often orders from before may still be looked for
	wake     chan struct{}
	cancel   context.CancelFunc
}

// private is an update and whose it is.
type private struct {
	account engine.AccountID
	update  trading.Update
}

func newHub(d *Desk) *hub { return &hub{desk: d, watched: map[engine.AccountID]*watched{}} }

// Watch implements trading.Orders. A Reset comes first where a session begins or events
// were missed. More readers of one customer than maxWatchers are trading.ErrUnavailable.
func (d *Desk) Watch(ctx context.Context, customer string) (<-chan trading.Update, error) {
	account, err := d.account(ctx, customer)
	if err != nil {
		return nil, err
	}
	return d.hub.add(ctx, account, customer)
}

func (h *hub) add(ctx context.Context, account engine.AccountID, customer string) (<-chan trading.Update, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watched[account]
	switch {
	case h.closed:
		return nil, fmt.Errorf("watch orders: %w: the desk has closed", trading.ErrUnavailable)
	case w == nil:
		w = h.begin(account, customer) //nolint:contextcheck // it outlives this reader: others may come
	case len(w.channels) >= maxWatchers:
		return nil, fmt.Errorf("watch orders: %w: there are %d readers of %s", trading.ErrUnavailable, maxWatchers, customer)
	}
	ch := make(chan trading.Update, watchQueue)
	w.channels[ch] = context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(w, ch)
	})
	h.desk.metrics.watchers.Inc()
	return ch, nil
}

// begin makes a customer watched. The lock is held.
func (h *hub) begin(account engine.AccountID, customer string) *watched {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watched{
		account: account, customer: customer, channels: map[chan trading.Update]func() bool{},
		touched: map[engine.AssetID]bool{}, wake: make(chan struct{}, 1), cancel: cancel, unheard: adoptTries,
	}
	h.watched[account] = w
	w.wake <- struct{}{}
	h.readers.Go(func() { h.read(ctx, w) })
	return w
}

// remove closes a reader's channel, once. The lock is held.
func (h *hub) remove(w *watched, ch chan trading.Update) {
	stop, ok := w.channels[ch]
	if !ok {
		return
	}
	stop()
	delete(w.channels, ch)
	close(ch)
	h.desk.metrics.watchers.Dec()
	if len(w.channels) == 0 {
		delete(h.watched, w.account)
		w.cancel()
	}
}

// send gives an update to all readers of a customer. Whose queue is full is dropped. The
// lock is held.
func (h *hub) send(w *watched, u trading.Update) {
	for ch := range w.channels {
		select {
		case ch <- u:
		default:
			h.desk.metrics.slow.Inc()
			h.remove(w, ch)
		}
	}
}

func (h *hub) publish(updates []private) {
	if len(updates) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range updates {
		if w := h.watched[updates[i].account]; w != nil {
			h.send(w, updates[i].update)
		}
	}
}

// reset tells all readers that something was lost before seq.
func (h *hub) reset(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.watched {
		h.send(w, trading.Update{Seq: seq, Reset: true})
		w.unheard = adoptTries
		h.touch(w.account)
	}
}

// close ends all readers and waits for what reads balances.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, w := range h.watched {
		for ch := range w.channels {
			h.remove(w, ch)
		}
	}
	h.mu.Unlock()
	h.readers.Wait()
}

// updates makes what is to be told of events and of the orders that they changed, and has
// touched balances read. The memory's lock is held.
func (h *hub) updates(events []engine.Event, touched []*live) []private {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watched) == 0 {
		return nil
	}
	var out []private
	for i := range events {
		out = h.event(&events[i], out)
	}
	fills := len(out)
	seen := map[*live]bool{}
	for _, l := range touched {
		if w := h.watched[l.account]; w != nil && !seen[l] {
			seen[l] = true
			o := l.view(w.customer)
			out = append(out, private{l.account, trading.Update{Seq: o.Seq, Order: &o}})
		}
	}
	slices.SortStableFunc(out[fills:], func(a, b private) int { return cmp.Compare(a.update.Seq, b.update.Seq) })
	return out
}

// event notes which balances an event touches and adds the fills of a trade.
func (h *hub) event(ev *engine.Event, out []private) []private {
	if ev.Kind == engine.EventTransfer {
		h.touch(ev.Account, ev.Asset)
		return out
	}
	m := h.desk.cfg.Catalog.ByID(ev.Market)
	if m == nil {
		return out
	}
	h.touch(ev.Account, m.Config.Base, m.Config.Quote)
	if ev.Kind != engine.EventTrade {
		return out
	}
	h.touch(ev.MakerAccount, m.Config.Base, m.Config.Quote)
	if w := h.watched[ev.Account]; w != nil {
		out = append(out, private{ev.Account, trading.Update{Seq: ev.Seq, Fill: fillOf(m, ev, w.customer, false)}})
	}
	if w := h.watched[ev.MakerAccount]; w != nil {
		out = append(out, private{ev.MakerAccount, trading.Update{Seq: ev.Seq, Fill: fillOf(m, ev, w.customer, true)}})
	}
	return out
}

// fillOf is one side of a trade. A side pays its fee out of what it receives.
func fillOf(m *trading.Market, ev *engine.Event, customer string, maker bool) *trading.Fill {
	order, side, fee := ev.Order, ev.Side, ev.Amount
	if maker {
		order, side, fee = ev.Maker, 1-ev.Side, ev.Balance
	}
	receives := m.Base
	if side == engine.Sell {
		receives = m.Quote
	}
	return &trading.Fill{
		Seq: ev.Seq, Market: m.Name, Customer: customer, OrderID: trading.OrderIDText(order), Side: trading.SideName(side), Maker: maker,
		Price: m.Price(ev.Price), Quantity: m.Quantity(ev.Qty), Turnover: quoteText(m, product(ev.Price, ev.Qty)),
		Fee: receives.Format(settle.UnitsOf(fee)), FeeAsset: receives.Code, Time: at(ev.Time),
	}
}

// touch has balances of a customer read, if it is watched. The lock is held.
func (h *hub) touch(account engine.AccountID, assets ...engine.AssetID) {
	w := h.watched[account]
	if w == nil {
		return
	}
	for _, a := range assets {
		w.touched[a] = true
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// read reads for a customer, while it is watched, what events alone do not tell: orders
// from before them, once, and the balances that they touch, as many as there are at once.
func (h *hub) read(ctx context.Context, w *watched) {
	pause := firstPause
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
		assets, unheard := h.due(w)
		if unheard && h.desk.adopt(ctx, w.account, w.customer) {
			h.heard(w)
		}
		if len(assets) == 0 || h.balances(ctx, w, assets) {
			pause = firstPause
			continue
		}
		rest(ctx, pause)
		pause = min(2*pause, longPause)
	}
}

// balances reads balances and tells them. What cannot be read is to be read again.
func (h *hub) balances(ctx context.Context, w *watched, assets []engine.AssetID) bool {
	list, seq, err := h.desk.balances(ctx, w.account, assets)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.touch(w.account, assets...)
		return false
	}
	h.send(w, trading.Update{Seq: seq, Balances: list})
	return true
}

// due takes what is to be read.
func (h *hub) due(w *watched) (assets []engine.AssetID, unheard bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	assets = slices.Sorted(maps.Keys(w.touched))
	clear(w.touched)
	unheard = w.unheard > 0
	w.unheard = max(w.unheard-1, 0)
	return assets, unheard
}

func (h *hub) heard(w *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.unheard = 0
}
