package engine_test

import (
	"runtime"
	"syscall"
	"testing"

	"strongroom/internal/hugepage"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// benchSteps is how many commands are recorded; the bench plays them again and again on
// fresh shards.
const benchSteps = 200_000

func BenchmarkMixed(b *testing.B) { bench(b, flow.MixConfig{Seed: 1, Markets: 1, Accounts: 64}) }

func BenchmarkDeep(b *testing.B) {
	bench(b, flow.MixConfig{Seed: 1, Markets: 1, Accounts: 64, Depth: 1_000_000})
}

func BenchmarkMany(b *testing.B) {
	bench(b, flow.MixConfig{Seed: 1, Markets: 1000, Accounts: 16, Depth: 10_000})
}

// filledShard makes the shard of a mix with its books filled.
func filledShard(b *testing.B, mix *flow.Mix, setup []flow.Step) *engine.Engine {
	b.Helper()
	e, err := engine.New(mix.Shard())
	if err != nil {
		b.Fatal(err)
	}
	var events []engine.Event
	for i := range setup {
		events = setup[i].Do(e, events[:0])
		mix.Saw(events)
	}
	return e
}

// threadTime returns the processor time of this thread in ns: other load on the machine
// does not count as the engine's.
func threadTime(b *testing.B) int64 {
	b.Helper()
	const ofThread = 1
	var use syscall.Rusage
	if err := syscall.Getrusage(ofThread, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

func bench(b *testing.B, cfg flow.MixConfig) {
	b.Helper()
	mix := flow.NewMix(cfg)
	setup := mix.Setup()
	steps := flow.Record(mix, filledShard(b, mix, setup), benchSteps)
	e := filledShard(b, flow.NewMix(cfg), setup)
	out, commands := make([]engine.Event, 0, 4096), hugepage.Make[engine.Command](benchSteps)
	for i := range steps {
		commands[i] = steps[i].Command
	}
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	b.ResetTimer()
	start := threadTime(b)
	for i := range b.N {
		at := i % benchSteps
		if at == 0 && i > 0 {
			b.StopTimer()
			pause := threadTime(b)
			e = filledShard(b, flow.NewMix(cfg), setup)
			runtime.GC()
			start += threadTime(b) - pause
			b.StartTimer()
		}
		out = e.Apply(&commands[at], out[:0])
	}
	b.ReportMetric(float64(threadTime(b)-start)/float64(b.N), "cpu-ns/op")
}
