package vault

import (
	"fmt"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Sweeps plans what leaves hot vaults that hold more than their cap, down to their
// target and what open withdrawals need on top: to warm vaults up to their targets,
// the rest to cold ones, each only while its proof of control is recent and no other
// move between the two is open. Withdrawals count up to the cap: what is larger is
// paid from a cold vault. Money that has not arrived is not swept, and while a refill
// of a vault is open it is not swept at all. Errors: ErrInvalid, money.ErrRange.
func Sweeps(s *State) (Plan, error) {
	b, err := open(s)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	for _, hot := range b.of(Hot) {
		if !hot.Vault.Cap.Less(hot.Free) {
			continue
		}
		why, err := b.sweep(hot, &p)
		if err != nil {
			return Plan{}, fmt.Errorf("plan sweep of %s: %w", hot.Vault.ID, err)
		}
		if over := hot.Free.SubFloor(hot.Vault.Cap); !over.IsZero() {
			p.Held = append(p.Held, Held{Vault: hot.Vault.ID, Amount: over, Why: why})
		}
	}
	return p, nil
}

// sweep plans for one hot vault and says what stands in the way of the rest.
func (b *book) sweep(hot *Balance, p *Plan) (string, error) {
	line, err := b.linesOf(hot)
	if err != nil {
		return "", err
	}
	out, back := b.underWay(hot.Vault.ID)
	parts := MaxParts - out
	switch {
	case back > 0:
		return "a refill of it has not ended", nil
	case parts <= 0:
		return "as many sweeps of it are under way as may be", nil
	}
	had, sides := hot.Free, b.takers(hot)
	for i, to := range sides {
		want, err := b.s.Terms.net(hot.Free.SubFloor(line.keep), parts)
		if err != nil {
			return "", err
		}
		amount, err := b.enough(to.room, want, i == len(sides)-1)
		if err != nil {
			return "", err
		}
		if amount.IsZero() {
			continue
		}
		m, err := b.move(Move{
			Kind: intent.Sweep, From: hot.Vault.ID, To: to.Vault.ID, Amount: amount,
			Why: fmt.Sprintf("%s holds %s, above its cap of %s; %s is to stay", hot.Vault.ID, b.say(had), b.say(hot.Vault.Cap), b.say(line.keep)),
		})
		if err != nil {
			return "", err
		}
		p.Moves = append(p.Moves, m)
		parts -= len(m.Parts)
	}
	if len(sides) == 0 {
		return "no warm or cold vault takes it: none has room, a recent proof of control and no open move with this one", nil
	}
	return "the rest is not worth its fees, exceeds the vaults' room, or goes with the next plan", nil
}

// taker is a vault that may be paid, and how much.
type taker struct {
	*Balance
	room money.Units
}

// takers lists who may take a sweep, warm ones first, and only those with room for
// what is worth a move.
func (b *book) takers(hot *Balance) []taker {
	var some []taker
	for _, tier := range []Tier{Warm, Cold} {
		for _, one := range b.of(tier) {
			room := one.Vault.Target.SubFloor(one.Projected)
			switch {
			case tier == Cold && one.Vault.Cap.IsZero():
				room = hot.Free
			case tier == Cold:
				room = one.Vault.Cap.SubFloor(one.Projected)
			}
			busy := b.pairs[[2]string{hot.Vault.ID, one.Vault.ID}] > 0
			if one.Accepts && !busy && !room.Less(b.worth) {
				some = append(some, taker{one, room})
			}
		}
	}
	return some
}
