package matchingbench

import (
	"fmt"
	"time"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// What stalls are measured on.
const (
	stallOrders   = 1_000_000
	stallAccounts = 25_000
	stallMarkets  = 3 // of as many assets and one to pay with: four balances an account
	stallCount    = 10
	stallBetween  = 50_000
	stallEntry    = 1024 // commands between two looks at the memory for the next copy
)

// Stalls are for how long commands wait at most for what is done between two of them.
type Stalls struct {
	Orders, Balances, Count int
	Checkpoint, Copy        time.Duration // the longest
	First                   time.Duration // copy, which has new memory
}

// RunStalls fills an engine, trades on it, and now and then takes a checkpoint and a copy.
func RunStalls(clock func() time.Time) (*Stalls, error) {
	mix := flow.NewMix(flow.MixConfig{Seed: 1, Markets: stallMarkets, Accounts: stallAccounts, Depth: stallOrders})
	e, err := engine.New(mix.Shard())
	if err != nil {
		return nil, fmt.Errorf("make shard: %w", err)
	}
	out := &Stalls{Orders: stallOrders, Balances: stallAccounts * (stallMarkets + 1), Count: stallCount}
	var events []engine.Event
	copied, steps := &engine.Frozen{}, 0
	step := func(s *flow.Step) {
		events = s.Do(e, events[:0])
		mix.Saw(events)
		if steps++; steps%stallEntry == 0 {
			e.Prepare(copied, stallEntry)
		}
	}
	setup := mix.Setup()
	for i := range setup {
		step(&setup[i])
	}
	timed := func(do func()) time.Duration {
		begun := clock()
		do()
		return clock().Sub(begun)
	}
	for i := range stallCount {
		for range stallBetween {
			s := mix.Next()
			step(&s)
		}
		c := engine.Command{Op: engine.OpCheckpoint}
		out.Checkpoint = max(out.Checkpoint, timed(func() { events = e.Apply(&c, events[:0]) }))
		took := timed(func() { copied = e.Freeze(copied) })
		if i == 0 {
			out.First = took
		}
		out.Copy = max(out.Copy, took)
	}
	return out, nil
}
