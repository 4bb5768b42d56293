package engine

import (
	"fmt"
	"io"
	"slices"

	"strongroom/internal/hugepage"
)

// Frozen is a copy of a shard's state at one moment: what Snapshot and Walk read, and
// nothing that only matching needs. It is safe to read while the Engine goes on.
type Frozen struct {
	e     Engine
	pages [][]page // all as long as pagesAtOnce
	refs  []pageRef
	pegs  []uint32
}

// Freeze copies the state, into the memory of a Frozen that is no longer read where
// one is given. It takes about as long as copying the bytes of what is in use, of client
// ids only of those that changed since Prepare copied them; the first time also as long as
// the system takes to give so much memory.
func (e *Engine) Freeze(into *Frozen) *Frozen {
	if into == nil {
		into = &Frozen{}
	}
	f := &into.e
	f.cfg, f.now, f.seq, f.ages = e.cfg, e.now, e.seq, e.ages
	f.free, f.fresh, f.live = e.free, e.fresh, e.live
	f.rows = copied(f.rows, e.rows[:e.fresh+1], len(e.rows))
	f.extras = copied(f.extras, e.extras, len(e.rows))
	f.accounts = copied(f.accounts, e.accounts, len(e.accounts))
	f.balances = copied(f.balances, e.balances, len(e.balances))
	f.guards = append(f.guards[:0], e.guards...)
	e.mirrored(into)
	e.keys.copyAll(&f.keys)
	f.keys.first, f.keys.used = e.keys.first, e.keys.used
	f.transfers.list = slices.Clip(e.transfers.list) // none ever changes
	into.freezeMarkets(e)
	return into
}

// prepareStep is for how many rows of each sort Prepare takes memory at once: more than
// the commands of a log entry can make.
const prepareStep = 4096

// Prepare takes memory for the next Freeze, a little with each call, until there is as
// much as a copy needs now: so that no copy has to wait while the system gives it. Client
// ids, which are the most and seldom change, it copies ahead, some for each of so many
// commands that came since the last call.
func (e *Engine) Prepare(into *Frozen, commands int) {
	f := &into.e
	f.rows = reached(f.rows, int(e.fresh)+1, len(e.rows))
	f.extras = reached(f.extras, len(e.extras), len(e.rows))
	f.accounts = reached(f.accounts, len(e.accounts), len(e.accounts))
	f.balances = reached(f.balances, len(e.balances), len(e.balances))
	if len(into.pages)*pagesAtOnce < int(e.pagesUsed) {
		into.morePages()
	}
	e.mirrored(into)
	e.keys.copySome(&f.keys, commands)
}

// pagesAtOnce is for how many pages of prices memory is taken at once: so few that to
// make them zero is nothing to wait for.
const pagesAtOnce = 16

func (f *Frozen) morePages() { f.pages = append(f.pages, make([]page, pagesAtOnce)) }

// mirrored has changes of client ids noted against a copy.
func (e *Engine) mirrored(f *Frozen) {
	if e.mirror == f {
		return
	}
	e.mirror = f
	e.keys.allDirty()
}

// reached writes to some more of memory where it was written to for fewer than need.
func reached[T any](memory []T, need, most int) []T {
	if len(memory) >= need {
		return memory
	}
	if cap(memory) < need {
		return hugepage.Make[T](most)[:0]
	}
	upTo := min(need, len(memory)+prepareStep)
	clear(memory[len(memory):upTo])
	return memory[:upTo]
}

// copied copies from into memory, taking some for as many as there may ever be where it
// has too little: what is not written to costs nothing. It goes piece by piece, because
// nothing else in the process can be stopped while one piece is copied, and so nothing
// goes on that waits for that.
func copied[T any](memory, from []T, most int) []T {
	if cap(memory) < len(from) {
		memory = hugepage.Make[T](most)
	}
	memory = memory[:len(from)]
	for at := 0; at < len(from); at += copyPiece {
		end := min(at+copyPiece, len(from))
		copy(memory[at:end], from[at:end])
	}
	return memory
}

const copyPiece = 1 << 14

// freezeMarkets copies the ladders with their pages, which lie behind pointers.
func (f *Frozen) freezeMarkets(e *Engine) {
	pages, pegs := 0, 0
	for i := range e.markets {
		m := &e.markets[i]
		pegs += len(m.pegs)
		for _, l := range m.ladders() {
			pages += len(l.refs)
		}
	}
	for len(f.pages)*pagesAtOnce < pages {
		f.morePages()
	}
	at := 0
	f.refs, f.pegs = slices.Grow(f.refs[:0], pages), slices.Grow(f.pegs[:0], pegs)
	f.e.markets = append(f.e.markets[:0], e.markets...)
	for i := range f.e.markets {
		m := &f.e.markets[i]
		m.trails = nil
		m.pegs, f.pegs = carve(f.pegs, m.pegs)
		for _, l := range m.ladders() {
			from := len(f.refs)
			for _, r := range l.refs {
				copied := &f.pages[at/pagesAtOnce][at%pagesAtOnce]
				*copied = *r.page
				f.refs = append(f.refs, pageRef{key: r.key, page: copied})
				at++
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
