package vault

import (
	"cmp"
	"fmt"
	"slices"

	"strongroom/treasury/intent"
)

// Refills plans what hot vaults get that are projected to fall below their floor, or
// that withdrawals need which wait for nobody but the money: up to the target and
// those withdrawals on top, never above the cap. Warm vaults give first, then cold
// ones, down to their floors. Vaults that cannot pay what is approved come first.
// While a sweep of a vault is open it is not refilled: Recalls says which sweeps
// should not go on. Errors: ErrInvalid, money.ErrRange.
func Refills(s *State) (Plan, error) {
	b, err := open(s)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	hots := b.of(Hot)
	slices.SortStableFunc(hots, func(x, y *Balance) int { return cmp.Compare(urgency(x), urgency(y)) })
	for _, hot := range hots {
		line, err := b.linesOf(hot)
		if err != nil {
			return Plan{}, fmt.Errorf("plan refill of %s: %w", hot.Vault.ID, err)
		}
		if !hot.Projected.Less(line.low) {
			continue
		}
		why, err := b.refill(hot, line, &p)
		if err != nil {
			return Plan{}, fmt.Errorf("plan refill of %s: %w", hot.Vault.ID, err)
		}
		if short := line.low.SubFloor(hot.Projected); !short.IsZero() {
			p.Held = append(p.Held, Held{Vault: hot.Vault.ID, Amount: short, Why: why})
		}
	}
	return p, nil
}

// urgency is lower for who cannot pay.
func urgency(hot *Balance) int {
	if hot.Projected.Less(hot.Approved) {
		return 0
	}
	return 1
}

// refill plans for one hot vault and says what stands in the way of the rest.
func (b *book) refill(hot *Balance, line lines, p *Plan) (string, error) {
	out, back := b.underWay(hot.Vault.ID)
	parts := MaxParts - back
	switch {
	case !hot.Accepts:
		return "its own proof of control has lapsed", nil
	case out > 0:
		return "a sweep of it has not ended", nil
	case parts <= 0:
		return "as many refills of it are under way as may be", nil
	}
	had, sides := hot.Projected, b.givers(hot)
	for i, from := range sides {
		gives, err := b.s.Terms.net(from.room, parts)
		if err != nil {
			return "", err
		}
		amount, err := b.enough(gives, line.high.SubFloor(hot.Projected), i == len(sides)-1)
		if err != nil {
			return "", err
		}
		if amount.IsZero() {
			continue
		}
		m, err := b.move(Move{
			Kind: intent.Refill, From: from.Vault.ID, To: hot.Vault.ID, Amount: amount,
			Why: fmt.Sprintf("%s will hold %s, below the %s that its floor and approved withdrawals need; it is filled up to %s", hot.Vault.ID, b.say(had), b.say(line.low), b.say(line.high)),
		})
		if err != nil {
			return "", err
		}
		p.Moves = append(p.Moves, m)
		parts -= len(m.Parts)
	}
	return "no warm or cold vault without an open move with this one has that much above its floor, or it is not worth its fees", nil
}

// givers lists who may pay a refill, warm ones first, with what they can do without.
func (b *book) givers(hot *Balance) []taker {
	var some []taker
	for _, tier := range []Tier{Warm, Cold} {
		for _, one := range b.of(tier) {
			room := one.Free.SubFloor(one.Vault.Floor)
			busy := b.pairs[[2]string{one.Vault.ID, hot.Vault.ID}] > 0
			if net, err := b.s.Terms.net(room, MaxParts); err == nil && !busy && !net.Less(b.worth) {
				some = append(some, taker{one, room})
			}
		}
	}
	return some
}
