package vault

import (
	"cmp"
	"fmt"
	"slices"

	"strongroom/internal/planted"
	"strongroom/money"
)

// book is a state, added up. Planning writes what it plans into it.
type book struct {
	s       *State
	all     []*Balance // by id
	byID    map[string]*Balance
	pairs   map[[2]string]int // transactions under way, by vaults
	worth   money.Units
	reserve money.Units
}

func open(s *State) (*book, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	b := &book{s: s, byID: map[string]*Balance{}, pairs: map[[2]string]int{}}
	var err error
	if b.worth, err = s.Terms.Worth(); err != nil {
		return nil, err
	}
	if b.reserve, err = s.Terms.reserve(); err != nil {
		return nil, fmt.Errorf("%w: terms: fee: %w", ErrInvalid, err)
	}
	for _, h := range s.Holdings {
		one := &Balance{Vault: h.Vault, Final: h.Final, Open: h.Open, Approved: h.Approved, Accepts: Accepts(h.Vault, s.Proofs, s.Now)}
		b.all, b.byID[h.Vault.ID] = append(b.all, one), one
	}
	slices.SortFunc(b.all, func(x, y *Balance) int { return cmp.Compare(x.Vault.ID, y.Vault.ID) })
	for _, f := range s.Flows {
		if planted.Live(planted.PendingForgotten) {
			break
		}
		if err := b.pend(f); err != nil {
			return nil, fmt.Errorf("flow %s: %w", f.ID, err)
		}
	}
	for _, one := range b.all {
		if err := one.settle(); err != nil {
			return nil, fmt.Errorf("vault %s: %w", one.Vault.ID, err)
		}
	}
	return b, nil
}

// pend counts a flow.
func (b *book) pend(f Flow) (err error) {
	if from := b.byID[f.From]; from != nil {
		if from.Out, err = money.Sum(from.Out, f.Amount, f.Fee); err != nil {
			return err
		}
	}
	if to := b.byID[f.To]; to != nil {
		if to.In, err = to.In.Add(f.Amount); err != nil {
			return err
		}
	}
	b.pairs[[2]string{f.From, f.To}]++
	return nil
}

// settle works out what follows from what is final and pending. Where more leaves
// than there is, which happens for a moment when what pays it is pending too, nothing
// is free.
func (one *Balance) settle() error {
	with, err := one.Final.Add(one.In)
	if err != nil {
		return err
	}
	one.Free, one.Projected = one.Final.SubFloor(one.Out), with.SubFloor(one.Out)
	return nil
}

// take counts a move that was planned.
func (b *book) take(m *Move) error {
	for _, f := range m.Flows("planned") {
		if err := b.pend(f); err != nil {
			return err
		}
	}
	if err := b.byID[m.From].settle(); err != nil {
		return err
	}
	return b.byID[m.To].settle()
}

// of lists the vaults of a tier.
func (b *book) of(tier Tier) []*Balance {
	var some []*Balance
	for _, one := range b.all {
		if one.Vault.Tier == tier {
			some = append(some, one)
		}
	}
	return some
}

// underWay counts the transactions from a hot vault to warm and cold ones, and back.
func (b *book) underWay(hot string) (out, back int) {
	for pair, n := range b.pairs {
		switch {
		case pair[0] == hot && b.stays(pair[1]):
			out += n
		case pair[1] == hot && b.stays(pair[0]):
			back += n
		}
	}
	return out, back
}

// stays reports whether a place is a warm or cold vault.
func (b *book) stays(id string) bool {
	one := b.byID[id]
	return one != nil && one.Vault.Tier != Hot
}

// lines are the levels of a hot vault, with what its withdrawals need on top. A sweep
// leaves keep, a refill starts below low and fills up to high. keep is never below
// low, and high is never above the cap, so that neither calls for the other.
type lines struct{ low, keep, high money.Units }

// linesOf works the lines out. Below the cap there is room for fees, because one that
// is not needed stays in the vault, and for what is worth a move, because otherwise
// a vault could be above its cap by less than that.
func (b *book) linesOf(one *Balance) (lines, error) {
	v := &one.Vault
	room := v.Cap.SubFloor(b.reserve).SubFloor(b.worth)
	low, err := v.Floor.Add(one.Approved)
	if err != nil {
		return lines{}, err
	}
	keep, err := v.Target.Add(one.Open)
	if err != nil {
		return lines{}, err
	}
	high, err := v.Target.Add(one.Approved)
	if err != nil {
		return lines{}, err
	}
	return lines{low: money.Min(low, room), keep: money.Min(keep, room), high: money.Min(high, v.Cap)}, nil
}

// say is an amount in words.
func (b *book) say(u money.Units) string { return money.Amount{Asset: b.s.Asset, Units: u}.String() }

// move makes a planned move of an amount that split has room for.
func (b *book) move(m Move) (Move, error) {
	parts, err := b.s.Terms.split(m.Amount)
	if err != nil {
		return Move{}, err
	}
	m.Asset, m.Chain, m.Parts, m.Fee = b.s.Asset.Code, b.s.Chain, parts, b.s.Terms.Fee
	return m, b.take(&m)
}

// enough shortens what one side gives of want where what is left for the others would
// not be worth a move and its fee; zero where it would not be itself.
func (b *book) enough(give, want money.Units, last bool) (money.Units, error) {
	least, err := b.worth.Add(b.s.Terms.Fee)
	if err != nil {
		return money.Units{}, err
	}
	give = money.Min(give, want)
	if rest := want.SubFloor(give); !last && !rest.IsZero() && rest.Less(least) {
		give = give.SubFloor(least.SubFloor(rest))
	}
	if give.Less(b.worth) {
		return money.Units{}, nil
	}
	return give, nil
}
