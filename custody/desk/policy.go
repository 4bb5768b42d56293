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
