package engine

import (
	"bufio"
	"cmp"
	"io"
	"math"
	"slices"
)

// Restore makes a shard from a snapshot, which must be of the same configuration.
// Nothing that it reads is trusted: places, ids and sums are checked. Errors:
// ErrConfig, ErrSnapshot.
func Restore(r io.Reader, cfg Config) (*Engine, error) {
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	d := &decoder{r: bufio.NewReaderSize(r, 1<<16)}
	if d.get() != snapshotMagic || d.get() != snapshotVersion {
		d.fail("version")
	}
	for _, n := range [...]uint64{
		uint64(cfg.Orders), uint64(cfg.Pages), uint64(cfg.Accounts), uint64(cfg.Assets), uint64(cfg.Markets),
		uint64(cfg.Keys), u(cfg.Retention), uint64(cfg.Transfers),
	} {
		if d.get() != n {
			d.fail("configuration")
		}
	}
	e.now, e.seq, e.ages = d.count("time"), d.get(), d.get()
	e.loadAccounts(d)
	for i := range e.markets {
		if d.flag("market") && d.err == nil {
			e.loadMarket(d, &e.markets[i])
		}
	}
	e.loadFree(d)
	e.loadIDs(d)
	if sum := d.sum.Sum(); d.get() != sum {
		d.fail("checksum")
	}
	if d.err == nil {
		e.rebuild(d)
	}
	if d.err != nil {
		return nil, d.err
	}
	return e, nil
}

func (e *Engine) loadAccounts(d *decoder) {
	for i := range e.accounts {
		n := d.upTo(Tiers<<2-1, "account")
		a := &e.accounts[i]
		a.made, a.killed, a.tier, a.group = n&1 != 0 || i == 0, n&2 != 0, uint8(n>>2), d.u32("group")
		if d.err != nil {
			return
		}
	}
	for i := range e.balances {
		b := &e.balances[i]
		b.available, b.reserved = d.amount(), d.amount()
		both, ok := b.available.Add(b.reserved)
		supply := &e.supply[i%int(e.cfg.Assets)]
		sum, fits := supply.Add(both)
		if *supply = sum; !ok || !fits {
			d.fail("balances")
		}
		if d.err != nil {
			return
		}
	}
	e.loadGuards(d)
}

func (e *Engine) loadGuards(d *decoder) {
	for n := d.upTo(uint64(e.cfg.Accounts)*uint64(e.cfg.Markets), "guards"); n > 0 && d.err == nil; n-- {
		g := guard{guardID: guardID{d.u32("guard"), MarketID(d.upTo(uint64(e.cfg.Markets)-1, "guard"))}}
		g.tripped, g.maxTrades, g.trades = d.flag("guard"), d.u32("guard"), d.u32("guard")
		g.window, g.start, g.maxLots, g.lots = d.count("guard"), d.count("guard"), d.count("guard"), d.count("guard")
		if g.account >= e.cfg.Accounts || len(e.guards) > 0 && !e.guards[len(e.guards)-1].less(g.guardID) {
			d.fail("guard")
		}
		e.guards = append(e.guards, g)
	}
}

func loadConfig(d *decoder) (c MarketConfig) {
	c.Base, c.Quote = AssetID(d.upTo(math.MaxUint16, "asset")), AssetID(d.upTo(math.MaxUint16, "asset"))
	c.LotUnits, c.TickUnits = d.get(), d.get()
	c.MinQty, c.MaxQty = d.count("quantity"), d.count("quantity")
	c.MinNotional, c.MaxNotional = d.amount(), d.amount()
	c.StaticLow, c.StaticHigh = d.count("band"), d.count("band")
	c.DynamicPPM, c.BreakerPPM = d.u32("band"), d.u32("breaker")
	c.BreakerWindow, c.HaltFor, c.MaxSlippage = d.count("window"), d.count("halt"), d.count("slippage")
	c.Reference, c.DayEnd = d.count("reference"), d.count("day")
	c.MaxOrders, c.MaxPegs, c.MaxTrailing = d.u32("orders"), d.u32("pegs"), d.u32("trailing")
	for i := range c.Tiers {
		c.Tiers[i] = Fees{Maker: d.u32("fee"), Taker: d.u32("fee")}
	}
	return c
}

func (e *Engine) loadMarket(d *decoder, m *market) {
	m.cfg = loadConfig(d)
	m.begin()
	m.traded = d.flag("traded")
	m.state, m.next = State(d.upTo(uint64(Halted), "state")), State(d.upTo(uint64(Halted), "state"))
	m.until, m.last = d.count("until"), d.count("last")
	ref := d.count("reference")
	m.start, m.first = d.count("window"), d.count("window")
	if d.err != nil || !m.cfg.valid(&e.cfg) {
		d.fail("market")
		return
	}
	last := m.last
	m.last = ref
	m.refer()
	m.last = last
	m.pegBid = -1
	for d.err == nil {
		p := d.upTo(uint64(e.cfg.Orders), "place")
		if p == 0 {
			return
		}
		e.loadOrder(d, m, uint32(p))
	}
}

func (e *Engine) loadOrder(d *decoder, m *market, p uint32) {
	o := &e.rows[p]
	if o.bits != 0 {
		d.fail("place taken")
		return
	}
	o.gen, o.age = d.u32("use"), d.upTo(e.ages, "age")
	o.price, o.qty = d.count("price"), int64(d.upTo(MaxLots, "quantity"))
	o.account, o.market = uint32(d.upTo(uint64(e.cfg.Accounts)-1, "account")), uint16(m.id)
	bits := uint16(d.upTo(math.MaxUint16, "bits"))
	extra := d.flag("extra")
	o.bits = bits
	if d.err != nil || !o.sound() || !e.accounts[o.account].made || o.account == 0 || o.kind() != Limit && !extra {
		d.fail("order")
		return
	}
	e.live++
	m.waiting++
	if o.kind() != Limit {
		e.movers++
	}
	if extra {
		e.loadExtra(d, m, p, o)
	}
	if d.err == nil {
		e.stand(m, p, o)
	}
}

// stand puts an order that was read where it waits.
func (e *Engine) stand(m *market, p uint32, o *order) {
	switch {
	case o.bits&bitBook != 0:
		e.push(&m.book[o.side()], p, o, o.price, e.shown(o))
	case o.bits&bitStop != 0:
		e.push(&m.stops[o.side()], p, o, o.price, 0)
	}
	switch o.kind() { //nolint:exhaustive // only these are listed
	case Peg:
		m.pegs = e.within(m.pegs, p)
	case Trailing:
		m.trails = e.within(m.trails, p)
	default:
	}
}

// sound says whether a row that was read can be one.
func (o *order) sound() bool {
	where := o.bits & (bitBook | bitStop)
	if o.bits&bitLive == 0 || o.qty <= 0 || o.age == 0 || o.stp() > STPDecrement || (o.price > 0) != (where != 0) {
		return false
	}
	switch o.kind() {
	case Limit:
		return where == bitBook
	case Peg:
		return where&bitStop == 0
	case Stop, StopLimit, Trailing:
		return where == bitStop
	case Market, MarketQuote, OCO:
	}
	return false
}

func (e *Engine) loadExtra(d *decoder, m *market, p uint32, o *order) {
	x := e.lend(p)
	x.shown, x.display, x.limit = d.count("shown"), d.count("display"), d.count("limit")
	x.offset, x.hold, x.expires = d.count("offset"), d.count("hold"), d.count("end")
	x.takeProfit, x.stopLoss, x.stopLossLimit = d.count("bracket"), d.count("bracket"), d.count("bracket")
	x.received = d.amount()
	x.sibling, x.session = uint32(d.upTo(uint64(e.cfg.Orders), "sibling")), d.u32("session")
	x.bare = d.flag("bare")
	if x.takeProfit != 0 {
		e.kept++
		m.waiting++
	}
	if x.display != 0 && (x.shown <= 0 || x.shown > min(x.display, o.qty)) || (x.session != 0) != (o.bits&bitSession != 0) {
		d.fail("extra")
	}
}

func (e *Engine) loadFree(d *decoder) {
	e.fresh = uint32(d.upTo(uint64(e.cfg.Orders), "places"))
	n := d.upTo(uint64(e.cfg.Orders), "free places")
	if uint64(e.live)+n != uint64(e.fresh) || e.live+e.kept > e.cfg.Orders {
		d.fail("places")
	}
	var tail uint32
	for ; n > 0 && d.err == nil; n-- {
		p := uint32(d.upTo(uint64(e.fresh), "free place"))
		o := &e.rows[p]
		gen := d.u32("use")
		if p == 0 || o.bits != 0 || o.gen != 0 || gen == 0 {
			d.fail("free place")
			return
		}
		o.gen = gen
		if tail == 0 {
			e.free = p
		} else {
			e.rows[tail].next = p
		}
		tail = p
	}
}

// rebuild makes what follows from the rows: lists by age, ends, and checks that what
// is reserved is what orders need.
func (e *Engine) rebuild(d *decoder) {
	places := e.byAge()
	if uint64(len(places)) != uint64(e.live) {
		d.fail("places")
		return
	}
	need := make([]Amount, len(e.balances))
	for i, p := range places {
		o := &e.rows[p]
		if i > 0 && e.rows[places[i-1]].age == o.age || !e.pairs(p, o) {
			d.fail("order")
			return
		}
		e.relist(p, o, need)
	}
	for i := range need {
		if need[i] != e.balances[i].reserved {
			d.fail("reserves")
			return
		}
	}
	e.sumAll()
	e.clock()
	e.forget()
}

// byAge are the places of all orders, the oldest first.
func (e *Engine) byAge() (places []uint32) {
	for p := uint32(1); p <= e.fresh; p++ {
		if e.rows[p].bits&bitLive != 0 {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b uint32) int { return cmp.Compare(e.rows[a].age, e.rows[b].age) })
	return places
}

// relist puts an order into the lists that it belongs to, and adds what it reserves.
func (e *Engine) relist(p uint32, o *order, need []Amount) {
	m := &e.markets[o.market]
	e.enlist(p, o)
	asset := m.cfg.Base
	if o.side() == Buy {
		asset = m.cfg.Quote
	}
	amount, _ := e.pledge(m, o, o.qty)
	need[uint64(o.account)*uint64(e.cfg.Assets)+uint64(asset)].add(amount)
	if o.extra == 0 {
		return
	}
	x := &e.extras[o.extra]
	if x.expires != 0 {
		e.pushEnd(p)
	}
	if x.session != 0 {
		e.join(p, x, x.session)
	}
}

// pairs says whether an order's sibling, if it has one, is one.
func (e *Engine) pairs(p uint32, o *order) bool {
	if o.extra == 0 || e.extras[o.extra].sibling == 0 {
		return true
	}
	s := &e.rows[e.extras[o.extra].sibling]
	return s.bits&bitLive != 0 && s.extra != 0 && e.extras[s.extra].sibling == p && s.account == o.account &&
		s.market == o.market && s.side() == o.side() && e.extras[s.extra].bare != e.extras[o.extra].bare
}
