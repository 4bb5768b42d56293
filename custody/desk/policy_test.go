package desk_test

import (
	"context"
	"errors"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
)

// says is a rule that always says the same.
type says struct {
	verdict desk.Verdict
	reason  string
	err     error
}

// Decide implements desk.Policy.
func (s says) Decide(context.Context, custodydb.IntentRow, custody.AssetInfo) (desk.Verdict, string, error) {
	return s.verdict, s.reason, s.err
}

func TestEveryRuleHasToAllow(t *testing.T) {
	down := errors.New("the vendor is down")
	allow, wait, later := says{verdict: desk.Allow}, says{verdict: desk.Wait, reason: "first"}, says{verdict: desk.Wait, reason: "second"}
	deny := says{verdict: desk.Deny, reason: "never"}
	for name, c := range map[string]struct {
		rules  desk.Rules
		want   desk.Verdict
		reason string
		err    error
	}{
		"no rule":                {nil, desk.Allow, "", nil},
		"all allow":              {desk.Rules{allow, allow}, desk.Allow, "", nil},
		"the first that waits":   {desk.Rules{allow, wait, later}, desk.Wait, "first", nil},
		"denied after a wait":    {desk.Rules{wait, deny}, desk.Deny, "never", nil},
		"one cannot say":         {desk.Rules{allow, says{verdict: desk.Allow, err: down}}, 0, "", down},
		"a verdict that is none": {desk.Rules{allow, says{}, allow}, 0, "", nil},
	} {
		got, reason, err := c.rules.Decide(t.Context(), custodydb.IntentRow{}, custody.AssetInfo{})
		if got != c.want || reason != c.reason || !errors.Is(err, c.err) {
			t.Errorf("%s: %d %q %v", name, got, reason, err)
		}
	}
}
