package policy_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// pick draws a subset in order, empty more often than not.
func pick[T any](t *rapid.T, from []T, label string) []T {
	var some []T
	if rapid.Bool().Draw(t, label+" any") {
		return nil
	}
	for _, is := range from {
		if rapid.Bool().Draw(t, label) {
			some = append(some, is)
		}
	}
	return some
}

func drawRange(t *rapid.T, most uint64) policy.Range {
	from := rapid.Uint64Range(0, most-1).Draw(t, "from")
	if from > 0 && rapid.Bool().Draw(t, "open") {
		return between(from, 0)
	}
	return between(from, rapid.Uint64Range(from+1, most).Draw(t, "below"))
}

func drawCondition(t *rapid.T) policy.Condition {
	c := policy.Condition{
		Actions:      pick(t, []intent.Action{intent.ColdSpend, intent.Withdrawal}, "actions"),
		Chains:       pick(t, []string{"one"}, "chains"),
		Contracts:    pick(t, []string{"0xc", policy.None}, "contracts"),
		Destinations: pick(t, []policy.Class{policy.Allowlisted, policy.New}, "destinations"),
		Requesters: policy.Requesters{
			Groups: pick(t, []string{"board", "treasury"}, "groups"), IDs: pick(t, []string{"ada", "customer:*", "system"}, "ids"),
		},
	}
	if rapid.IntRange(0, 3).Draw(t, "timed") == 0 {
		c.Times = []policy.Times{{Days: []policy.Day{policy.Saturday}, From: 60}}
	}
	switch rapid.IntRange(0, 3).Draw(t, "amounts") {
	case 0:
		c.Assets, c.Amount = of1("BTC"), drawRange(t, 6)
	case 1:
		c.Assets, c.Sums = of1("BTC"), []policy.Sum{drawSum(t)}
	case 2:
		c.Assets, c.Amount, c.Sums = of1("BTC"), drawRange(t, 6), []policy.Sum{drawSum(t)}
	}
	return c
}

func drawSum(t *rapid.T) policy.Sum {
	return policy.Sum{
		Per:    rapid.SampledFrom([]policy.Per{policy.House, policy.Requester}).Draw(t, "per"),
		Window: policy.Span(rapid.SampledFrom([]time.Duration{6 * time.Hour, 24 * time.Hour, 48 * time.Hour}).Draw(t, "window")),
		Range:  drawRange(t, 9),
	}
}

func drawRequirement(t *rapid.T, deep int) consent.Requirement {
	if deep == 1 || rapid.Bool().Draw(t, "leaf") {
		return *of(rapid.SampledFrom([]string{"board", "risk", "treasury"}).Draw(t, "group"), rapid.IntRange(1, 3).Draw(t, "count"))
	}
	var members []consent.Requirement
	for range rapid.IntRange(1, 3).Draw(t, "members") {
		members = append(members, drawRequirement(t, deep-1))
	}
	if rapid.Bool().Draw(t, "all") {
		return consent.Requirement{All: members}
	}
	return consent.Requirement{Any: members}
}

func drawRule(t *rapid.T, name string) policy.Rule {
	c := drawCondition(t)
	switch rapid.IntRange(0, 2).Draw(t, "outcome") {
	case 0:
		return allow(name, c)
	case 1:
		return deny(name, c)
	}
	need := drawRequirement(t, policy.MaxRequirementDepth)
	r := quorum(name, c, &need)
	r.Lives = policy.Span(time.Duration(rapid.IntRange(1, 48).Draw(t, "lives")) * time.Hour)
	return r
}

func drawLayer(t *rapid.T, name string) policy.Layer {
	l := policy.Layer{Name: name}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		l.Rules = append(l.Rules, drawRule(t, string(rune('a'+i))))
	}
	return l
}

func drawPolicy(t *rapid.T) *policy.Policy {
	p := withLayers()
	for i := range rapid.IntRange(1, 3).Draw(t, "layers") {
		p.Layers = append(p.Layers, drawLayer(t, "layer-"+string(rune('a'+i))))
	}
	return p
}

func drawFacts(t *rapid.T, windows []policy.Window) *policy.Facts {
	f := &policy.Facts{
		Environment: "test",
		Action:      rapid.SampledFrom([]intent.Action{intent.Withdrawal, intent.ColdSpend, intent.Sweep}).Draw(t, "action"),
		Chain:       rapid.SampledFrom([]string{"one", "two"}).Draw(t, "chain"),
		Asset:       rapid.SampledFrom([]string{"BTC", "BTC", "BTC", "ETH"}).Draw(t, "asset"),
		Contract:    rapid.SampledFrom([]string{"", "0xc"}).Draw(t, "contract"),
		Amount:      units(rapid.Uint64Range(1, 7).Draw(t, "amount")),
		Class:       rapid.SampledFrom([]policy.Class{policy.New, policy.Allowlisted, policy.Own}).Draw(t, "class"),
		Requester:   rapid.SampledFrom([]string{"ada", "bea", "customer:1", "system"}).Draw(t, "requester"),
		Groups:      pick(t, []string{"board", "treasury"}, "groups of"),
		At:          noon() + int64(rapid.IntRange(0, 7*24).Draw(t, "hour"))*3600,
	}
	for _, w := range windows {
		if rapid.IntRange(0, 19).Draw(t, "known") > 0 {
			f.Spent = append(f.Spent, policy.Spent{Window: w, Amount: units(rapid.Uint64Range(0, 9).Draw(t, "spent"))})
		}
	}
	return f
}

func drawPeople(t *rapid.T) [][]string {
	var people [][]string
	for range rapid.IntRange(0, 6).Draw(t, "people") {
		people = append(people, pick(t, []string{"board", "risk", "treasury"}, "member"))
	}
	return people
}

func rank(o policy.Outcome) int {
	return slices.Index([]policy.Outcome{policy.Allow, policy.Quorum, policy.Deny}, o)
}

// TestALayerOnlyTightens: wherever a layer is put after the base, no request gets an
// easier answer, and nobody who was not enough before is enough now.
func TestALayerOnlyTightens(t *testing.T) {
	tightened := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		more := *p
		more.Layers = slices.Insert(slices.Clone(p.Layers), rapid.IntRange(1, len(p.Layers)).Draw(t, "place"), drawLayer(t, "more"))
		must(t, more.Check())
		for range 8 {
			f := drawFacts(t, more.Windows())
			was, is := p.Decide(f), more.Decide(f)
			if rank(is.Outcome) < rank(was.Outcome) {
				t.Fatalf("laxer:\n%s\n%s", was.Sentence, is.Sentence)
			}
			if change := policy.Compare(&was, &is); change == policy.Laxer || change == policy.Other {
				t.Fatalf("%s:\n%s\n%s", change, was.Sentence, is.Sentence)
			} else if change == policy.Stricter {
				tightened++
			}
			if was.Outcome != policy.Quorum || is.Outcome != policy.Quorum {
				continue
			}
			must(t, is.Requirement.Check())
			if is.Lives > was.Lives {
				t.Fatal("it lives longer", was, is)
			}
			if people := drawPeople(t); is.Requirement.Met(people) && !was.Requirement.Met(people) {
				t.Fatalf("%v meet %s and did not meet %s", people, &is.Requirement, &was.Requirement)
			}
		}
	})
	if tightened == 0 {
		t.Fatal("no layer ever tightened anything")
	}
}

// TestImplies: what it says holds for any people, and it sees what is plain.
func TestImplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRequirement(t, 3), drawRequirement(t, 3)
		if !policy.Implies(&a, &a) {
			t.Fatalf("%s does not imply itself", &a)
		}
		if !policy.Implies(both(&a, &b), &a) || !policy.Implies(&a, &consent.Requirement{Any: []consent.Requirement{b, a}}) {
			t.Fatalf("%s and %s are not seen", &a, &b)
		}
		if people := drawPeople(t); policy.Implies(&a, &b) && a.Met(people) && !b.Met(people) {
			t.Fatalf("%v meet %s and not %s", people, &a, &b)
		}
	})
}

// TestDecideByTheBook holds Decide against the rule written down once more, plainly.
func TestDecideByTheBook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		f := drawFacts(t, p.Windows())
		people := drawPeople(t)
		d := p.Decide(f)
		passes := d.Outcome == policy.Allow || d.Outcome == policy.Quorum && d.Requirement.Met(people)
		want := true
		for i, l := range p.Layers {
			said := false
			for _, r := range l.Rules {
				fits, known := plainly(r.When, f)
				if !fits {
					continue
				}
				said = true
				want = want && known && (r.Outcome == policy.Allow || r.Outcome == policy.Quorum && r.Requirement.Met(people))
				break
			}
			want = want && (said || i > 0)
		}
		if passes != want {
			t.Fatalf("passes %v, by the book %v: %s", passes, want, d.Sentence)
		}
	})
}

// plainly reads the parts of a condition that drawCondition draws.
func plainly(c policy.Condition, f *policy.Facts) (fits, known bool) {
	asks := len(c.Requesters.IDs)+len(c.Requesters.Groups) == 0
	for _, id := range c.Requesters.IDs {
		asks = asks || id == f.Requester || id == "customer:*" && f.Requester == "customer:1"
	}
	for _, group := range c.Requesters.Groups {
		asks = asks || f.Requester != "customer:1" && slices.Contains(f.Groups, group)
	}
	at := time.Unix(f.At, 0).UTC()
	contract := f.Contract
	if contract == "" {
		contract = "none"
	}
	amount, _ := f.Amount.Uint64()
	fits = asks && (len(c.Actions) == 0 || slices.Contains(c.Actions, f.Action)) &&
		(len(c.Chains) == 0 || f.Chain == "one") && (len(c.Assets) == 0 || f.Asset == "BTC") &&
		(len(c.Contracts) == 0 || slices.Contains(c.Contracts, contract)) &&
		(len(c.Destinations) == 0 || slices.Contains(c.Destinations, f.Class)) &&
		(len(c.Times) == 0 || at.Weekday() == time.Saturday && at.Hour() >= 1) && plainRange(c.Amount, amount)
	known = true
	for _, s := range c.Sums {
		found := false
		for _, spent := range f.Spent {
			if spent.Window.Per == s.Per && spent.Window.Span == s.Window && slices.Equal(spent.Window.Actions, c.Actions) {
				before, _ := spent.Amount.Uint64()
				fits, found = fits && plainRange(s.Range, before+amount), true
			}
		}
		known = known && found
	}
	return fits, known
}

func plainRange(r policy.Range, n uint64) bool {
	from, _ := r.From.Uint64()
	below, _ := r.Below.Uint64()
	return n >= from && (below == 0 || n < below)
}
