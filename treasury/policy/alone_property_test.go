package policy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// small is a roster in whose groups drawRequirement and drawCondition ask.
func small() *consent.Roster {
	return &consent.Roster{Persons: []consent.Person{
		{ID: "ada", Groups: []string{"treasury"}},
		{ID: "bea", Groups: []string{"board"}},
		{ID: "cem", Groups: []string{"board", "treasury"}},
	}}
}

// every goes through all requests that drawCondition can tell apart, but for amounts and sums.
func every(each func(policy.Facts)) {
	r := small()
	for _, action := range []intent.Action{intent.Withdrawal, intent.ColdSpend, intent.Sweep} {
		for _, chain := range []string{"one", "two"} {
			for _, contract := range []string{"", "0xc", "0xd"} {
				for _, class := range []policy.Class{policy.New, policy.Allowlisted, policy.Own} {
					for _, asks := range []string{"ada", "bea", "cem", "customer:1", "system", "other:1"} {
						for _, hours := range []int64{0, 3*24 - 12, 3*24 - 10} { // on Wednesday, and twice on Saturday
							f := policy.Facts{
								Environment: "test", Action: action, Chain: chain, Asset: "BTC", Contract: contract, Class: class,
								Requester: asks, At: noon() + hours*3600,
							}
							if p := r.Person(asks); p != nil {
								f.Groups = p.Member()
							}
							each(f)
						}
					}
				}
			}
		}
	}
}

func drawMoved(t *rapid.T, before int64) []policy.Moved {
	var past []policy.Moved
	for range rapid.IntRange(0, 4).Draw(t, "past") {
		past = append(past, policy.Moved{
			Action:    rapid.SampledFrom([]intent.Action{intent.Withdrawal, intent.ColdSpend, intent.Sweep}).Draw(t, "moved by"),
			Asset:     "BTC",
			Requester: rapid.SampledFrom([]string{"ada", "customer:1", "system"}).Draw(t, "asked by"),
			Amount:    units(rapid.Uint64Range(1, 8).Draw(t, "moved")),
			At:        before - int64(rapid.IntRange(1, 50).Draw(t, "hours ago"))*3600,
		})
	}
	return past
}

// reaches are what an answer says of each person and, by "", of nobody.
func reaches(powers []policy.Power) map[string]policy.Power {
	by := map[string]policy.Power{"": powers[0]}
	for _, p := range powers[1:] {
		for _, person := range p.Persons {
			by[person] = p
		}
	}
	return by
}

// TestAloneAtOnceByForce: of all requests that there are, with any past, none passes that
// moves more than the answer says; and its witness passes.
func TestAloneAtOnceByForce(t *testing.T) {
	const most = 10 // above all limits that are drawn
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPolicy(t), small()
		a := policy.Alone(p, r, "BTC", units(3))
		if !a.Complete {
			t.Fatal("it is not complete")
		}
		out, inside := reaches(a.Out), reaches(a.Inside)
		pasts := [][]policy.Moved{nil, drawMoved(t, noon()+int64(rapid.SampledFrom([]int{0, 3*24 - 10}).Draw(t, "day"))*3600)}
		amounts := rapid.SliceOfN(rapid.Uint64Range(1, most), 4, 4).Draw(t, "amounts")
		every(func(f policy.Facts) {
			powers := out
			if f.Class == policy.Own {
				powers = inside
			}
			for _, past := range pasts {
				p.Fill(&f, past)
				for _, n := range amounts {
					f.Amount = units(n)
					d := p.Decide(&f)
					for person, power := range powers {
						if power.AtOnce.Endless || !power.AtOnce.Most.Less(f.Amount) {
							continue
						}
						tried++
						if passes(r, person, &f, &d) {
							t.Fatalf("%q moves %d, above %s: %s", person, n, power.AtOnce.Most, d.Sentence)
						}
					}
				}
			}
		})
		for _, power := range append(a.Out, a.Inside...) {
			person := firstOf(&power)
			replay(t, p, r, person, &power.AtOnce)
			if power.AtOnce.More != (power.AtOnce.Endless || units(3).Less(power.AtOnce.Most)) {
				t.Fatalf("%q: %+v", person, power.AtOnce)
			}
		}
	})
	t.Logf("%d requests above what the answers say", tried)
}

// TestAloneDailyByForce: nobody who tries at random for a day, after any past, gets past
// what is said to be shown; and the steps of the answer pass one after the other.
func TestAloneDailyByForce(t *testing.T) {
	bounded, met := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPolicy(t), small()
		a := policy.Alone(p, r, "BTC", units(3))
		for _, power := range append(a.Out, a.Inside...) {
			replay(t, p, r, firstOf(&power), &power.Daily)
		}
		for person, power := range reaches(a.Out) {
			if !power.Daily.Bounded {
				continue
			}
			if bounded++; power.Daily.Bound == power.Daily.Most {
				met++
			}
			if power.Daily.Endless || power.Daily.Bound.Less(power.Daily.Most) {
				t.Fatalf("%q goes past the bound: %+v", person, power.Daily)
			}
			if total := anyDay(t, p, r, person); power.Daily.Bound.Less(total) {
				t.Fatalf("%q moves %s within a day, and is said never to move more than %s", person, total, power.Daily.Bound)
			}
		}
	})
	if bounded == 0 || met == 0 {
		t.Error("no bound was ever looked at")
	}
	t.Logf("%d bounds, %d of them reached", bounded, met)
}

// anyDay moves what passes, as it comes, after some past.
func anyDay(t *rapid.T, p *policy.Policy, r *consent.Roster, person string) money.Units {
	start := noon() + int64(rapid.IntRange(0, 7*24).Draw(t, "start"))*3600
	tally := policy.NewTally(p.Windows()...)
	for _, m := range drawMoved(t, start) {
		tally.Add(m)
	}
	var total money.Units
	at := start
	for range 40 {
		at += int64(rapid.IntRange(0, 2).Draw(t, "hours later")) * int64(time.Hour/time.Second)
		if at >= start+24*3600 {
			break
		}
		f := drawFacts(t, nil)
		f.Asset, f.At, f.Groups = "BTC", at, nil
		if f.Class == policy.Own {
			f.Class = policy.New
		}
		if is := r.Person(f.Requester); is != nil {
			f.Groups = is.Member()
		}
		tally.Fill(f)
		d := p.Decide(f)
		if passes(r, person, f, &d) {
			total, _ = total.Add(f.Amount)
			tally.Add(policy.Moved{Action: f.Action, Asset: f.Asset, Requester: f.Requester, Amount: f.Amount, At: at})
		}
	}
	return total
}
