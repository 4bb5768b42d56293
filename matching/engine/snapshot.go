package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrSnapshot is returned for a snapshot that is damaged, of another version or of a
// shard with other bounds.
var ErrSnapshot = errors.New("bad snapshot")

// What a snapshot begins with. The version changes with anything that Snapshot writes.
const (
	snapshotMagic   = 0x5352_454E_4749_4E45
	snapshotVersion = 2
)

// encoder writes numbers as varints and hashes them.
type encoder struct {
	w   *bufio.Writer
	sum Digester
	buf [binary.MaxVarintLen64]byte
	err error
}

func (s *encoder) put(numbers ...uint64) {
	s.sum.words(numbers...)
	for _, n := range numbers {
		if _, err := s.w.Write(binary.AppendUvarint(s.buf[:0], n)); err != nil && s.err == nil {
			s.err = err
		}
	}
}

func (s *encoder) amount(a Amount) { s.put(a.Hi, a.Lo) }

func u(n int64) uint64 { return uint64(n) }

// Snapshot writes the whole state to w: engines of equal state write equal bytes.
func (e *Engine) Snapshot(w io.Writer) error {
	s := &encoder{w: bufio.NewWriterSize(w, 1<<16)}
	s.put(snapshotMagic, snapshotVersion)
	c := &e.cfg
	s.put(uint64(c.Orders), uint64(c.Pages), uint64(c.Accounts), uint64(c.Assets), uint64(c.Markets), uint64(c.Keys), u(c.Retention), uint64(c.Transfers))
	s.put(u(e.now), e.seq, e.ages)
	e.saveAccounts(s)
	for i := range e.markets {
		m := &e.markets[i]
		s.put(word(m.made))
		if m.made {
			e.saveMarket(s, m)
		}
	}
	s.put(uint64(e.fresh), uint64(e.fresh-e.live))
	for p := e.free; p != 0; p = e.rows[p].next {
		s.put(uint64(p), uint64(e.rows[p].gen))
	}
	e.saveIDs(s)
	sum := s.sum.Sum()
	s.put(sum)
	if err := s.w.Flush(); err != nil && s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return fmt.Errorf("write snapshot: %w", s.err)
	}
	return nil
}

func (e *Engine) saveAccounts(s *encoder) {
	for i := range e.accounts {
		a := &e.accounts[i]
		s.put(word(a.made)|word(a.killed)<<1|uint64(a.tier)<<2, uint64(a.group))
	}
	for i := range e.balances {
		s.amount(e.balances[i].available)
		s.amount(e.balances[i].reserved)
	}
	s.put(uint64(len(e.guards)))
	for i := range e.guards {
		g := &e.guards[i]
		s.put(uint64(g.account), uint64(g.market), word(g.tripped), uint64(g.maxTrades), uint64(g.trades),
			u(g.window), u(g.start), u(g.maxLots), u(g.lots))
	}
}

func (e *Engine) saveMarket(s *encoder, m *market) {
	saveConfig(s, &m.cfg)
	s.put(word(m.traded), uint64(m.state), uint64(m.next), u(m.until), u(m.last), u(m.ref), u(m.start), u(m.first))
	for _, l := range m.ladders() {
		for rank, ok := l.best, l.n != 0; ok; rank, ok = l.below(rank) {
			for p := l.at(rank).head; p != 0; p = e.rows[p].next {
				e.saveOrder(s, p)
			}
		}
	}
	for _, p := range m.pegs {
		if e.rows[p].bits&bitBook == 0 {
			e.saveOrder(s, p)
		}
	}
	s.put(0)
}

func saveConfig(s *encoder, c *MarketConfig) {
	s.put(uint64(c.Base), uint64(c.Quote), c.LotUnits, c.TickUnits, u(c.MinQty), u(c.MaxQty),
		c.MinNotional.Hi, c.MinNotional.Lo, c.MaxNotional.Hi, c.MaxNotional.Lo, u(c.StaticLow), u(c.StaticHigh),
		uint64(c.DynamicPPM), uint64(c.BreakerPPM), u(c.BreakerWindow), u(c.HaltFor), u(c.MaxSlippage), u(c.Reference),
		u(c.DayEnd), uint64(c.MaxOrders), uint64(c.MaxPegs), uint64(c.MaxTrailing))
	for _, f := range c.Tiers {
		s.put(uint64(f.Maker), uint64(f.Taker))
	}
}

// saveOrder writes an order; its place is not zero, so that zero ends a market.
func (e *Engine) saveOrder(s *encoder, p uint32) {
	o := &e.rows[p]
	s.put(uint64(p), uint64(o.gen), o.age, u(o.price), u(o.qty), uint64(o.account), uint64(o.bits), word(o.extra != 0))
	if o.extra == 0 {
		return
	}
	x := &e.extras[o.extra]
	shown := x.shown
	if x.display == 0 {
		shown = 0
	}
	s.put(u(shown), u(x.display), u(x.limit), u(x.offset), u(x.hold), u(x.expires), u(x.takeProfit), u(x.stopLoss),
		u(x.stopLossLimit), x.received.Hi, x.received.Lo, uint64(x.sibling), uint64(x.session), word(x.bare))
}

func (e *Engine) saveIDs(s *encoder) {
	s.put(uint64(e.keys.used))
	for i := e.keys.first; i != 0; i = e.keys.list[i].next {
		k := &e.keys.list[i]
		s.put(k.key.Hi, k.key.Lo, uint64(k.order), u(k.time), uint64(k.account))
	}
	s.put(uint64(len(e.transfers.list)))
	for i := range e.transfers.list {
		t := &e.transfers.list[i]
		s.put(t.key.Hi, t.key.Lo, uint64(t.account), uint64(t.asset), uint64(t.code))
		s.amount(t.amount)
		s.amount(t.balance)
	}
}
