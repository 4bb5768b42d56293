package desk

import (
	"context"

	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// Verdict is what a policy says of a withdrawal.
type Verdict uint8

// The verdicts.
const (
	Allow Verdict = iota + 1
	Wait          // not yet: people or time are missing
	Deny          // never: the hold is released
)

// Policy decides whether a withdrawal that screening let through may be paid. It
// is asked again, for the same withdrawal, until it does not say Wait. The reason
// is shown to people.
type Policy interface {
	Decide(ctx context.Context, r custodydb.IntentRow, asset custody.AssetInfo) (Verdict, string, error)
}

// rules is the registration: a line per rule.
func rules() []Policy {
	return []Policy{
		CapPolicy{},
	}
}

// Rules asks all of its rules. One that denies is enough to deny, and one that
// waits is enough to wait; a verdict that is none of these is passed on, and
// allows nothing.
type Rules []Policy

var _ Policy = Rules{}

// Decide implements Policy. The reason is that of the first rule which stands
// against the withdrawal.
func (l Rules) Decide(ctx context.Context, r custodydb.IntentRow, asset custody.AssetInfo) (Verdict, string, error) {
	verdict, why := Allow, ""
	for _, rule := range l {
		v, reason, err := rule.Decide(ctx, r, asset)
		switch {
		case err != nil:
			return 0, "", err
		case v == Wait && verdict == Allow:
			verdict, why = Wait, reason
		case v != Allow && v != Wait:
			return v, reason, nil
		}
	}
	return verdict, why, nil
}

// CapPolicy lets pass what the asset's AutoLimit covers. Anything larger waits for
// people.
type CapPolicy struct{}

var _ Policy = CapPolicy{}

// Decide implements Policy.
func (CapPolicy) Decide(_ context.Context, r custodydb.IntentRow, asset custody.AssetInfo) (Verdict, string, error) {
	if asset.AutoLimit.IsZero() || !asset.AutoLimit.Less(r.Amount) {
		return Allow, "", nil
	}
	return Wait, "more than " + asset.Format(asset.AutoLimit) + " " + asset.Code + " needs approval", nil
}
