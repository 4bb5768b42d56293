package policy_test

import (
	"fmt"
	"testing"
	"time"

	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// hundred has a hundred rules in two layers, of which the last of each fits.
func hundred() *policy.Policy {
	var base, limits policy.Layer
	base.Name, limits.Name = "base", "limits"
	for i := range 49 {
		named := policy.Condition{
			Actions: []intent.Action{intent.Sweep, intent.Withdrawal}, Assets: of1("BTC"), Chains: of1("bitcoin"),
			Requesters: policy.Requesters{IDs: of1(fmt.Sprintf("customer:%d", 1000+i))}, Amount: between(uint64(i+1), 0),
		}
		base.Rules = append(base.Rules, allow(fmt.Sprintf("customer-%d", i), named))
		daily := policy.Condition{Actions: []intent.Action{intent.Withdrawal}, Assets: of1("BTC")}
		daily.Sums = []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: between(uint64(1_000_000+i), 0)}}
		limits.Rules = append(limits.Rules, deny(fmt.Sprintf("limit-%d", i), daily))
	}
	base.Rules = append(base.Rules, allow("rest", policy.Condition{}))
	limits.Rules = append(limits.Rules, quorum("rest", policy.Condition{}, of("treasury", 2)))
	return withLayers(base, limits)
}

func BenchmarkDecide(b *testing.B) {
	p := hundred()
	must(b, p.Check())
	f := payment(p, 10)
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Decide(f); d.Rule != "rest" {
			b.Fatal(d.Sentence)
		}
	}
}

func BenchmarkAlone(b *testing.B) {
	for name, p := range map[string]*policy.Policy{"house": house(b), "hundred": hundred(), "vast": vast()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var a *policy.Powers
			for b.Loop() {
				a = policy.Alone(p, three(), "BTC", units(200_000_000))
			}
			b.ReportMetric(float64(a.Evaluations), "evaluations")
		})
	}
}

// vast tells more requests apart than are looked at.
func vast() *policy.Policy {
	p := withLayers(layer("base", allow("rest", policy.Condition{})))
	for i := range 64 {
		one := fmt.Sprintf("%08x", i)
		c := policy.Condition{Chains: of1("chain-" + one)}
		contract := policy.Condition{Contracts: of1("0x" + one)}
		selector := policy.Condition{Selectors: of1(one)}
		p.Layers[0].Rules = append([]policy.Rule{deny("a"+one, c), deny("b"+one, contract), deny("c"+one, selector)}, p.Layers[0].Rules...)
	}
	return p
}
