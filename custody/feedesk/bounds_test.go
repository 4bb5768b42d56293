package feedesk_test

import (
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"strongroom/custody/feedesk"
	"strongroom/money"
)

// TestLimitsBelongToWhatIsAllowed: each bound is the last value that passes.
func TestLimitsBelongToWhatIsAllowed(t *testing.T) {
	p := feedesk.DefaultRate()
	p.Step, p.Ceiling = 9_000, p.Floor // a tenfold raise, a single rate
	if err := p.Check(); err != nil {
		t.Errorf("limits at their bounds: %v", err)
	}
	if move, rate := p.First(5, 200); move != feedesk.Bid || rate != p.Floor {
		t.Errorf("%s %d where floor and ceiling are one", move, rate)
	}
	p = feedesk.DefaultRate()
	p.Patience, p.Deadline = 1, 1
	if err := p.Check(); err != nil {
		t.Errorf("the least patience: %v", err)
	}
	g := feedesk.DefaultGas()
	g.TipFloor = g.Ceiling
	if err := g.Check(); err != nil {
		t.Errorf("a tip floor at the ceiling: %v", err)
	}
}

// TestSizesThatNodesRelay: 100,000 virtual bytes is the largest transaction.
func TestSizesThatNodesRelay(t *testing.T) {
	p := feedesk.DefaultRate()
	p.Budget = money.FromUint64(math.MaxUint64)
	for size, want := range map[uint64]uint64{0: 0, 1: p.Ceiling, 100_000: p.Ceiling, 100_001: 0} {
		if got := p.Limit(size); got != want {
			t.Errorf("%d bytes may pay %d, want %d", size, got, want)
		}
	}
	p.Budget = money.FromUint64(100_000) // one unit a byte for the largest
	if got := p.Limit(100_000); got != 1_000 {
		t.Errorf("the budget pays for a rate of %d", got)
	}
	huge, err := money.FromBig(new(big.Int).Lsh(big.NewInt(1), 255))
	if err != nil {
		t.Fatal(err)
	}
	if p.Budget = huge; p.Limit(1) != p.Ceiling {
		t.Errorf("a budget beyond counting pays for %d", p.Limit(1))
	}
}

// TestChildAtTheBounds: a parent of the largest size and the ceiling itself pass,
// one more of either does not, and the budget is spent to its last unit.
func TestChildAtTheBounds(t *testing.T) {
	p := feedesk.DefaultRate()
	p.Budget = money.FromUint64(math.MaxUint64)
	k := feedesk.Package{ParentSize: 100_000, ChildSize: 110, Rate: p.Ceiling}
	move, fee := p.ChildFee(k)
	if want := u(100_110 * 500); move != feedesk.Bid || fee != want {
		t.Errorf("%s %s, want %s", move, fee, want)
	}
	wide := k
	wide.ParentSize++
	dear := k
	dear.Rate++
	for name, k := range map[string]feedesk.Package{"a parent that is too large": wide, "a rate above the ceiling": dear} {
		if move, fee := p.ChildFee(k); move != feedesk.Stop || !fee.IsZero() {
			t.Errorf("%s: %s %s", name, move, fee)
		}
	}
	p.Budget = fee
	if move, _ := p.ChildFee(k); move != feedesk.Bid {
		t.Errorf("%s with exactly the budget", move)
	}
	p.Budget = fee.SubFloor(u(1))
	if move, _ := p.ChildFee(k); move != feedesk.Stop {
		t.Errorf("%s with one unit less than it costs", move)
	}
}

// TestRateOfAFee: rounded up, so that paying the rate is never paying less, and
// no rate where the size or the fee is beyond reason.
func TestRateOfAFee(t *testing.T) {
	for _, c := range []struct {
		fee, size, rate uint64
	}{{141, 141, 1_000}, {142, 141, 1_008}, {0, 141, 0}, {math.MaxUint64, 1_000, math.MaxUint64}} {
		rate, err := feedesk.RateOf(u(c.fee), c.size)
		if err != nil || rate != c.rate {
			t.Errorf("%d for %d bytes is a rate of %d, want %d, %v", c.fee, c.size, rate, c.rate, err)
		}
	}
	for _, c := range []struct{ fee, size uint64 }{{1, 0}, {math.MaxUint64, 1}} {
		if rate, err := feedesk.RateOf(u(c.fee), c.size); !errors.Is(err, feedesk.ErrPolicy) {
			t.Errorf("%d for %d bytes is a rate of %d, %v", c.fee, c.size, rate, err)
		}
	}
}

func TestUrgencyGrowsToTheDeadline(t *testing.T) {
	p := feedesk.Pace{Deadline: 2 * time.Hour}
	for _, c := range []struct {
		age  time.Duration
		want uint64
	}{
		{-time.Hour, 0},
		{0, 0},
		{time.Nanosecond, 0},
		{7_200 * time.Millisecond, 1},
		{time.Hour, 500},
		{2*time.Hour - 1, 999},
		{2 * time.Hour, 1_000},
		{9 * time.Hour, 1_000},
	} {
		if got := p.Urgency(c.age); got != c.want {
			t.Errorf("%s old: %d, want %d", c.age, got, c.want)
		}
	}
}
