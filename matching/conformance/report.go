package conformance

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"strongroom/matching/engine"
)

// Machine is an engine.
type Machine interface {
	Apply(c *engine.Command, out []engine.Event) []engine.Event
	Configure(c *engine.Command, cfg *engine.MarketConfig, out []engine.Event) []engine.Event
}

// Types of reports.
const (
	repAccepted = iota
	repTrade
	repCancelled
	repModified
	repCancelRefused
	repModifyRefused
)

// trader is the account that sends all orders, with more than any stream can spend.
const trader = 1

// Shard is a configuration with room for a stream of up to n orders at a time.
func Shard(orders uint32) engine.Config {
	return engine.Config{Orders: orders, Accounts: trader + 1, Assets: 2, Markets: 1, Transfers: 4, Keys: 1}
}

// Reporter gives messages to an engine and writes the reports: lines of numbers with
// commas, joined by newlines.
type Reporter struct {
	engine  Machine
	out     io.Writer
	line    []byte
	events  []engine.Event
	seq     int64
	waiting map[int64]waiting // by client id
	names   []int64           // client ids by place
	lines   int
	err     error
}

type waiting struct {
	order engine.OrderID
	side  engine.Side
	price int64
}

// NewReporter opens a market without fees, bounds or bands on e, which is new and
// has a Shard's configuration.
func NewReporter(e Machine, out io.Writer) *Reporter {
	r := &Reporter{engine: e, out: out, waiting: map[int64]waiting{}}
	r.apply(&engine.Command{Op: engine.OpAccount, Account: trader})
	for asset := range engine.AssetID(2) {
		r.apply(&engine.Command{
			Op: engine.OpCredit, Account: trader, Asset: asset, Key: engine.Key{Lo: uint64(asset) + 1},
			Amount: engine.Amount{Hi: 1 << 60},
		})
	}
	r.events = e.Configure(&engine.Command{Op: engine.OpMarket}, &engine.MarketConfig{
		Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: engine.MaxLots, MaxOrders: engine.MaxRows,
	}, r.events[:0])
	r.apply(&engine.Command{Op: engine.OpState, State: engine.Open})
	return r
}

func (r *Reporter) apply(c *engine.Command) {
	r.events = r.engine.Apply(c, r.events[:0])
}

// Do gives one message to the engine and writes what came of it.
func (r *Reporter) Do(m Message) error {
	switch m.Kind {
	case New:
		r.report(repAccepted, r.seq, int64(m.Side), m.ID, m.Price, m.Qty)
		r.send(m)
	case Cancel:
		if w, ok := r.withdraw(m.ID); ok {
			r.report(repCancelled, r.seq, int64(w.side), m.ID, w.price)
		} else {
			r.report(repCancelRefused, r.seq, m.ID)
		}
	case Modify:
		w, ok := r.withdraw(m.ID)
		if !ok {
			r.report(repModifyRefused, r.seq, m.ID)
			break
		}
		m.Side = w.side
		r.send(m)
		r.report(repModified, r.seq, int64(m.Side), m.ID, m.Price, m.Qty)
	}
	r.seq++
	return r.err
}

// withdraw cancels an order that waits.
func (r *Reporter) withdraw(id int64) (waiting, bool) {
	w, ok := r.waiting[id]
	if !ok {
		return w, false
	}
	r.apply(&engine.Command{Op: engine.OpCancel, Account: trader, Order: w.order})
	if len(r.events) != 1 || r.events[0].Kind != engine.EventCancelled {
		r.fail("cancel")
	}
	delete(r.waiting, id)
	return w, true
}

// send sends a limit order.
func (r *Reporter) send(m Message) {
	c := engine.Command{Op: engine.OpNew, Account: trader, Side: m.Side, Price: m.Price, Qty: m.Qty}
	if m.IOC {
		c.TIF = engine.IOC
	}
	r.apply(&c)
	for i := range r.events {
		switch v := &r.events[i]; v.Kind {
		case engine.EventAccepted:
			r.name(v.Order, m.ID)
		case engine.EventTrade:
			maker := r.names[place(v.Maker)]
			r.report(repTrade, r.seq, v.Price, v.Qty, maker, m.ID)
			if v.Left == 0 {
				delete(r.waiting, maker)
			}
		case engine.EventRested:
			r.waiting[m.ID] = waiting{order: v.Order, side: m.Side, price: m.Price}
		case engine.EventCancelled:
			r.report(repCancelled, r.seq, int64(m.Side), m.ID, m.Price)
		case engine.EventNone, engine.EventRejected, engine.EventReduced, engine.EventReplaced, engine.EventTriggered,
			engine.EventTransfer, engine.EventState, engine.EventAuction, engine.EventAccount, engine.EventCheckpoint:
			r.fail("new")
		}
	}
}

// name notes the client's name of an engine's order, by its place.
func (r *Reporter) name(order engine.OrderID, id int64) {
	at := place(order)
	for len(r.names) <= at {
		r.names = append(r.names, 0)
	}
	r.names[at] = id
}

// place is the row of an order: the low half of its id.
func place(id engine.OrderID) int { return int(id & math.MaxUint32) }

func (r *Reporter) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s at message %d: event kinds do not belong: %+v", what, r.seq, r.events)
	}
}

func (r *Reporter) report(numbers ...int64) {
	r.line = r.line[:0]
	if r.lines > 0 {
		r.line = append(r.line, '\n')
	}
	r.lines++
	for i, n := range numbers {
		if i > 0 {
			r.line = append(r.line, ',')
		}
		r.line = strconv.AppendInt(r.line, n, 10)
	}
	if _, err := r.out.Write(r.line); err != nil && r.err == nil {
		r.err = fmt.Errorf("write report: %w", err)
	}
}
