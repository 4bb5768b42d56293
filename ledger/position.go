package ledger

import (
	"bytes"
	"fmt"

	"strongroom/money"
)

// custodyPrefix starts the accounts whose value exists outside the book: what
// moves from one of them to any other account has left the house.
const custodyPrefix = "custody/"

// claim is the newest attestation of one source.
type claim struct {
	source string
	amount money.Units
	// outflowSum is the asset's outflow total when the source looked.
	outflowSum money.Units
}

func isCustody(id []byte, class Class) bool {
	return class == Asset && bytes.HasPrefix(id, []byte(custodyPrefix))
}

// applyPositions carries the legs since m into the positions of their assets,
// and refuses a transaction that raises liabilities above what is attested.
func (b *book) applyPositions(m mark) error {
	for i := m.rows; i < len(b.rows); i++ {
		r := &b.rows[i]
		if r.kind == Pending || r.kind == Void || !r.concernsPosition() {
			continue
		}
		p := b.position(r.debit.asset.text())
		if !b.saved(p, m) {
			b.undo.positions = append(b.undo.positions, savedPosition{p, p.total})
		}
		if err := p.total.carry(r); err != nil {
			return err
		}
	}
	for _, saved := range b.undo.positions[m.positions:] {
		if err := saved.position.total.settle(&saved.total); err != nil {
			return fmt.Errorf("asset %s: %w", saved.position.asset, err)
		}
	}
	return nil
}

// saved reports whether p was saved since m; a transaction has few assets.
func (b *book) saved(p *position, m mark) bool {
	for _, s := range b.undo.positions[m.positions:] {
		if s.position == p {
			return true
		}
	}
	return false
}

func (r *row) concernsPosition() bool {
	return r.debit.class == Liability || r.credit.class == Liability || r.leavesCustody()
}

func (r *row) leavesCustody() bool { return r.credit.custody && !r.debit.custody }

// carry adds one posted movement.
func (t *totals) carry(r *row) error {
	if r.debit.class == Liability {
		if err := addTo(&t.debits, r.amount); err != nil {
			return err
		}
	}
	if r.credit.class == Liability {
		if err := addTo(&t.credits, r.amount); err != nil {
			return err
		}
	}
	if r.leavesCustody() {
		if err := addTo(&t.outflowSum, r.amount); err != nil {
			return err
		}
		t.outflows++
		t.attested = t.attested.SubFloor(r.amount)
	}
	return nil
}

// settle compares the totals with those before the transaction. Where
// liabilities grew they must be attested; where they did not, what is missing is
// recorded, for refusing to book a fact would not undo it.
func (t *totals) settle(before *totals) error {
	if t.grewSince(before) {
		if t.attested.Less(t.liabilities()) {
			return ErrUnattested
		}
		return nil
	}
	t.shortfall = t.liabilities().SubFloor(t.attested)
	return nil
}

// liabilities is what is owed: the credit balances of Liability accounts.
func (t *totals) liabilities() money.Units { return t.credits.SubFloor(t.debits) }

// grewSince compares credits-debits without going below zero: c1-d1 > c0-d0 is
// (c1-c0) > (d1-d0), and totals only grow.
func (t *totals) grewSince(before *totals) bool {
	return t.debits.SubFloor(before.debits).Less(t.credits.SubFloor(before.credits))
}

// attest replaces the claim of a's source and works out what is attested: all
// claims, less what left since the oldest of them. The count is conservative
// where several sources attest one asset at different times.
func (b *book) attest(a *Attestation) error {
	p := b.position([]byte(a.Asset))
	if uint64(p.total.outflows) != a.Outflows { //nolint:gosec // never negative
		return fmt.Errorf("%d outflows now, %d then: %w", p.total.outflows, a.Outflows, ErrStale)
	}
	claims := make([]claim, 0, len(p.claims)+1)
	for _, c := range p.claims {
		if c.source != a.Source {
			claims = append(claims, c)
		}
	}
	claims = append(claims, claim{source: a.Source, amount: a.Amount, outflowSum: p.total.outflowSum})
	attested, err := attestedBy(claims, p.total.outflowSum)
	if err != nil {
		return err
	}
	p.claims = claims
	p.total.attested = attested
	p.total.shortfall = p.total.liabilities().SubFloor(attested)
	b.attestations = append(b.attestations, a)
	return nil
}

func attestedBy(claims []claim, outflowSum money.Units) (money.Units, error) {
	var sum money.Units
	oldest := outflowSum
	for _, c := range claims {
		if err := addTo(&sum, c.amount); err != nil {
			return money.Units{}, err
		}
		oldest = money.Min(oldest, c.outflowSum)
	}
	return sum.SubFloor(outflowSum.SubFloor(oldest)), nil
}
