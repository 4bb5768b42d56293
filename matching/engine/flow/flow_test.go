package flow_test

import (
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/matching/engine/naive"
)

func newMachine(t *testing.T, cfg engine.Config) flow.Machine {
	t.Helper()
	m, err := naive.New(cfg)
	if err != nil {
		t.Fatalf("make engine: %v", err)
	}
	return m
}

func TestSameSeedSameStream(t *testing.T) {
	t.Parallel()
	const steps = 800
	record := func(seed uint64) []flow.Step {
		s := flow.NewAny(seed, flow.All)
		return flow.Record(s, newMachine(t, s.Shard()), steps)
	}
	one, again, other := record(4), record(4), record(8)
	equal := 0
	for i := range one {
		if one[i].Command != again[i].Command {
			t.Fatalf("step %d of one seed is %+v and %+v", i, one[i].Command, again[i].Command)
		}
		if one[i].Command == other[i].Command {
			equal++
		}
	}
	if equal > steps/2 {
		t.Fatalf("%d of %d steps are those of another seed", equal, steps)
	}
}

// TestAnyMeetsEverything runs some seeds and asks that each event, and nearly each code,
// came up: a stream that meets little proves little.
func TestAnyMeetsEverything(t *testing.T) {
	t.Parallel()
	const seeds, steps = 24, 2500
	var kinds [engine.EventCheckpoint + 1]int
	var codes [engine.CodeHaltEnd + 1]int
	for seed := range uint64(seeds) {
		s := flow.NewAny(seed, flow.All)
		m := newMachine(t, s.Shard())
		var events []engine.Event
		for range steps {
			step := s.Next()
			events = step.Do(m, events[:0])
			s.Saw(events)
			for i := range events {
				kinds[events[i].Kind]++
				codes[events[i].Code]++
			}
		}
	}
	for kind := engine.EventAccepted; kind <= engine.EventCheckpoint; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("no event of kind %d", kind)
		}
	}
	for code := engine.CodeUnknownOp; code <= engine.CodeHaltEnd; code++ {
		if codes[code] == 0 && code != engine.CodeByMarket {
			t.Errorf("no event with code %d", code)
		}
	}
}

// TestMixHasItsShares counts what the bench mix says.
func TestMixHasItsShares(t *testing.T) {
	t.Parallel()
	const steps = 2000
	s := flow.NewMix(flow.MixConfig{Seed: 1, Markets: 3, Accounts: 4, Depth: 60})
	m := newMachine(t, s.Shard())
	var events []engine.Event
	for _, step := range s.Setup() {
		events = step.Do(m, events[:0])
		s.Saw(events)
	}
	var adds, moves, crosses, refused int
	for range steps {
		step := s.Next()
		events = step.Do(m, events[:0])
		s.Saw(events)
		if events[0].Kind == engine.EventRejected {
			refused++
		}
		switch {
		case step.Command.Op != engine.OpNew:
			moves++
		case step.Command.TIF == engine.IOC:
			crosses++
		default:
			adds++
		}
	}
	near := func(what string, n, percent int) {
		if n < steps*(percent-4)/100 || n > steps*(percent+4)/100 {
			t.Errorf("%d of %d commands are %s, not about %d %%", n, steps, what, percent)
		}
	}
	near("adds", adds, 45)
	near("cancels and replaces", moves, 45)
	near("crossing", crosses, 10)
	if refused > 0 {
		t.Errorf("%d commands were refused", refused)
	}
}
