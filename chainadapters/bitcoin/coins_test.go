package bitcoin

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/money"
)

// coinOf is the n-th coin of the tests.
func coinOf(address string, n int, amount uint64) chainadapters.Coin {
	var id [32]byte
	binary.BigEndian.PutUint32(id[:], uint32(n))
	return chainadapters.Coin{
		Outpoint: chainadapters.Outpoint{TxID: hex.EncodeToString(id[:])}, Amount: money.FromUint64(amount), Address: address,
	}
}

func coinsOf(address string, amounts ...uint64) []chainadapters.Coin {
	coins := make([]chainadapters.Coin, len(amounts))
	for i, amount := range amounts {
		coins[i] = coinOf(address, i, amount)
	}
	return coins
}

// verdict is what a set of coins costs, reckoned from what Build makes of it.
type verdict struct {
	covers, change bool
	waste          int64
}

func judge(a *Adapter, coins []chainadapters.Coin, payments []chainadapters.Payment, change string, fee chainadapters.Fee) verdict {
	unsigned, err := a.Build(chainadapters.Plan{Payments: payments, Coins: coins, ChangeTo: change, Fee: fee})
	if err != nil {
		return verdict{}
	}
	perCoin := int64(feeFor(inputWeight, fee.SatPerKVB)) - int64(feeFor(inputWeight, longTermSatPerKVB))
	outs, _ := a.outputs(payments)
	bare := feeFor(weightOf(len(coins), outs), fee.SatPerKVB)
	v := verdict{covers: true, change: !unsigned.Change.IsZero()}
	paid, _ := unsigned.MaxFee.Uint64()
	v.waste = int64(len(coins))*perCoin + int64(paid-bare)
	if v.change {
		v.waste += int64(minChange(dustSatoshi))
	}
	return v
}

// TestSelectionAgainstAllSubsets compares with every subset of up to twelve coins:
// what was chosen covers payments and fee, wastes no more than the largest first
// and no more than any subset without change; and where coins are dear to spend,
// no more than any subset at all.
func TestSelectionAgainstAllSubsets(t *testing.T) {
	a := testAdapter(t)
	hot, change := keyAddress(t, a, 1), keyAddress(t, a, 2)
	rapid.Check(t, func(t *rapid.T) {
		coins := coinsOf(hot, rapid.SliceOfN(rapid.Uint64Range(1, 120_000), 4, 12).Draw(t, "amounts")...)
		payments := []chainadapters.Payment{{To: hot, Amount: money.FromUint64(rapid.Uint64Range(dustSatoshi, 200_000).Draw(t, "amount"))}}
		fee := chainadapters.Fee{SatPerKVB: rapid.SampledFrom([]uint64{1_000, 5_000, 10_000, 30_000, 150_000}).Draw(t, "rate")}
		economic := slices.DeleteFunc(slices.Clone(coins), func(c chainadapters.Coin) bool {
			amount, _ := c.Amount.Uint64()
			return amount <= feeFor(inputWeight, fee.SatPerKVB)+1
		})
		var exact, best *verdict
		for set := 1; set < 1<<len(economic); set++ {
			v := judge(a, subset(economic, set), payments, change, fee)
			if v.covers && (best == nil || v.waste < best.waste) {
				best = &v
			}
			if v.covers && !v.change && (exact == nil || v.waste < exact.waste) {
				exact = &v
			}
		}
		chosen, err := a.SelectCoins(coins, payments, fee)
		if (err == nil) != (best != nil) || (err != nil && !errors.Is(err, chainadapters.ErrFunds)) {
			t.Fatalf("%v, a subset that covers: %+v", err, best)
		}
		if err != nil {
			return
		}
		got := judge(a, chosen, payments, change, fee)
		switch {
		case !got.covers:
			t.Fatal("payments and fee are not covered")
		case exact != nil && exact.waste < got.waste:
			t.Fatalf("wastes %d, a selection without change %d", got.waste, exact.waste)
		case got.waste > judge(a, largest(a, economic, payments, change, fee), payments, change, fee).waste:
			t.Fatal("the largest first would waste less")
		case fee.SatPerKVB >= longTermSatPerKVB && got.waste != best.waste:
			t.Fatalf("wastes %d, the best %d", got.waste, best.waste)
		}
	})
}

func subset(coins []chainadapters.Coin, set int) []chainadapters.Coin {
	list := make([]chainadapters.Coin, 0, bits.OnesCount(uint(set)))
	for i, c := range coins {
		if set>>i&1 == 1 {
			list = append(list, c)
		}
	}
	return list
}

// largest takes coins from the largest down until Build is content.
func largest(a *Adapter, coins []chainadapters.Coin, payments []chainadapters.Payment, change string, fee chainadapters.Fee) []chainadapters.Coin {
	sorted := slices.Clone(coins)
	slices.SortFunc(sorted, func(x, y chainadapters.Coin) int { return y.Amount.Cmp(x.Amount) })
	for n := range sorted {
		if judge(a, sorted[:n+1], payments, change, fee).covers {
			return sorted[:n+1]
		}
	}
	return sorted
}

// TestChangeIsWorthSpending: whatever is built, change is above dust and above the
// cost of spending it, and what is dropped instead is bounded.
func TestChangeIsWorthSpending(t *testing.T) {
	a := testAdapter(t)
	hot, change := keyAddress(t, a, 1), keyAddress(t, a, 2)
	rapid.Check(t, func(t *rapid.T) {
		fee := chainadapters.Fee{SatPerKVB: rapid.Uint64Range(floorSatPerKVB, 300_000).Draw(t, "rate")}
		payments := []chainadapters.Payment{{To: hot, Amount: money.FromUint64(50_000)}}
		outs, _ := a.outputs(payments)
		bare := 50_000 + feeFor(weightOf(1, outs), fee.SatPerKVB)
		extra := rapid.Uint64Range(0, feeFor(changeWeight, fee.SatPerKVB)+2*minChange(dustSatoshi)).Draw(t, "extra")
		unsigned, err := a.Build(chainadapters.Plan{Payments: payments, Coins: coinsOf(hot, bare+extra), ChangeTo: change, Fee: fee})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := unsigned.Change.Uint64()
		dropped := extra - got
		if got != 0 && (got <= dustSatoshi || got < feeFor(inputWeight, longTermSatPerKVB)) {
			t.Fatalf("change of %d", got)
		}
		if most := feeFor(changeWeight+perByte, fee.SatPerKVB) + minChange(dustSatoshi); dropped > most {
			t.Fatalf("%d dropped, most %d", dropped, most)
		}
	})
}

func TestOlderOfEqualCoinsIsSpent(t *testing.T) {
	a := testAdapter(t)
	coins := coinsOf(keyAddress(t, a, 1), 90_000, 90_000, 90_000, 400_000)
	for i, height := range []uint64{30, 10, 20, 5} {
		coins[i].Height = height
	}
	payments := []chainadapters.Payment{{To: keyAddress(t, a, 9), Amount: money.FromUint64(70_000)}}
	chosen, err := a.SelectCoins(coins, payments, chainadapters.Fee{SatPerKVB: 20_000})
	if err != nil || len(chosen) != 1 || chosen[0] != coins[1] {
		t.Fatalf("%+v, %v", chosen, err)
	}
}

// TestPendingChangeIsTheLastResort: coins in blocks first, then the shortest
// chains, and never more of them together than nodes relay.
func TestPendingChangeIsTheLastResort(t *testing.T) {
	a := testAdapter(t)
	coins := coinsOf(keyAddress(t, a, 1), 100_000, 100_000, 1_000_000, 1_000_000)
	coins[2].Pending, coins[3].Pending = 2, 1
	fee := chainadapters.Fee{SatPerKVB: 20_000}
	pay := func(amount uint64) ([]chainadapters.Coin, error) {
		return a.SelectCoins(coins, []chainadapters.Payment{{To: keyAddress(t, a, 9), Amount: money.FromUint64(amount)}}, fee)
	}
	for _, c := range []struct {
		amount uint64
		want   []chainadapters.Coin
	}{
		{150_000, coins[:2]}, {500_000, coins[3:]}, {1_500_000, coins[2:]},
	} {
		if got, err := pay(c.amount); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%d: %+v, %v", c.amount, got, err)
		}
	}
	coins[2].Pending, coins[3].Pending = maxPending/2+1, maxPending/2
	if _, err := pay(1_500_000); !errors.Is(err, chainadapters.ErrFunds) {
		t.Errorf("hangs on %d transactions: %v", maxPending+1, err)
	}
}

// hardCoins are coins of which no subset hits a payment: the search runs into its
// bound.
func hardCoins(address string) ([]chainadapters.Coin, []chainadapters.Payment) {
	random := rand.New(rand.NewPCG(1, 2))
	amounts := make([]uint64, 10_000)
	for i := range amounts {
		amounts[i] = 1_000_000 + 100_000*random.Uint64N(1000)
	}
	return coinsOf(address, amounts...), []chainadapters.Payment{{To: address, Amount: money.FromUint64(20_050_000 * 20)}}
}

func BenchmarkSelectCoins(b *testing.B) {
	a := testAdapter(b)
	coins, payments := hardCoins(keyAddress(b, a, 1))
	for _, rate := range []uint64{1_000, 50_000} {
		b.Run(money.FromUint64(rate).String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := a.SelectCoins(coins, payments, chainadapters.Fee{SatPerKVB: rate}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
