package policy_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// A tally that goes on with time tells the sums that are in the list as a whole.
func TestTallyIsTheSumOfTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		tally := policy.NewTally(p.Windows()...)
		var past []policy.Moved
		at := noon()
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			at += rapid.Int64Range(0, int64(40*time.Hour/time.Second)).Draw(t, "later")
			f := drawFacts(t, nil)
			f.At = at
			listed := *f
			tally.Fill(f)
			p.Fill(&listed, past)
			if !reflect.DeepEqual(f.Spent, listed.Spent) {
				t.Fatalf("tally says %v, the list %v", f.Spent, listed.Spent)
			}
			if d, l := p.Decide(f), p.Decide(&listed); !reflect.DeepEqual(d, l) {
				t.Fatalf("%+v, by the list %+v", d, l)
			}
			m := policy.Moved{Action: f.Action, Asset: f.Asset, Requester: f.Requester, Amount: f.Amount, At: at}
			tally.Add(m)
			past = append(past, m)
		}
	})
}

func capped(below uint64) *policy.Policy {
	small := policy.Condition{Actions: []intent.Action{intent.Withdrawal}, Assets: of1("BTC")}
	small.Sums = []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: between(0, below)}}
	return withLayers(layer("base", allow("small", small), quorum("rest", policy.Condition{}, of("treasury", 2))))
}

func TestDryRun(t *testing.T) {
	now, next := capped(100), capped(50)
	var past []policy.Facts
	for i := range 4 { // 30 each: 30, 60, 90, 120
		f := payment(now, 30)
		f.At += int64(i * 60)
		past = append(past, *f)
	}
	late := payment(now, 30)
	late.At += int64(25 * 3600) // the first four have left the window by then
	past = append(past, *late)
	r, err := now.DryRun(next, past, time.Unix(noon()+1, 0))
	must(t, err)
	if r.Requests != 4 || r.Before[policy.Allow] != 3 || r.After[policy.Allow] != 1 || r.Changed[policy.Stricter] != 2 || len(r.Changes) != 2 || r.Changes[0].At != 1 {
		t.Fatalf("%+v", r)
	}
	if want := "Of 4 requests 2 would be decided otherwise: 2 stricter, 0 laxer, 0 other."; r.String() != want {
		t.Errorf("%s", r)
	}
	if r, err = now.DryRun(now, past, time.Unix(0, 0)); err != nil || r.Requests != 5 || len(r.Changes) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err = now.DryRun(next, make([]policy.Facts, policy.MaxDryRun+1), time.Unix(0, 0)); err == nil {
		t.Error("there is no end to it")
	}
}

func TestDiff(t *testing.T) {
	old, now := capped(100), capped(50)
	if lines := policy.Diff(old, capped(100)); lines != nil {
		t.Errorf("the same text differs: %v", lines)
	}
	now.Version, now.NotBefore = 2, old.NotBefore+60
	base := now.Layers[0].Rules
	now.Layers[0].Rules = append([]policy.Rule{deny("no-eth", policy.Condition{Assets: of1("ETH")}), base[1]}, base[0])
	now.Layers = append(now.Layers, layer("law", deny("never", policy.Condition{Chains: []string{"litecoin"}})))
	lines := policy.Diff(old, now)
	for i, want := range []string{
		"version: 1 becomes 2",
		"in force from: 2023-11-14T22:13:20Z becomes 2023-11-14T22:14:20Z",
		"layer law is new at place 2",
		"rule base/no-eth is new at place 1",
		"rule base/small, rest: the order becomes rest, small",
		`rule base/small: {"name":"small"`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q:\n%s", i, want, strings.Join(lines, "\n"))
		}
	}
	lines = policy.Diff(now, old)
	if text := fmt.Sprint(lines); !strings.Contains(text, "layer law is taken out") || !strings.Contains(text, "rule base/no-eth is taken out") {
		t.Errorf("%s", text)
	}
}

// Whatever two policies say of a request, their difference is told where they differ.
func TestDiffTellsEveryDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPolicy(t), drawPolicy(t)
		f := drawFacts(t, append(a.Windows(), b.Windows()...))
		x, y := a.Decide(f), b.Decide(f)
		if len(policy.Diff(a, b)) == 0 && !reflect.DeepEqual(x, y) {
			t.Fatalf("%+v and %+v by the same text", x, y)
		}
		if len(policy.Diff(a, a)) != 0 {
			t.Fatal("a policy differs from itself")
		}
	})
}
