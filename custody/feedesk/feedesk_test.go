package feedesk_test

import (
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

func u(n uint64) money.Units { return money.FromUint64(n) }

// extreme draws amounts of all magnitudes up to the largest.
func extreme() *rapid.Generator[money.Units] {
	return rapid.Custom(func(t *rapid.T) money.Units {
		n := new(big.Int).Lsh(big.NewInt(1), rapid.UintRange(0, 255).Draw(t, "bits"))
		n.Sub(n, new(big.Int).SetUint64(rapid.Uint64Range(0, 3).Draw(t, "less")))
		if n.Sign() < 0 {
			n.SetInt64(0)
		}
		units, err := money.FromBig(n)
		if err != nil {
			t.Fatal(err)
		}
		return units
	})
}

func amounts() *rapid.Generator[money.Units] {
	return rapid.OneOf(extreme(), rapid.Map(rapid.Uint64Range(0, 1_000_000_000_000), u))
}

func pace() *rapid.Generator[feedesk.Pace] {
	return rapid.Custom(func(t *rapid.T) feedesk.Pace {
		return feedesk.Pace{
			Step:     rapid.Uint64Range(feedesk.MinStep, 2_000).Draw(t, "step"),
			Patience: time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "patience")),
			Deadline: time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "deadline")),
		}
	})
}

func gasPolicy() *rapid.Generator[feedesk.GasPolicy] {
	return rapid.Custom(func(t *rapid.T) feedesk.GasPolicy {
		return feedesk.GasPolicy{
			Pace: pace().Draw(t, "pace"), TipFloor: amounts().Draw(t, "floor"), Ceiling: amounts().Draw(t, "ceiling"),
			Budget: amounts().Draw(t, "budget"),
		}
	}).Filter(func(p feedesk.GasPolicy) bool { return p.Check() == nil })
}

func ratePolicy() *rapid.Generator[feedesk.RatePolicy] {
	return rapid.Custom(func(t *rapid.T) feedesk.RatePolicy {
		return feedesk.RatePolicy{
			Pace: pace().Draw(t, "pace"), Floor: rapid.Uint64Min(1).Draw(t, "floor"), Ceiling: rapid.Uint64().Draw(t, "ceiling"),
			Relay: rapid.Uint64().Draw(t, "relay"), Budget: amounts().Draw(t, "budget"),
		}
	}).Filter(func(p feedesk.RatePolicy) bool { return p.Check() == nil })
}

func clock() *rapid.Generator[feedesk.Clock] {
	return rapid.Custom(func(t *rapid.T) feedesk.Clock {
		return feedesk.Clock{
			Age:  time.Duration(rapid.Int64().Draw(t, "age")),
			Last: time.Duration(rapid.Int64().Draw(t, "last")),
		}
	})
}

func market(gas uint64) *rapid.Generator[chainadapters.Fee] {
	return rapid.Custom(func(t *rapid.T) chainadapters.Fee {
		return chainadapters.Fee{GasLimit: gas, TipCap: amounts().Draw(t, "tip"), FeeCap: amounts().Draw(t, "cap")}
	})
}

// allowed fails where a fee is beyond what the policy permits.
func allowed(t *rapid.T, p feedesk.GasPolicy, fee chainadapters.Fee) {
	cost, err := fee.FeeCap.Mul(fee.GasLimit)
	if err != nil || p.Budget.Less(cost) || p.Ceiling.Less(fee.FeeCap) || fee.FeeCap.Less(fee.TipCap) {
		t.Fatalf("%+v is beyond %+v", fee, p)
	}
}

// replaces says whether a node takes one value in another's place: an eighth more.
// It reckons with big integers, apart from the code.
func replaces(old, next money.Units) bool {
	least := new(big.Int).Mul(old.Big(), big.NewInt(9))
	return new(big.Int).Mul(next.Big(), big.NewInt(8)).Cmp(least) >= 0 && old.Less(next)
}

func TestGasLadder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := gasPolicy().Draw(t, "policy")
		gas := rapid.Uint64Min(1).Draw(t, "gas")
		move, fee := p.First(market(gas).Draw(t, "first"))
		if move == feedesk.Stop {
			if !p.Limit(gas).IsZero() && !p.Limit(gas).Less(p.TipFloor) {
				t.Fatal("stopped though a bid was possible")
			}
			return
		}
		allowed(t, p, fee)
		atLimit, limit := 0, p.Limit(gas)
		if fee.FeeCap == limit {
			atLimit++
		}
		canReach := true
		for range 3_000 {
			move, next := p.Next(feedesk.GasBid{
				Last: fee, Market: market(gas).Draw(t, "market"), BaseFee: amounts().Draw(t, "base"),
				Clock: feedesk.Clock{Age: time.Duration(rapid.Int64().Draw(t, "age")), Last: p.Patience},
			})
			if move == feedesk.Stop {
				least := new(big.Int).Div(new(big.Int).Add(new(big.Int).Mul(fee.FeeCap.Big(), new(big.Int).SetUint64(1000+p.Step)), big.NewInt(999)), big.NewInt(1000))
				canReach = least.Cmp(limit.Big()) <= 0
				break
			}
			if move != feedesk.Bid || next.GasLimit != gas {
				t.Fatalf("%s with %+v after patience", move, next)
			}
			allowed(t, p, next)
			if !replaces(fee.FeeCap, next.FeeCap) || !replaces(fee.TipCap, next.TipCap) {
				t.Fatalf("%+v does not replace %+v", next, fee)
			}
			if next.FeeCap == limit {
				atLimit++
			}
			fee = next
		}
		if atLimit > 1 || canReach && fee.FeeCap != limit {
			t.Fatalf("limit %s reached %d times, ended at %+v", limit, atLimit, fee)
		}
	})
}

func TestGasRisesWithBidAndUrgency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := gasPolicy().Draw(t, "policy")
		gas := rapid.Uint64Min(1).Draw(t, "gas")
		low := feedesk.GasBid{Last: market(gas).Draw(t, "last"), Market: market(gas).Draw(t, "market"), BaseFee: amounts().Draw(t, "base"), Clock: clock().Draw(t, "clock")}
		high := low
		high.Clock.Age = max(low.Clock.Age, time.Duration(rapid.Int64().Draw(t, "older")))
		high.Market.TipCap = maximum(low.Market.TipCap, amounts().Draw(t, "more tip"))
		high.Market.FeeCap = maximum(low.Market.FeeCap, amounts().Draw(t, "more cap"))
		m1, f1 := p.Next(low)
		m2, f2 := p.Next(high)
		if m1 != m2 || f2.FeeCap.Less(f1.FeeCap) || f2.TipCap.Less(f1.TipCap) {
			t.Fatalf("%s %+v, but more urgent %s %+v", m1, f1, m2, f2)
		}
	})
}

func maximum(a, b money.Units) money.Units {
	if a.Less(b) {
		return b
	}
	return a
}

func TestRateLadder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ratePolicy().Draw(t, "policy")
		size := rapid.Uint64Range(1, 100_000).Draw(t, "size")
		move, rate := p.First(rapid.Uint64().Draw(t, "market"), size)
		if move == feedesk.Stop {
			if p.Limit(size) >= p.Floor {
				t.Fatal("stopped though a bid was possible")
			}
			return
		}
		fee, atLimit := feedesk.FeeAt(rate, size), 0
		for range 3_000 {
			move, next := p.Next(feedesk.RateBid{
				Rate: rate, Fee: fee, Size: size, Market: rapid.Uint64().Draw(t, "market"),
				Clock: feedesk.Clock{Age: time.Duration(rapid.Int64().Draw(t, "age")), Last: p.Patience},
			})
			if move == feedesk.Stop {
				break
			}
			paid := feedesk.FeeAt(next, size)
			if move != feedesk.Bid || next > p.Ceiling || p.Budget.Less(paid) || next < p.Floor {
				t.Fatalf("%s %d costs %s beyond %+v", move, next, paid, p)
			}
			must, err := money.Sum(fee, feedesk.FeeAt(p.Relay, size))
			if err != nil || paid.Less(must) || !replaces(u(rate), u(next)) {
				t.Fatalf("%d paying %s does not replace %d paying %s", next, paid, rate, fee)
			}
			if next == p.Limit(size) {
				atLimit++
			}
			rate, fee = next, paid
		}
		if atLimit > 1 {
			t.Fatalf("the limit was reached %d times", atLimit)
		}
	})
}

func TestRateRisesWithUrgencyAndMarket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ratePolicy().Draw(t, "policy")
		low := feedesk.RateBid{
			Rate: rapid.Uint64().Draw(t, "rate"), Fee: amounts().Draw(t, "fee"), Size: rapid.Uint64().Draw(t, "size"),
			Market: rapid.Uint64().Draw(t, "market"), Clock: clock().Draw(t, "clock"),
		}
		high := low
		high.Clock.Age = max(low.Clock.Age, time.Duration(rapid.Int64().Draw(t, "older")))
		high.Market = max(low.Market, rapid.Uint64().Draw(t, "more"))
		m1, r1 := p.Next(low)
		m2, r2 := p.Next(high)
		if m1 != m2 || r2 < r1 {
			t.Fatalf("%s %d, but more urgent %s %d", m1, r1, m2, r2)
		}
	})
}

func TestChildPaysForItsParent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ratePolicy().Draw(t, "policy")
		k := feedesk.Package{
			ParentFee: amounts().Draw(t, "parent fee"), ParentSize: rapid.Uint64Range(1, 200_000).Draw(t, "parent"),
			ChildSize: rapid.Uint64Range(0, 200_000).Draw(t, "child"), Rate: rapid.Uint64().Draw(t, "rate"),
		}
		move, fee := p.ChildFee(k)
		if move == feedesk.Stop {
			return
		}
		both, err := money.Sum(fee, k.ParentFee)
		if p.Budget.Less(fee) || fee.Less(feedesk.FeeAt(p.Relay, k.ChildSize)) ||
			err == nil && both.Less(feedesk.FeeAt(k.Rate, k.ParentSize+k.ChildSize)) {
			t.Fatalf("child pays %s for %+v under %+v", fee, k, p)
		}
	})
	p := feedesk.DefaultRate()
	move, fee := p.ChildFee(feedesk.Package{ParentFee: u(200), ParentSize: 200, ChildSize: 110, Rate: 10_000})
	if move != feedesk.Bid || fee != u(2900) {
		t.Errorf("%s %s, want 310 vB at 10 sat/vB less 200", move, fee)
	}
}

func TestWhenToBid(t *testing.T) {
	p := feedesk.DefaultGas()
	const gwei = 1_000_000_000
	out := chainadapters.Fee{GasLimit: 21_000, TipCap: u(gwei), FeeCap: u(20 * gwei)}
	quote := chainadapters.Fee{GasLimit: 21_000, TipCap: u(gwei), FeeCap: u(101 * gwei)}
	for name, tc := range map[string]struct {
		base uint64
		last time.Duration
		age  time.Duration
		move feedesk.Move
		tip  uint64
		fee  uint64
	}{
		"young":             {base: 10 * gwei, last: time.Minute, move: feedesk.Wait},
		"exactly at base":   {base: 20 * gwei, last: time.Minute, move: feedesk.Wait},
		"below base":        {base: 20*gwei + 1, last: 0, move: feedesk.Bid, tip: 1_125_000_000, fee: 101 * gwei},
		"patience is up":    {base: 10 * gwei, last: 10 * time.Minute, age: 0, move: feedesk.Bid, tip: 1_125_000_000, fee: 101 * gwei},
		"half the deadline": {base: 10 * gwei, last: time.Hour, age: time.Hour, move: feedesk.Bid, tip: gwei * 3 / 2, fee: 101 * gwei * 3 / 2},
		"past the deadline": {base: 10 * gwei, last: time.Hour, age: 9 * time.Hour, move: feedesk.Bid, tip: 2 * gwei, fee: 202 * gwei},
	} {
		move, fee := p.Next(feedesk.GasBid{Last: out, Market: quote, BaseFee: u(tc.base), Clock: feedesk.Clock{Age: tc.age, Last: tc.last}})
		if move != tc.move || fee.TipCap != u(tc.tip) || fee.FeeCap != u(tc.fee) {
			t.Errorf("%s: %s %+v", name, move, fee)
		}
	}
	r := feedesk.DefaultRate()
	bid := feedesk.RateBid{Rate: 5_000, Fee: u(705), Size: 141, Market: 5_000, Clock: feedesk.Clock{Last: 10 * time.Minute}}
	if move, rate := r.Next(bid); move != feedesk.Bid || rate != 6_000 {
		t.Errorf("%s %d: the fee of the relay is one per byte", move, rate)
	}
	bid.Clock.Last--
	if move, _ := r.Next(bid); move != feedesk.Wait {
		t.Errorf("%s before patience is up", move)
	}
}

func TestPoliciesThatCannotBid(t *testing.T) {
	good, rate := feedesk.DefaultGas(), feedesk.DefaultRate()
	if good.Check() != nil || rate.Check() != nil {
		t.Fatal("defaults are refused")
	}
	for i, change := range []func(*feedesk.GasPolicy){
		func(p *feedesk.GasPolicy) { p.Step = feedesk.MinStep - 1 },
		func(p *feedesk.GasPolicy) { p.Step = 9_001 },
		func(p *feedesk.GasPolicy) { p.Patience = 0 },
		func(p *feedesk.GasPolicy) { p.Deadline = 0 },
		func(p *feedesk.GasPolicy) { p.Budget = money.Units{} },
		func(p *feedesk.GasPolicy) { p.Ceiling = money.Units{} },
		func(p *feedesk.GasPolicy) { p.TipFloor = u(math.MaxUint64) },
	} {
		p := good
		if change(&p); !errors.Is(p.Check(), feedesk.ErrPolicy) {
			t.Errorf("change %d of gas is accepted", i)
		}
	}
	for i, change := range []func(*feedesk.RatePolicy){
		func(p *feedesk.RatePolicy) { p.Floor = 0 },
		func(p *feedesk.RatePolicy) { p.Ceiling = p.Floor - 1 },
		func(p *feedesk.RatePolicy) { p.Budget = money.Units{} },
		func(p *feedesk.RatePolicy) { p.Step = 0 },
	} {
		p := rate
		if change(&p); !errors.Is(p.Check(), feedesk.ErrPolicy) {
			t.Errorf("change %d of rate is accepted", i)
		}
	}
	if feedesk.Wait.String() != "wait" || feedesk.Bid.String() != "bid" || feedesk.Stop.String() != "stop" || feedesk.Move(9).String() != "move 9" {
		t.Error("names of moves")
	}
}
