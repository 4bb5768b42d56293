package feedesk_test

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/custody/feedesk"
	"strongroom/money"
)

// TestAChildBidsForItsParents: never less than it would bid alone, never beyond its
// limit, and short of the limit enough that miners have both at what they ask.
func TestAChildBidsForItsParents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ratePolicy().Draw(t, "policy")
		alone := feedesk.RateBid{
			Rate: rapid.Uint64Range(1, 50_000).Draw(t, "rate"), Fee: amounts().Draw(t, "fee"),
			Size:   rapid.Uint64Range(1, 100_000).Draw(t, "size"),
			Market: rapid.Uint64Range(1, 1_000_000).Draw(t, "market"), Clock: feedesk.Clock{Last: p.Patience},
		}
		with := alone
		with.ParentFee, with.ParentSize = amounts().Draw(t, "parent's fee"), rapid.Uint64Range(1, 100_000).Draw(t, "parent's size")
		m1, r1 := p.Next(alone)
		m2, r2 := p.Next(with)
		if m1 != m2 || r2 < r1 || r2 > p.Limit(with.Size) {
			t.Fatalf("%s %d, and with parents %s %d", m1, r1, m2, r2)
		}
		if m2 != feedesk.Bid || r2 == p.Limit(with.Size) {
			return
		}
		both, err := money.Sum(feedesk.FeeAt(r2, with.Size), with.ParentFee)
		if err == nil && both.Less(feedesk.FeeAt(min(alone.Market, p.Limit(with.Size)), with.Size+with.ParentSize)) {
			t.Fatalf("%d leaves both below the market: %+v", r2, with)
		}
	})
	bid := feedesk.RateBid{
		Rate: 1_000, Fee: u(141), Size: 141, Market: 20_000, ParentFee: u(141), ParentSize: 141,
		Clock: feedesk.Clock{Last: feedesk.DefaultPace().Patience},
	}
	if move, rate := feedesk.DefaultRate().Next(bid); move != feedesk.Bid || rate != 39_000 {
		t.Errorf("%s %d, want 20 for twice 141 bytes, less the parent's one", move, rate)
	}
}
