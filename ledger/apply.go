package ledger

import (
	"crypto/sha256"
	"fmt"
	"time"

	"strongroom/money"
)

// apply books tx at the time now, or changes nothing and tells why. The ids of
// its legs are new. Accounts and pending transfers that tx names have been loaded
// before; one that is missing does not exist. Legs are judged in order: each sees
// the ones before it.
func (b *book) apply(tx *Transaction, hash [sha256.Size]byte, now time.Time) error {
	m := b.mark()
	first := b.seq + 1
	for i := range tx.Legs {
		if err := b.applyLeg(&tx.Legs[i], first, now); err != nil {
			b.rollback(m)
			return fmt.Errorf("leg %d (%s): %w", i, tx.Legs[i].ID, err)
		}
	}
	if err := b.applyPositions(m); err != nil {
		b.rollback(m)
		return err
	}
	b.heads = append(b.heads, heading{seq: first, legs: len(tx.Legs), tx: tx, hash: hash, metadata: metadataJSON(tx.Metadata)})
	b.booked.put(tx.ID, receipt{hash: hash, batch: b.batch, booked: now})
	b.undo.booked = append(b.undo.booked, tx.ID)
	return nil
}

func (b *book) applyLeg(leg *Transfer, first int64, now time.Time) error {
	r := row{seq: b.seq + 1, batch: b.batch, transaction: first, id: leg.ID, kind: leg.Kind}
	var err error
	switch leg.Kind {
	case Single, Pending:
		err = b.move(leg, &r)
	case Post, Void:
		err = b.resolve(leg, &r, now)
	}
	if err != nil {
		return err
	}
	b.seq++
	b.ids[leg.ID] = struct{}{}
	b.undo.ids = append(b.undo.ids, leg.ID)
	r.debitAfter, r.debitPrev = r.debit.stamp(r.seq)
	r.creditAfter, r.creditPrev = r.credit.stamp(r.seq)
	b.rows = append(b.rows, r)
	return nil
}

// stamp counts a transfer on a and returns the state after it, with the seq of
// the transfer before.
func (a *account) stamp(seq int64) (state, int64) {
	previous := a.state.last
	a.state.version++
	a.state.last = seq
	return a.state, previous
}

func (b *book) sides(debit, credit AccountID) (d, c *account, err error) {
	d, ok := b.accounts.find(debit)
	if !ok {
		return nil, nil, fmt.Errorf("debit %q: %w", debit, ErrAccountUnknown)
	}
	c, ok = b.accounts.find(credit)
	if !ok {
		return nil, nil, fmt.Errorf("credit %q: %w", credit, ErrAccountUnknown)
	}
	if d.asset != c.asset {
		return nil, nil, fmt.Errorf("%s and %s: %w", d.assetCode(), c.assetCode(), ErrAssetMismatch)
	}
	return d, c, nil
}

// move does a Single or Pending leg.
func (b *book) move(leg *Transfer, r *row) error {
	d, c, err := b.sides(leg.Debit, leg.Credit)
	if err != nil {
		return err
	}
	b.touch(d)
	b.touch(c)
	into, from := &d.state.debits, &c.state.credits
	if leg.Kind == Pending {
		into, from = &d.state.debitsHeld, &c.state.creditsAhead
	}
	if err := addTo(into, leg.Amount); err != nil {
		return err
	}
	if err := addTo(from, leg.Amount); err != nil {
		return err
	}
	for _, a := range [...]*account{d, c} {
		if err := a.check(a == d); err != nil {
			return fmt.Errorf("%q: %w", a.accountID(), err)
		}
	}
	r.debit, r.credit, r.amount = d, c, leg.Amount
	if leg.Kind == Pending {
		r.expires = leg.Expires.Truncate(time.Microsecond)
		b.pendings.put(leg.ID, &pending{seq: r.seq, debit: leg.Debit, credit: leg.Credit, amount: leg.Amount, expires: r.expires})
		b.undo.opened = append(b.undo.opened, leg.ID)
	}
	return nil
}

// check judges a after value was added to the given side.
func (a *account) check(debited bool) error {
	s := &a.state
	if debited == a.class.debitNormal() {
		return a.checkLimit()
	}
	if a.overdraw {
		return nil
	}
	spent, held, cover := s.debits, s.debitsHeld, s.credits
	if a.class.debitNormal() {
		spent, held, cover = s.credits, s.creditsAhead, s.debits
	}
	used, err := spent.Add(held)
	if err != nil || cover.Less(used) {
		return ErrInsufficient
	}
	return nil
}

// checkLimit judges the balance with what is pending towards it.
func (a *account) checkLimit() error {
	if a.max.IsZero() {
		return nil
	}
	s := &a.state
	received, ahead, given := s.credits, s.creditsAhead, s.debits
	if a.class.debitNormal() {
		received, ahead, given = s.debits, s.debitsHeld, s.credits
	}
	reach, err := received.Add(ahead)
	if err != nil || a.max.Less(reach.SubFloor(given)) {
		return ErrLimit
	}
	return nil
}

// resolve does a Post or Void leg.
func (b *book) resolve(leg *Transfer, r *row, now time.Time) error {
	p, ok := b.pendings.find(leg.Pending)
	switch {
	case !ok:
		return fmt.Errorf("%q: %w", leg.Pending, ErrPendingUnknown)
	case p.resolved != 0:
		return fmt.Errorf("%q: %w", leg.Pending, ErrPendingResolved)
	case leg.Kind == Post && p.expired(now):
		return fmt.Errorf("%q: %w", leg.Pending, ErrPendingExpired)
	case p.amount.Less(leg.Amount):
		return fmt.Errorf("%q: %w", leg.Pending, ErrExceedsPending)
	}
	d, c, err := b.sides(p.debit, p.credit)
	if err != nil {
		return err
	}
	b.touch(d)
	b.touch(c)
	if leg.Kind == Post {
		r.amount = leg.Amount
		if r.amount.IsZero() {
			r.amount = p.amount
		}
		if err := addTo(&d.state.debits, r.amount); err != nil {
			return err
		}
		if err := addTo(&c.state.credits, r.amount); err != nil {
			return err
		}
	}
	if err := release(d, c, p.amount); err != nil {
		return err
	}
	p.resolved = leg.Kind
	b.undo.resolved = append(b.undo.resolved, p)
	r.debit, r.credit, r.pending, r.expires = d, c, p.seq, time.Time{}
	return nil
}

func (p *pending) expired(now time.Time) bool {
	return !p.expires.IsZero() && !now.Before(p.expires)
}

// release gives back what was held. A hold that is not there is a broken book.
func release(d, c *account, amount money.Units) (err error) {
	if d.state.debitsHeld, err = d.state.debitsHeld.Sub(amount); err != nil {
		return fmt.Errorf("release hold of %q: %w", d.accountID(), err)
	}
	if c.state.creditsAhead, err = c.state.creditsAhead.Sub(amount); err != nil {
		return fmt.Errorf("release hold of %q: %w", c.accountID(), err)
	}
	return nil
}

// addTo adds amount, and refuses what the database could not hold.
func addTo(total *money.Units, amount money.Units) error {
	sum, err := total.Add(amount)
	if err != nil {
		return fmt.Errorf("add up: %w", ErrLimit)
	}
	*total = sum
	return nil
}

func (c Class) debitNormal() bool { return c == Asset || c == Expense }
