package vault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"strongroom/money"
)

// Recall is a proposed flow that should be taken back before it is signed.
type Recall struct {
	Flow string      `json:"flow"`
	Gets money.Units `json:"gets"` // what its vault has again, with the fee
	Why  string      `json:"why"`
}

// Recalls lists the proposed sweeps that their vault cannot spare any more, the
// proposed refills that it does not need any more, and those into a vault whose proof
// of control has lapsed, in order of id. Nothing that is signed is recalled. Errors:
// ErrInvalid, money.ErrRange.
func Recalls(s *State) ([]Recall, error) {
	b, err := open(s)
	if err != nil {
		return nil, err
	}
	flows := slices.SortedFunc(slices.Values(s.Flows), func(x, y Flow) int { return cmp.Compare(x.ID, y.ID) })
	var some []Recall
	for _, f := range flows {
		from, to := b.byID[f.From], b.byID[f.To]
		if f.Stage != Proposed || from == nil || to == nil {
			continue
		}
		why, err := b.against(from, to)
		if err != nil {
			return nil, fmt.Errorf("judge flow %s: %w", f.ID, err)
		}
		if why == "" {
			continue
		}
		back, err := f.Amount.Add(f.Fee)
		if err != nil {
			return nil, fmt.Errorf("judge flow %s: %w", f.ID, err)
		}
		some = append(some, Recall{Flow: f.ID, Gets: back, Why: why})
		from.Out, to.In = from.Out.SubFloor(back), to.In.SubFloor(f.Amount)
		if err := errors.Join(from.settle(), to.settle()); err != nil {
			return nil, fmt.Errorf("judge flow %s: %w", f.ID, err)
		}
	}
	return some, nil
}

// against says why a proposed flow should not go on; empty: it should.
func (b *book) against(from, to *Balance) (string, error) {
	if !to.Accepts {
		return "the proof of control of " + to.Vault.ID + " has lapsed", nil
	}
	if from.Vault.Tier == Hot {
		line, err := b.linesOf(from)
		if err != nil || !from.Projected.Less(line.low) {
			return "", err
		}
		return from.Vault.ID + " needs it for its floor and approved withdrawals", nil
	}
	if to.Vault.Tier == Hot && to.Vault.Cap.Less(to.Projected) {
		return to.Vault.ID + " would exceed its cap", nil
	}
	return "", nil
}
