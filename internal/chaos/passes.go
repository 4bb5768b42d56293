//go:build chaos

package chaos

import (
	"math/rand/v2"
	"slices"
	"time"

	"strongroom/internal/crash"
)

// pointsOf returns the points that a process passes.
func pointsOf(process string) []crash.Point {
	signer := []crash.Point{crash.JournalBefore, crash.JournalAfter, crash.SignBeforeReply}
	api := []crash.Point{crash.HoldBefore, crash.HoldAfter}
	ledger := []crash.Point{crash.LedgerBefore, crash.LedgerAfter}
	switch process {
	case Signer:
		return signer
	case API:
		return append(api, ledger...)
	}
	return slices.DeleteFunc(crash.Points(), func(p crash.Point) bool { return slices.Contains(append(signer, api...), p) })
}

// rate is how often one process passes a point while the load goes on, in a hundred
// movements: half of what a run shows, because of two workers one may do less and
// much is done only after the load.
func rate(p crash.Point) int {
	switch p {
	case crash.OutboxBeforeSend:
		return 100
	case crash.LedgerBefore, crash.LedgerAfter:
		return 25
	case crash.HoldBefore, crash.HoldAfter, crash.JournalBefore, crash.JournalAfter, crash.SignBeforeReply:
		return 30
	case crash.CreditBefore, crash.CreditAfter:
		return 10
	case crash.SettleBefore, crash.SettleAfter, crash.OutboxBeforeMark, crash.OutboxAfterMark: // marks are made for many at once
		return 6
	}
	return 15
}

// What happens by the clock, of which one worker sees its part: blocks by the minute,
// reorganisations by the plan.
const (
	blocksAMinute = 30
	reorgsSeen    = 4 // one in so many is a rewind of this worker
)

// passes estimates how often a process comes to a point while the load goes on.
func passes(p crash.Point, operations int, length time.Duration, reorgs int) int {
	switch p {
	case crash.RewindBefore, crash.RewindAfter:
		return reorgs / reorgsSeen
	case crash.BlockBefore, crash.BlockAfter:
		return int(length.Minutes() * blocksAMinute)
	}
	return operations * (deposits + withdrawals) / 100 * rate(p) / 100
}

// earliest is the first hit at which a process may be killed.
const earliest = 2

// spread places kills over so many passes, one in each part of equal size. What is
// passed too seldom for that many has fewer, and always one: at its first passes.
func spread(rng *rand.Rand, point crash.Point, kills, passes int) crash.Plan {
	kills = max(1, min(kills, passes-earliest))
	part := max((passes-earliest)/kills, 1)
	rules := make(crash.Plan, kills)
	for i := range rules {
		rules[i] = crash.Rule{Point: point, Hit: earliest + i*part + rng.IntN(part)}
	}
	return rules
}
