package policy_test

import (
	"strings"
	"testing"
	"time"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// TestConditions changes one fact at a time and says whether a rule still fits.
func TestConditions(t *testing.T) {
	type set = func(*policy.Facts)
	type cond = policy.Condition
	on := func(from, until policy.Minute, days ...policy.Day) cond {
		return cond{Times: []policy.Times{{Days: days, From: from, Until: until}}}
	}
	at := func(day, hour, minute int) set {
		return func(f *policy.Facts) { f.At = time.Date(2026, 11, day, hour, minute, 59, 0, time.UTC).Unix() }
	}
	amount := func(n uint64) set { return func(f *policy.Facts) { f.Amount = units(n) } }
	asks := func(id string, groups ...string) set {
		return func(f *policy.Facts) { f.Requester, f.Groups = id, groups }
	}
	sum := func(from, below uint64) cond {
		return cond{Assets: of1("BTC"), Sums: []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: between(from, below)}}}
	}
	spent := func(n uint64) set { return func(f *policy.Facts) { f.Spent[0].Amount = units(n) } }
	nothing := func(*policy.Facts) {}
	for name, c := range map[string]struct {
		when cond
		set  set
		fits bool
	}{
		"everything":            {cond{}, nothing, true},
		"action":                {cond{Actions: []intent.Action{intent.Sweep, intent.Withdrawal}}, nothing, true},
		"other action":          {cond{Actions: []intent.Action{intent.Sweep}}, nothing, false},
		"chain":                 {cond{Chains: of1("bitcoin")}, nothing, true},
		"other chain":           {cond{Chains: of1("Bitcoin")}, nothing, false},
		"asset":                 {cond{Assets: of1("BTC")}, nothing, true},
		"other asset":           {cond{Assets: []string{"ETH", "LTC"}}, nothing, false},
		"no contract":           {cond{Contracts: of1(policy.None)}, nothing, true},
		"a contract":            {cond{Contracts: of1(policy.None)}, func(f *policy.Facts) { f.Contract = "0xAb" }, false},
		"contract of any size":  {cond{Contracts: of1("0xAB")}, func(f *policy.Facts) { f.Contract = "0xab" }, true},
		"no selector":           {cond{Selectors: of1(policy.None)}, nothing, true},
		"selector":              {cond{Selectors: of1("a9059cbb")}, func(f *policy.Facts) { f.Selector = "a9059cbb" }, true},
		"other selector":        {cond{Selectors: []string{"a9059cbb", policy.None}}, func(f *policy.Facts) { f.Selector = "095ea7b3" }, false},
		"destination":           {cond{Destinations: []policy.Class{policy.New}}, nothing, true},
		"other destination":     {cond{Destinations: []policy.Class{policy.Allowlisted, policy.Own}}, nothing, false},
		"id":                    {cond{Requesters: policy.Requesters{IDs: of1("ada")}}, asks("ada"), true},
		"other id":              {cond{Requesters: policy.Requesters{IDs: of1("ada")}}, asks("bea"), false},
		"any customer":          {cond{Requesters: policy.Requesters{IDs: of1("customer:*")}}, nothing, true},
		"no customer":           {cond{Requesters: policy.Requesters{IDs: of1("customer:*")}}, asks("customer"), false},
		"group":                 {cond{Requesters: policy.Requesters{Groups: of1("ops")}}, asks("ada", "risk", "ops"), true},
		"group or id":           {cond{Requesters: policy.Requesters{Groups: of1("ops"), IDs: of1("bea")}}, asks("bea"), true},
		"other group":           {cond{Requesters: policy.Requesters{Groups: of1("ops")}}, asks("ada", "risk"), false},
		"customer with a group": {cond{Requesters: policy.Requesters{Groups: of1("ops")}}, asks("customer:7", "ops"), false},
		"at from":               {cond{Amount: between(10, 20)}, amount(10), true},
		"under from":            {cond{Amount: between(10, 20)}, amount(9), false},
		"under below":           {cond{Amount: between(10, 20)}, amount(19), true},
		"at below":              {cond{Amount: between(10, 20)}, amount(20), false},
		"no upper end":          {cond{Amount: between(10, 0)}, amount(1 << 60), true},
		"sum with itself":       {sum(100, 0), spent(90), true}, // 90 and the 10 that are asked for
		"sum under from":        {sum(100, 0), spent(89), false},
		"sum under below":       {sum(0, 100), spent(89), true},
		"sum at below":          {sum(0, 100), spent(90), false},
		"day":                   {on(0, 0, policy.Wednesday), nothing, true},
		"other day":             {on(0, 0, policy.Saturday, policy.Sunday), nothing, false},
		"sunday":                {on(0, 0, policy.Saturday, policy.Sunday), at(29, 23, 59), true},
		"time from":             {on(8*60+30, 18*60), at(25, 8, 30), true},
		"time before from":      {on(8*60+30, 18*60), at(25, 8, 29), false},
		"time before until":     {on(8*60+30, 18*60), at(25, 17, 59), true},
		"time at until":         {on(8*60+30, 18*60), at(25, 18, 0), false},
		"time to midnight":      {on(20*60, 0), at(25, 23, 59), true},
	} {
		p := withLayers(layer("base", allow("it", c.when), deny("else", cond{})))
		f := payment(p, 10)
		c.set(f)
		if d := p.Decide(f); (d.Outcome == policy.Allow) != c.fits {
			t.Errorf("%s: %s", name, d.Sentence)
		}
	}
}

// TestTimesAreUTC: where the process runs says nothing.
func TestTimesAreUTC(t *testing.T) {
	p := withLayers(layer("base", allow("day", policy.Condition{Times: []policy.Times{{From: 12 * 60, Until: 13 * 60}}})))
	i := intent.Intent{Environment: "test", Action: intent.Withdrawal, Asset: "BTC", Amount: units(1), Requester: "ada"}
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)} {
		f := policy.Of(&i, policy.New, "", nil, time.Unix(noon(), 0).In(zone))
		if d := p.Decide(&f); d.Outcome != policy.Allow {
			t.Error(zone, d.Sentence)
		}
	}
}

// TestLayers: the first rule that fits in each, and of layers the strictest.
func TestLayers(t *testing.T) {
	always, big := policy.Condition{}, policy.Condition{Assets: of1("BTC"), Amount: between(100, 0)}
	two, risk := quorum("two", always, of("treasury", 2)), quorum("risk", always, of("risk", 1))
	short := quorum("short", always, of("treasury", 1))
	short.Lives = policy.Span(time.Hour)
	for name, c := range map[string]struct {
		layers      []policy.Layer
		outcome     policy.Outcome
		requirement *consent.Requirement
		layer, rule string
		lives       time.Duration
	}{
		"first of a layer":     {[]policy.Layer{layer("a", allow("x", always), deny("y", always))}, policy.Allow, nil, "a", "x", 0},
		"none fits":            {[]policy.Layer{layer("a", allow("x", big))}, policy.Deny, nil, "", "", 0},
		"base has no say":      {[]policy.Layer{layer("a", allow("x", big)), layer("b", allow("y", always))}, policy.Deny, nil, "", "", 0},
		"other has no say":     {[]policy.Layer{layer("a", allow("x", always)), layer("b", deny("y", big))}, policy.Allow, nil, "a", "x", 0},
		"deny after allow":     {[]policy.Layer{layer("a", allow("x", always)), layer("b", deny("y", always))}, policy.Deny, nil, "b", "y", 0},
		"allow after deny":     {[]policy.Layer{layer("a", deny("x", always)), layer("b", allow("y", always))}, policy.Deny, nil, "a", "x", 0},
		"allow after quorum":   {[]policy.Layer{layer("a", two), layer("b", allow("y", always))}, policy.Quorum, of("treasury", 2), "a", "two", 24 * time.Hour},
		"stronger of two":      {[]policy.Layer{layer("a", short), layer("b", two)}, policy.Quorum, of("treasury", 2), "a", "short", time.Hour},
		"two that are not one": {[]policy.Layer{layer("a", two), layer("b", risk)}, policy.Quorum, both(of("treasury", 2), of("risk", 1)), "a", "two", 24 * time.Hour},
	} {
		p := withLayers(c.layers...)
		d := p.Decide(payment(p, 1))
		if d.Outcome != c.outcome || d.Layer != c.layer || d.Rule != c.rule || d.Lives != c.lives {
			t.Errorf("%s: %+v", name, d)
		}
		if c.requirement != nil && d.Requirement.String() != c.requirement.String() {
			t.Errorf("%s: asks %s", name, &d.Requirement)
		}
	}
}

// TestWhatCannotBeDecidedIsDenied, each with its reason.
func TestWhatCannotBeDecidedIsDenied(t *testing.T) {
	limit := policy.Condition{Assets: of1("BTC"), Sums: []policy.Sum{{Per: policy.Requester, Window: policy.Span(time.Hour), Range: between(0, 100)}}}
	most, err := money.ParseUnits("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	must(t, err)
	for reason, set := range map[string]func(*policy.Policy, *policy.Facts){
		"another environment":   func(_ *policy.Policy, f *policy.Facts) { f.Environment = "live" },
		"not in force yet":      func(p *policy.Policy, f *policy.Facts) { f.At = p.NotBefore - 1 },
		"action is not known":   func(_ *policy.Policy, f *policy.Facts) { f.Action = "gift" },
		"neither own":           func(_ *policy.Policy, f *policy.Facts) { f.Class = "" },
		"no amount":             func(_ *policy.Policy, f *policy.Facts) { f.Amount = money.Units{} },
		"requester is not":      func(_ *policy.Policy, f *policy.Facts) { f.Requester = " Ada" },
		"selector is not":       func(_ *policy.Policy, f *policy.Facts) { f.Selector = "A9059CBB" },
		"no rule of the base":   func(_ *policy.Policy, f *policy.Facts) { f.Asset = "ETH" },
		"sum that is not known": func(_ *policy.Policy, f *policy.Facts) { f.Spent = nil },
		"cannot be told":        func(_ *policy.Policy, f *policy.Facts) { f.Spent[0].Amount = most },
		"policy is not valid":   func(p *policy.Policy, _ *policy.Facts) { p.Layers = make([]policy.Layer, policy.MaxLayers+1) },
		"denies":                func(p *policy.Policy, _ *policy.Facts) { p.Layers[0].Rules[0].Outcome = "maybe" },
		"rule x of layer":       func(p *policy.Policy, _ *policy.Facts) { p.Layers[0].Rules[0].Outcome = policy.Quorum },
	} {
		p := withLayers(layer("base", allow("x", limit)))
		f := payment(p, 10)
		if d := p.Decide(f); d.Outcome != policy.Allow {
			t.Fatal(d.Sentence)
		}
		set(p, f)
		if d := p.Decide(f); d.Outcome != policy.Deny || !strings.Contains(strings.ToLower(d.Sentence), reason) {
			t.Errorf("%s: %s: %s", reason, d.Outcome, d.Sentence)
		}
	}
}

func TestExplain(t *testing.T) {
	big := policy.Condition{
		Actions: []intent.Action{intent.Withdrawal}, Assets: of1("BTC"), Destinations: []policy.Class{policy.New},
		Sums: []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: between(100_000_000, 0)}},
	}
	p := withLayers(layer("base", quorum("large", big, of("treasury", 2))), layer("night", quorum("late", policy.Condition{Times: []policy.Times{{From: 660}}}, of("risk", 1))))
	f := payment(p, 150_000_000)
	wholes := func(code string) (money.Asset, bool) { return money.Asset{Code: "BTC", Scale: 8}, code == "BTC" }
	const want = "Rule large of layer base asks 2 of treasury within 24h for a withdrawal of 1.5 BTC, because it is a withdrawal of BTC " +
		"and its destination is new and with it the house has moved 1.5 BTC in 24h, which is at least 1 BTC; rule late of layer night asks " +
		"1 of risk within 24h, because it is wed 12:00 UTC; together that is 2 of treasury and 1 of risk within 24h."
	if got := p.Explain(f, wholes); got != want {
		t.Error(got)
	}
	if d := p.Decide(f); !strings.Contains(d.Sentence, "150000000 base units of BTC") {
		t.Error(d.Sentence)
	}
}
