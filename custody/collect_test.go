package custody_test

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

func units(t *rapid.T, name string, most uint64) money.Units {
	return money.FromUint64(rapid.Uint64Range(0, most).Draw(t, name))
}

// TestPilesCanPay: whatever is planned is covered by the pile and its gas, is
// worth it, and gas is topped up to exactly what is needed.
func TestPilesCanPay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := custody.Pile{Settled: units(t, "settled", 1000), Gas: units(t, "gas", 100)}
		reserve, minimum := units(t, "reserve", 100), units(t, "minimum", 500)
		native := rapid.Bool().Draw(t, "native")
		plan := custody.PlanPile(p, native, reserve, minimum)
		if !plan.Collect.IsZero() && plan.Collect.Less(minimum) {
			t.Fatalf("%+v is not worth it", plan)
		}
		switch {
		case native:
			if need, _ := plan.Collect.Add(reserve); !plan.TopUp.IsZero() || (!plan.Collect.IsZero() && p.Settled.Less(need)) {
				t.Fatalf("%+v of %+v with reserve %s", plan, p, reserve)
			}
		case !plan.TopUp.IsZero():
			if have, _ := p.Gas.Add(plan.TopUp); have != reserve || !plan.Collect.IsZero() || p.Settled.Less(minimum) {
				t.Fatalf("%+v of %+v with reserve %s", plan, p, reserve)
			}
		case !plan.Collect.IsZero():
			if p.Gas.Less(reserve) || plan.Collect != p.Settled {
				t.Fatalf("%+v of %+v with reserve %s", plan, p, reserve)
			}
		}
	})
}

// TestCoinsBringTheMost compares with trying every prefix.
func TestCoinsBringTheMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "coins")
		coins := make([]chainadapters.Coin, n)
		last := uint64(1000)
		for i := range coins {
			last = rapid.Uint64Range(0, last).Draw(t, "amount")
			coins[i].Amount = money.FromUint64(last)
		}
		base, each := rapid.Uint64Range(0, 200).Draw(t, "base"), rapid.Uint64Range(0, 200).Draw(t, "each")
		minimum := rapid.Uint64Range(0, 300).Draw(t, "minimum")
		plan, err := custody.PlanCoins(coins, money.FromUint64(minimum), func(c []chainadapters.Coin) (money.Units, error) {
			return money.FromUint64(base + each*uint64(len(c))), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var best, sum uint64
		for i := range coins {
			amount, _ := coins[i].Amount.Uint64()
			sum += amount
			if cost := base + each*uint64(i+1); sum > cost && sum-cost > best {
				best = sum - cost
			}
		}
		if best < minimum {
			best = 0
		}
		if plan.Amount != money.FromUint64(best) {
			t.Fatalf("planned %s, best is %d", plan.Amount, best)
		}
	})
}

func TestReserveRoundsUp(t *testing.T) {
	got, err := custody.Reserve(chainadapters.Fee{GasLimit: 3, FeeCap: money.FromUint64(7)}, 10)
	if err != nil || got != money.FromUint64(24) {
		t.Fatalf("%s, %v", got, err)
	}
	huge := money.FromBytes32([32]byte{0xff})
	if _, err := custody.Reserve(chainadapters.Fee{GasLimit: 1 << 40, FeeCap: huge}, 0); err == nil {
		t.Fatal("an overflow was not noticed")
	}
}
