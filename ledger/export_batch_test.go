package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// newest is an account's newest transfer and how many it has.
type newest struct{ version, last int64 }

// before is what was true when a batch began.
type before struct {
	head   head
	links  map[AccountID]newest
	totals map[string]totals
}

func (p *PureBook) remember(h head) {
	p.before = before{head: h, links: p.before.links, totals: map[string]totals{}}
	if p.before.links == nil {
		p.before.links = map[AccountID]newest{}
	}
	for asset, position := range p.book.positions {
		p.before.totals[asset] = position.total
	}
}

// CheckBatch says what is wrong with the batch as it would be written: numbers
// are dense, a transaction is numbered by its first leg, each row continues the
// histories of its two accounts, and what changed is listed, each once.
func (p *PureBook) CheckBatch() error {
	return errors.Join(p.checkNumbers(), p.checkIDs(), p.checkHistories(), p.checkPositions())
}

func (p *PureBook) checkNumbers() error {
	b, seq := p.book, p.before.head.seq
	if b.batch != p.before.head.batch+1 {
		return fmt.Errorf("batch %d follows %d", b.batch, p.before.head.batch)
	}
	next := 0
	for _, h := range b.heads {
		if h.seq != seq+1 || h.legs != len(h.tx.Legs) || h.hash != h.tx.requestHash() {
			return fmt.Errorf("transaction %s is number %d with %d legs after %d", h.tx.ID, h.seq, h.legs, seq)
		}
		for i := range h.tx.Legs {
			seq++
			r := &b.rows[next]
			if r.seq != seq || r.transaction != h.seq || r.batch != b.batch || r.id != h.tx.Legs[i].ID {
				return fmt.Errorf("leg %s is number %d of %d in batch %d, want %d of %d", r.id, r.seq, r.transaction, r.batch, seq, h.seq)
			}
			next++
		}
	}
	if next != len(b.rows) || b.seq != seq {
		return fmt.Errorf("%d rows up to %d, want %d up to %d", len(b.rows), b.seq, next, seq)
	}
	return nil
}

func (p *PureBook) checkIDs() error {
	written := map[TransferID]struct{}{}
	for i := range p.book.rows {
		written[p.book.rows[i].id] = struct{}{}
	}
	if !maps.Equal(written, p.book.ids) {
		return fmt.Errorf("ids %v, written %v", p.book.ids, written)
	}
	for _, h := range p.book.heads {
		if got, ok := p.book.booked.find(h.tx.ID); !ok || got.batch != p.book.batch || got.hash != h.hash {
			return fmt.Errorf("transaction %s is remembered (%v) as %+v", h.tx.ID, ok, got)
		}
	}
	return nil
}

func (p *PureBook) checkHistories() error {
	links, changed := maps.Clone(p.before.links), map[AccountID]bool{}
	follow := func(a *account, seq, previous int64, after state) error {
		l := links[a.accountID()]
		if previous != l.last || after.version != l.version+1 || after.last != seq {
			return fmt.Errorf("%s at %d follows %d as version %d, want %d and %d", a.accountID(), seq, previous, after.version, l.last, l.version+1)
		}
		links[a.accountID()], changed[a.accountID()] = newest{after.version, seq}, true
		return nil
	}
	for i := range p.book.rows {
		r := &p.book.rows[i]
		if err := errors.Join(follow(r.debit, r.seq, r.debitPrev, r.debitAfter), follow(r.credit, r.seq, r.creditPrev, r.creditAfter)); err != nil {
			return err
		}
	}
	listed := map[AccountID]bool{}
	for _, a := range p.book.touched {
		id := a.accountID()
		if listed[id] || a.roundStart != p.before.links[id].version || a.state.version != links[id].version || a.state.last != links[id].last {
			return fmt.Errorf("account %s is written from %d to %+v, listed before: %v", id, a.roundStart, a.state, listed[id])
		}
		listed[id] = true
		delete(changed, id)
	}
	if len(changed) > 0 {
		return fmt.Errorf("accounts %v changed and are not written", slices.Collect(maps.Keys(changed)))
	}
	return nil
}

func (p *PureBook) checkPositions() error {
	listed := map[string]bool{}
	for _, position := range p.book.moved {
		if listed[position.asset] {
			return fmt.Errorf("position of %s is written twice", position.asset)
		}
		listed[position.asset] = true
	}
	for asset, position := range p.book.positions {
		if position.total != p.before.totals[asset] && !listed[asset] {
			return fmt.Errorf("position of %s changed and is not written", asset)
		}
	}
	return nil
}

// endBatch carries the histories on to the next batch.
func (p *PureBook) endBatch() {
	for _, a := range p.book.touched {
		p.before.links[a.accountID()] = newest{a.state.version, a.state.last}
	}
}

// MovedByAnother lets another committer book: the head is further than this book
// knows when its next batch begins. It returns how many accounts, holds,
// transactions and positions the book still believes to know.
func (p *PureBook) MovedByAnother() int {
	b := p.book
	b.begin(head{batch: b.batch + 1, seq: b.seq + 1})
	return len(b.accounts.index) + len(b.pendings.entries) + len(b.booked.entries) + len(b.positions)
}

// Kept returns how many accounts, holds and transactions are cached.
func (p *PureBook) Kept() (accounts, holds, transactions int) {
	b := p.book
	return len(b.accounts.index), len(b.pendings.entries), len(b.booked.entries)
}

// CheckAccount says what is wrong with an account that is to be opened.
func CheckAccount(a Account) error { return a.validate() }

// CheckAttestation says what is wrong with an attestation.
func CheckAttestation(a Attestation) error { return a.validate() }

// CheckPrefix reports whether accounts may be asked for by a prefix.
func CheckPrefix(prefix string) bool { return onlyPathBytes(prefix) }
