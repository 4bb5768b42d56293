package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// house is the policy of testdata/house.json.
func house(tb testing.TB) *policy.Policy {
	tb.Helper()
	text, err := os.ReadFile("testdata/house.json")
	must(tb, err)
	p, err := policy.Parse(text)
	must(tb, err)
	return p
}

// three are two officers of the treasury, one more of it, and one who only audits.
func three() *consent.Roster {
	treasury := []string{"treasury"}
	return &consent.Roster{Persons: []consent.Person{
		{ID: "ada", Groups: treasury, Officer: true},
		{ID: "bob", Groups: treasury, Officer: true},
		{ID: "cem", Groups: treasury},
		{ID: "dee", Groups: []string{"audit"}},
	}}
}

func bitcoin(code string) (money.Asset, bool) {
	return money.Asset{Code: "BTC", Scale: 8}, code == "BTC"
}

// passes reports whether a request passes by the consent of one person, or of nobody.
func passes(r *consent.Roster, person string, f *policy.Facts, d *policy.Decision) bool {
	if d.Outcome == policy.Allow {
		return true
	}
	p := r.Person(person)
	return d.Outcome == policy.Quorum && p != nil && person != f.Requester && d.Requirement.Met([][]string{p.Member()})
}

// fatals is a test of either kind.
type fatals interface {
	Helper()
	Fatalf(format string, args ...any)
}

// firstOf is whose steps they are.
func firstOf(p *policy.Power) string {
	if len(p.Persons) == 0 {
		return ""
	}
	return p.Persons[0]
}

// replay makes every step of an answer, and asks the policy each time.
func replay(t fatals, p *policy.Policy, r *consent.Roster, person string, reach *policy.Reach) {
	t.Helper()
	const enough = 40 // of what goes on without end
	tally, total := policy.NewTally(p.Windows()...), money.Units{}
	for at := range reach.Steps {
		s := &reach.Steps[at]
		times := s.Times
		if times == 0 {
			times = enough
		}
		for n := range times {
			f := s.Facts
			if s.Anew {
				f.Requester = fmt.Sprintf("%s.%d", f.Requester, n)
			}
			if len(reach.Steps) > 1 || times > 1 {
				tally.Fill(&f) // a single step has its own past
			}
			if d := p.Decide(&f); !passes(r, person, &f, &d) {
				t.Fatalf("%q: step %d, time %d does not pass: %s", person, at, n, d.Sentence)
			}
			tally.Add(policy.Moved{Action: f.Action, Asset: f.Asset, Requester: f.Requester, Amount: f.Amount, At: f.At})
			total, _ = total.Add(f.Amount)
		}
	}
	if reach.Bounded && (reach.Endless || reach.Bound.Less(reach.Most)) {
		t.Fatalf("%q: it moves more than it is shown never to: %+v", person, reach)
	}
	if len(reach.Steps) < policy.MaxSteps && !reach.Endless && total != reach.Most {
		t.Fatalf("%q: the steps move %s, not %s", person, total, reach.Most)
	}
}

func TestAloneInTheHouse(t *testing.T) {
	p, r := house(t), three()
	a := policy.Alone(p, r, "BTC", units(200_000_000))
	want := []string{
		"Nobody alone can move more than 2 BTC out of the house at once: without anybody's consent at most 0.14999999 BTC; no one person's consent adds to that.",
		"Nobody alone can move more than 2 BTC out of the house within 24 hours: without anybody's consent at most 1.99999999 BTC; no one person's consent adds to that.",
		"More than 2 BTC can move between addresses of the house at once without anybody's consent: without anybody's consent at most 4.99999999 BTC; no one person's consent adds to that.",
		"More than 2 BTC can move between addresses of the house within 24 hours without anybody's consent: without anybody's consent at most 6.99999998 BTC; no one person's consent adds to that.",
	}
	if got := a.Sentences(bitcoin); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error(strings.Join(got, "\n"))
	}
	if a.More() || !a.Complete {
		t.Errorf("%+v", a)
	}
	for _, power := range append(a.Out, a.Inside...) {
		replay(t, p, r, firstOf(&power), &power.AtOnce)
		replay(t, p, r, firstOf(&power), &power.Daily)
	}
	t.Logf("%d evaluations", a.Evaluations)
}

// TestAlone: policies in which somebody can, and what is said then.
func TestAlone(t *testing.T) {
	type cond = policy.Condition
	always := cond{}
	sum := func(per policy.Per, hours int, from, below uint64) cond {
		return cond{Assets: of1("BTC"), Sums: []policy.Sum{{Per: per, Window: policy.Span(time.Duration(hours) * time.Hour), Range: between(from, below)}}}
	}
	each := cond{Assets: of1("BTC"), Amount: between(0, 11)}
	on := func(chain string, c cond) cond { c.Chains = of1(chain); return c }
	withAmount := func(from, below uint64, c cond) cond { c.Amount = between(from, below); return c }
	two := slices.Concat(sum(policy.House, 6, 100, 0).Sums, sum(policy.House, 24, 0, 50).Sums)
	by := func(c cond, ids ...string) cond { c.Requesters.IDs = ids; return c }
	const nobody, anyone = "without anybody's consent", "with the consent of ada, bob or cem alone"
	for name, c := range map[string]struct {
		layers      []policy.Layer
		once, daily string // of all that is said, a part
	}{
		"allow":             {[]policy.Layer{layer("a", allow("x", always))}, nobody + " any amount;", nobody + " any amount;"},
		"deny":              {[]policy.Layer{layer("a", deny("x", always))}, nobody + " nothing;", nobody + " nothing;"},
		"one of treasury":   {[]policy.Layer{layer("a", quorum("x", always, of("treasury", 1)))}, nobody + " nothing; " + anyone + " any amount.", anyone + " any amount."},
		"one of two":        {[]policy.Layer{layer("a", quorum("x", always, both(of("treasury", 1), of("officers", 1))))}, "with the consent of ada or bob alone any amount.", "any amount."},
		"two of treasury":   {[]policy.Layer{layer("a", quorum("x", always, of("treasury", 2)))}, nobody + " nothing; no one", nobody + " nothing; no one"},
		"small each":        {[]policy.Layer{layer("a", allow("x", each))}, nobody + " at most 10 base", "any amount, in many transactions"},
		"a day":             {[]policy.Layer{layer("a", allow("x", sum(policy.House, 24, 0, 101)))}, "at most 100 base", "at most 100 base"},
		"an hour":           {[]policy.Layer{layer("a", allow("x", sum(policy.House, 1, 0, 101)))}, "at most 100 base", "at most 2400 base"},
		"seven hours":       {[]policy.Layer{layer("a", allow("x", sum(policy.House, 7, 0, 101)))}, "at most 100 base", "at most 400 base"},
		"each customer":     {[]policy.Layer{layer("a", allow("x", by(sum(policy.Requester, 24, 0, 101), "customer:*")))}, "at most 100 base", "any amount, in many transactions"},
		"ada and bob":       {[]policy.Layer{layer("a", allow("x", by(sum(policy.Requester, 24, 0, 101), "ada", "bob")))}, "at most 100 base", "at most 200 base"},
		"limit behind":      {[]policy.Layer{layer("a", deny("y", sum(policy.House, 24, 51, 0)), allow("x", each))}, "at most 10 base", "at most 50 base"},
		"limit outside":     {[]policy.Layer{layer("a", allow("x", always)), layer("b", quorum("y", sum(policy.House, 48, 51, 0), of("treasury", 2)))}, "at most 50 base", "at most 50 base"},
		"asks, no consent":  {[]policy.Layer{layer("a", quorum("x", by(always, "ada"), of("officers", 1)))}, nobody + " nothing; with the consent of bob alone any amount.", "consent of bob alone any amount."},
		"lax after":         {[]policy.Layer{layer("a", allow("x", sum(policy.House, 24, 100, 0)), allow("y", each))}, "any amount;", "any amount"},
		"not shown":         {[]policy.Layer{layer("a", allow("x", sum(policy.House, 24, 0, 31)), allow("y", cond{Actions: []intent.Action{intent.Withdrawal}, Assets: of1("BTC"), Sums: sum(policy.House, 24, 0, 41).Sums}))}, "at most 40 base", "40 base units of BTC, and it is shown only that it cannot be more than 70 base"},
		"after others":      {[]policy.Layer{layer("a", allow("x", withAmount(0, 50, sum(policy.House, 24, 100, 0))))}, nobody + " at most 49 base", "49 base units of BTC, and it is not shown that it cannot be more"},
		"two limits":        {[]policy.Layer{layer("a", allow("x", withAmount(0, 5, sum(policy.House, 24, 0, 31))), allow("y", sum(policy.House, 24, 0, 41)))}, "at most 40 base", "at most 40 base"},
		"by chain":          {[]policy.Layer{layer("a", allow("x", on("one", sum(policy.House, 24, 0, 31))), allow("y", on("two", sum(policy.House, 24, 0, 41))))}, "at most 40 base", "at most 40 base"},
		"cannot be":         {[]policy.Layer{layer("a", allow("x", cond{Assets: of1("BTC"), Sums: two}))}, nobody + " nothing;", ""},
		"large are limited": {[]policy.Layer{layer("a", deny("y", withAmount(5, 0, sum(policy.House, 24, 51, 0))), allow("x", each))}, "at most 10 base", "any amount, in many transactions"},
		"nobody knows":      {[]policy.Layer{layer("a", deny("y", by(always, "ada", "bob", "cem", "customer:*", "dee", "system")), allow("x", always))}, nobody + " any amount;", nobody + " any amount;"},
		"another chain":     {[]policy.Layer{layer("a", deny("y", on("one", always)), allow("x", always))}, nobody + " any amount;", nobody + " any amount;"},
		"denied outside":    {[]policy.Layer{layer("a", allow("x", each)), layer("b", deny("y", always))}, nobody + " nothing;", nobody + " nothing;"},
		"other asset":       {[]policy.Layer{layer("a", allow("x", cond{Assets: of1("ETH")}))}, nobody + " nothing;", nobody + " nothing;"},
	} {
		p := withLayers(c.layers...)
		a := policy.Alone(p, three(), "BTC", units(50))
		said := a.Sentences(nil)
		if !strings.Contains(said[0], c.once) || !strings.Contains(said[1], c.daily) {
			t.Errorf("%s:\n%s\n%s", name, said[0], said[1])
		}
		for _, power := range a.Out {
			replay(t, p, three(), firstOf(&power), &power.Daily)
		}
	}
}

// TestAloneGivesUp: where there is too much to look at, nothing counts as impossible.
func TestAloneGivesUp(t *testing.T) {
	p := vast()
	must(t, p.Check())
	a := policy.Alone(p, three(), "BTC", units(50))
	if a.Complete || !a.More() {
		t.Errorf("%+v", a)
	}
	for _, power := range append(a.Out, a.Inside...) {
		if !power.AtOnce.More || !power.Daily.More {
			t.Errorf("%+v", power)
		}
	}
	if said := a.Sentences(nil); len(said) != 5 || !strings.Contains(said[4], "too large") {
		t.Error(said)
	}
}

// TestAloneOfNoPolicy: what is not valid lets nothing pass, and says so.
func TestAloneOfNoPolicy(t *testing.T) {
	for _, r := range []*consent.Roster{nil, three()} {
		a := policy.Alone(&policy.Policy{}, r, "BTC", units(0))
		if a.More() || !a.Complete || !a.Out[0].Daily.Most.IsZero() {
			t.Errorf("%+v", a)
		}
	}
}
