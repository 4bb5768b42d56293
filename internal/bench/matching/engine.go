package matchingbench

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"syscall"

	"strongroom/internal/hugepage"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/matching/engine/naive"
)

// Load is one of the engine's loads: the mix of package flow.
type Load struct {
	Name string
	Mix  flow.MixConfig
	// Target is what a command may cost, in ns of processor time.
	Target float64
	// Naive is how many commands the naive book is given: it is slow. NaiveDepth is how
	// many orders rest in it where those of the mix would take it hours to take in.
	Naive, NaiveDepth int
}

// Loads are those of the bench.
func Loads() []Load {
	return []Load{
		{"mixed", flow.MixConfig{Seed: 1, Markets: 1, Accounts: 64}, 60, 20_000, 0},
		{"1 M resting", flow.MixConfig{Seed: 1, Markets: 1, Accounts: 64, Depth: 1_000_000}, 200, 1_000, 5_000},
		{"1,000 markets", flow.MixConfig{Seed: 1, Markets: 1000, Accounts: 16, Depth: 10_000}, 150, 1_000, 5_000},
	}
}

// Engine is what a load cost.
type Engine struct {
	Load     Load
	Nanos    float64 // of processor time a command: the median run
	Runs     []float64
	Allocs   float64 // a command, of the worst run
	PerOrder float64 // bytes a resting order takes, where the load has enough of them
	// NaiveNs is what a command costs the naive book, and EqualNs what it costs the
	// engine with as many orders resting as the naive book has.
	NaiveNs, EqualNs float64
}

// steps of a run.
const engineSteps = 200_000

// messageCommands is how many commands the engine is shown at once: those of a message of
// the service's bench, which a node shows it in the same way.
const messageCommands = 16

// RunEngine measures a load so many times, each on a shard of its own.
func RunEngine(l Load, runs int) (Engine, error) {
	out := Engine{Load: l}
	for range runs {
		ns, allocs, perOrder, err := once(l)
		if err != nil {
			return out, err
		}
		out.Runs = append(out.Runs, ns)
		out.Allocs, out.PerOrder = max(out.Allocs, allocs), perOrder
	}
	out.Nanos, out.EqualNs = median(out.Runs), median(out.Runs)
	if l.NaiveDepth > 0 {
		var equal []float64
		for range runs {
			ns, _, _, err := once(l.equal())
			if err != nil {
				return out, err
			}
			equal = append(equal, ns)
		}
		out.EqualNs = median(equal)
	}
	var err error
	out.NaiveNs, err = onceNaive(l.equal())
	return out, err
}

// equal is the load with as many orders resting as the naive book is given.
func (l Load) equal() Load {
	if l.NaiveDepth > 0 {
		l.Mix.Depth = l.NaiveDepth
	}
	return l
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// recorded returns commands of a load after its books are filled.
func recorded(l Load, n int) (setup, steps []flow.Step, shard engine.Config, err error) {
	mix := flow.NewMix(l.Mix)
	setup, shard = mix.Setup(), mix.Shard()
	e, err := engine.New(shard)
	if err != nil {
		return nil, nil, shard, fmt.Errorf("make shard: %w", err)
	}
	fill(e, setup, mix.Saw)
	return setup, flow.Record(mix, e, n), shard, nil
}

func fill(m flow.Machine, setup []flow.Step, saw func([]engine.Event)) {
	var events []engine.Event
	for i := range setup {
		events = setup[i].Do(m, events[:0])
		saw(events)
	}
}

func once(l Load) (ns, allocs, perOrder float64, err error) {
	setup, commands, shard, err := recordedCommands(l)
	if err != nil {
		return 0, 0, 0, err
	}
	before := heap()
	e, err := engine.New(shard)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("make shard: %w", err)
	}
	fill(e, setup, func([]engine.Event) {})
	if l.Mix.Depth >= math.MaxUint16 {
		// What an order takes, not what there is room for: rows are for twice as many.
		grown := float64(heap()) - float64(before) - rowBytes*float64(int(shard.Orders)-l.Mix.Depth)
		perOrder = grown / float64(l.Mix.Depth)
		runtime.KeepAlive(setup)
	}
	out := make([]engine.Event, 0, 4096)
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mallocs := mallocsNow()
	begun, err := threadTime()
	for i := range commands {
		if i%messageCommands == 0 {
			e.Warm(commands[i:min(i+messageCommands, len(commands))])
		}
		out = e.Apply(&commands[i], out[:0])
	}
	ended, err2 := threadTime()
	n := float64(len(commands))
	return float64(ended-begun) / n, float64(mallocsNow()-mallocs) / n, perOrder, errors.Join(err, err2)
}

// recordedCommands is recorded, with the commands side by side.
func recordedCommands(l Load) ([]flow.Step, []engine.Command, engine.Config, error) {
	setup, steps, shard, err := recorded(l, engineSteps)
	commands := hugepage.Make[engine.Command](len(steps))
	for i := range steps {
		commands[i] = steps[i].Command
	}
	return setup, commands, shard, err
}

// rowBytes is the size of an order's row, which is there before the order.
const rowBytes = 64

func onceNaive(l Load) (ns float64, err error) {
	setup, steps, shard, err := recorded(l, l.Naive)
	if err != nil {
		return 0, err
	}
	book, err := naive.New(shard)
	if err != nil {
		return 0, fmt.Errorf("make naive book: %w", err)
	}
	fill(book, setup, func([]engine.Event) {})
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out []engine.Event
	begun, err := threadTime()
	for i := range steps {
		out = book.Apply(&steps[i].Command, out[:0])
	}
	ended, err2 := threadTime()
	return float64(ended-begun) / float64(len(steps)), errors.Join(err, err2)
}

// heap returns how many bytes are in use. What the first collection finds to be free
// the second one no longer counts.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func mallocsNow() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}

// threadTime returns the processor time of this thread in ns: other work on the machine
// does not count as the engine's.
func threadTime() (int64, error) {
	const ofThread = 1
	var use syscall.Rusage
	if err := syscall.Getrusage(ofThread, &use); err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	return use.Utime.Nano() + use.Stime.Nano(), nil
}
