package policy_test

import (
	"time"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// noon is a Wednesday, 2026-11-25 12:00 UTC.
func noon() int64 { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC).Unix() }

func units(n uint64) money.Units { return money.FromUint64(n) }

func of(group string, count int) *consent.Requirement {
	return &consent.Requirement{Group: group, Count: count}
}

func both(a, b *consent.Requirement) *consent.Requirement {
	return &consent.Requirement{All: []consent.Requirement{*a, *b}}
}

func between(from, below uint64) policy.Range {
	return policy.Range{From: units(from), Below: units(below)}
}

func allow(name string, c policy.Condition) policy.Rule {
	return policy.Rule{Name: name, When: c, Outcome: policy.Allow}
}

func deny(name string, c policy.Condition) policy.Rule {
	return policy.Rule{Name: name, When: c, Outcome: policy.Deny}
}

func quorum(name string, c policy.Condition, r *consent.Requirement) policy.Rule {
	return policy.Rule{Name: name, When: c, Outcome: policy.Quorum, Requirement: r, Lives: policy.Span(24 * time.Hour)}
}

func layer(name string, rules ...policy.Rule) policy.Layer {
	return policy.Layer{Name: name, Rules: rules}
}

func of1(asset string) []string { return []string{asset} }

func withLayers(layers ...policy.Layer) *policy.Policy {
	return &policy.Policy{Environment: "test", Version: 1, NotBefore: 1_700_000_000, Layers: layers}
}

// payment is a withdrawal of bitcoin to a new address, before which nothing moved.
func payment(p *policy.Policy, amount uint64) *policy.Facts {
	f := &policy.Facts{
		Environment: "test", Action: intent.Withdrawal, Chain: "bitcoin", Asset: "BTC", Amount: units(amount),
		Class: policy.New, Requester: "customer:7", At: noon(),
	}
	spend(p, f, 0)
	return f
}

// spend says that as much moved before in each window.
func spend(p *policy.Policy, f *policy.Facts, amount uint64) {
	f.Spent = nil
	for _, w := range p.Windows() {
		f.Spent = append(f.Spent, policy.Spent{Window: w, Amount: units(amount)})
	}
}

// must takes tests of both kinds.
func must(tb interface {
	Helper()
	Fatal(args ...any)
}, err error,
) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
