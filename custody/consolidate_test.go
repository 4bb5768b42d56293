package custody_test

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

const (
	lowRate  = 5_000
	coinFee  = 340 // of one more coin at lowRate
	bareFee  = 200
	hotCoins = 20
)

func mergePolicy() custody.ConsolidationPolicy {
	return custody.ConsolidationPolicy{Above: 10, Most: 8, LowSatPerKVB: lowRate, SharePercent: 50}
}

func mergeFee(coins []chainadapters.Coin) (money.Units, error) {
	return money.FromUint64(bareFee + coinFee*uint64(len(coins))), nil
}

func hotOf(amounts ...uint64) custody.HotCoins {
	var w custody.HotCoins
	for i, amount := range amounts {
		w.Free = append(w.Free, chainadapters.Coin{Outpoint: chainadapters.Outpoint{TxID: strconv.Itoa(i)}, Amount: money.FromUint64(amount)})
	}
	return w
}

func many(n int, amount uint64) []uint64 {
	amounts := make([]uint64, n)
	for i := range amounts {
		amounts[i] = amount
	}
	return amounts
}

func TestConsolidationStandsBack(t *testing.T) {
	for want, c := range map[string]struct {
		change func(*custody.HotCoins)
		rate   uint64
	}{
		"":                             {func(*custody.HotCoins) {}, lowRate},
		"the hot wallet has few coins": {func(w *custody.HotCoins) { w.Free = w.Free[:10] }, lowRate},
		"withdrawals wait for coins":   {func(w *custody.HotCoins) { w.Waiting = 1 }, lowRate},
		"another movement of the house is on its way": {func(w *custody.HotCoins) { w.Moving = 1 }, lowRate},
		"the fee rate is not low":                     {func(*custody.HotCoins) {}, lowRate + 1},
	} {
		w := hotOf(many(hotCoins, 10_000)...)
		c.change(&w)
		plan, reason, err := custody.PlanConsolidation(w, mergePolicy(), c.rate, mergeFee)
		if err != nil || reason != want || (len(plan.Coins) > 0) != (want == "") {
			t.Errorf("%q: %q, %d coins, %v", want, reason, len(plan.Coins), err)
		}
	}
}

// TestConsolidationNeedsThreeCoins: fewer are not worth a transaction, whatever the
// policy says, and neither are three of which one costs more than it holds.
func TestConsolidationNeedsThreeCoins(t *testing.T) {
	p := mergePolicy()
	p.Above, p.SharePercent = 0, 100
	for _, c := range []struct {
		free  []uint64
		taken int
	}{
		{nil, 0},
		{many(1, 10_000), 0},
		{many(2, 10_000), 0},
		{many(3, 10_000), 3},
		{[]uint64{coinFee, 10_000, 10_000}, 0},
		{[]uint64{coinFee + 1, 10_000, 10_000}, 3},
		{many(9, 9_000), 8},
	} {
		plan, reason, err := custody.PlanConsolidation(hotOf(c.free...), p, lowRate, mergeFee)
		if err != nil || len(plan.Coins) != c.taken || (reason == "") != (c.taken > 0) {
			t.Errorf("%v: %d coins, %q, %v", c.free, len(plan.Coins), reason, err)
		}
	}
}

// TestConsolidationTakesTheSmallest: never a coin that costs more than it holds,
// never more than the policy's number and share, always the smallest of the rest.
func TestConsolidationTakesTheSmallest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Uint64Range(1, 50_000), 11, 40).Draw(t, "amounts")
		p := mergePolicy()
		p.SharePercent = rapid.Uint64Range(1, 100).Draw(t, "share")
		plan, reason, err := custody.PlanConsolidation(hotOf(amounts...), p, lowRate, mergeFee)
		if err != nil || (reason == "") != (len(plan.Coins) > 0) {
			t.Fatalf("%q, %v", reason, err)
		}
		var sum, worth, largest uint64
		taken := map[string]bool{}
		for _, c := range plan.Coins {
			amount, _ := c.Amount.Uint64()
			if amount <= coinFee {
				t.Fatalf("a coin of %d costs more", amount)
			}
			sum, largest, taken[c.TxID] = sum+amount, max(largest, amount), true
		}
		for i, amount := range amounts {
			if amount > coinFee {
				worth += amount
				if !taken[strconv.Itoa(i)] && amount < largest {
					t.Fatalf("%d was left, %d taken", amount, largest)
				}
			}
		}
		if len(plan.Coins) > p.Most || sum > worth*p.SharePercent/100 {
			t.Fatalf("%d coins of %d, free %d", len(plan.Coins), sum, worth)
		}
		if fee, _ := mergeFee(plan.Coins); len(plan.Coins) > 0 && plan.Amount != money.FromUint64(sum).SubFloor(fee) {
			t.Fatalf("amount %s of %d", plan.Amount, sum)
		}
	})
}
