package engine

import (
	"fmt"
	"io"
	"slices"
)

// Frozen is a copy of a shard's state at one moment: what Snapshot and Walk read, and
// nothing that only matching needs. It is safe to read while the Engine goes on.
type Frozen struct {
	e     Engine
	pages []page
	refs  []pageRef
	pegs  []uint32
}

// Freeze copies the state, into the memory of a Frozen that is no longer read where
// one is given. It takes about as long as copying the bytes of what is in use.
func (e *Engine) Freeze(into *Frozen) *Frozen {
	if into == nil {
		into = &Frozen{}
	}
	f := &into.e
	f.cfg, f.now, f.seq, f.ages = e.cfg, e.now, e.seq, e.ages
	f.free, f.fresh, f.live = e.free, e.fresh, e.live
	f.rows = append(f.rows[:0], e.rows[:e.fresh+1]...)
	f.extras = append(f.extras[:0], e.extras...)
	f.accounts = append(f.accounts[:0], e.accounts...)
	f.balances = append(f.balances[:0], e.balances...)
	f.guards = append(f.guards[:0], e.guards...)
	f.keys.list = append(f.keys.list[:0], e.keys.list...)
	f.keys.first, f.keys.used = e.keys.first, e.keys.used
	f.transfers.list = append(f.transfers.list[:0], e.transfers.list...)
	into.freezeMarkets(e)
	return into
}

// freezeMarkets copies the ladders with their pages, which lie behind pointers: all of
// one sort into one piece of memory each, so that little is taken from the allocator.
func (f *Frozen) freezeMarkets(e *Engine) {
	pages, pegs := 0, 0
	for i := range e.markets {
		m := &e.markets[i]
		pegs += len(m.pegs)
		for _, l := range m.ladders() {
			pages += len(l.refs)
		}
	}
	f.pages = slices.Grow(f.pages[:0], pages)
	f.refs, f.pegs = slices.Grow(f.refs[:0], pages), slices.Grow(f.pegs[:0], pegs)
	f.e.markets = append(f.e.markets[:0], e.markets...)
	for i := range f.e.markets {
		m := &f.e.markets[i]
		m.trails = nil
		m.pegs, f.pegs = carve(f.pegs, m.pegs)
		for _, l := range m.ladders() {
			from := len(f.refs)
			for _, r := range l.refs {
				f.pages = append(f.pages, *r.page)
				f.refs = append(f.refs, pageRef{key: r.key, page: &f.pages[len(f.pages)-1]})
			}
			l.refs = f.refs[from:len(f.refs):len(f.refs)]
		}
	}
}

// carve copies part behind what is in all, and returns the copy and all with it.
func carve(all, part []uint32) (piece, rest []uint32) {
	from := len(all)
	all = append(all, part...)
	return all[from:len(all):len(all)], all
}

// ladders are the four of a market, in the order in which they are walked.
func (m *market) ladders() [4]*ladder {
	return [...]*ladder{&m.book[Buy], &m.book[Sell], &m.stops[Buy], &m.stops[Sell]}
}

// Seq is the number of the last event before the moment of the copy.
func (f *Frozen) Seq() uint64 { return f.e.seq }

// Walk shows the state to v as Engine.Walk would have.
func (f *Frozen) Walk(v Visitor) { f.e.Walk(v) }

// Digest hashes the state as Engine.Digest would have.
func (f *Frozen) Digest() uint64 { return f.e.Digest() }

// Snapshot writes the state as Engine.Snapshot would have.
func (f *Frozen) Snapshot(w io.Writer) error {
	if err := f.e.Snapshot(w); err != nil {
		return fmt.Errorf("of a copy: %w", err)
	}
	return nil
}
