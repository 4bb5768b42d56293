package engine_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/matching/engine/naive"
)

// How much is compared: seeds times commands each, a digest every so many.
const (
	diffSeeds       = 160
	diffSeedsShort  = 24
	diffCommands    = 6500
	diffDigestEvery = 1000
	shrinkCommands  = 600_000 // that shrinking may run in all
)

// machine is what both engines are.
type machine interface {
	flow.Machine
	Walk(v engine.Visitor)
	Digest() uint64
}

func newFast(tb testing.TB, cfg engine.Config) machine {
	tb.Helper()
	e, err := engine.New(cfg)
	if err != nil {
		tb.Fatalf("make engine: %v", err)
	}
	return e
}

func newNaive(tb testing.TB, cfg engine.Config) machine {
	tb.Helper()
	e, err := naive.New(cfg)
	if err != nil {
		tb.Fatalf("make naive engine: %v", err)
	}
	return e
}

// TestEnginesAgree gives streams of everything to both engines: the same events after each
// command, and the same digest of the whole state.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	seeds := diffSeeds
	if testing.Short() {
		seeds = diffSeedsShort
	}
	all := []int{5057} // beyond the others: a trailing stop whose market lost its reference
	for seed := range seeds {
		all = append(all, seed)
	}
	for _, seed := range all {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			compareSeed(t, uint64(seed), flow.All)
		})
	}
}

func compareSeed(t *testing.T, seed uint64, features flow.Feature) {
	t.Helper()
	stream := flow.NewAny(seed, features)
	shard := stream.Shard()
	fast, slow := newFast(t, shard), newNaive(t, shard)
	var steps []flow.Step
	var got, want []engine.Event
	for i := range diffCommands {
		step := stream.Next()
		steps = append(steps, step)
		want = step.Do(slow, want[:0])
		got = applied(fast, step, got[:0])
		same := equalEvents(got, want)
		if same && (i+1)%diffDigestEvery == 0 {
			same = fast.Digest() == slow.Digest()
		}
		if !same {
			t.Fatal(reproducer(t, shard, steps))
		}
		stream.Saw(want)
	}
}

// applied is a step done; an engine that panics has an event of its own for it.
func applied(m machine, step flow.Step, out []engine.Event) (events []engine.Event) {
	defer func() {
		if r := recover(); r != nil {
			events = []engine.Event{{Kind: 255, Key: engine.Key{Hi: uint64(len(fmt.Sprint(r)))}}}
		}
	}()
	return step.Do(m, out)
}

func equalEvents(a, b []engine.Event) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// differ runs steps on new engines and returns at which they part, or -1; the walk is
// compared after each step where byState says so.
func differ(tb testing.TB, shard engine.Config, steps []flow.Step, byState bool) int {
	tb.Helper()
	fast, slow := newFast(tb, shard), newNaive(tb, shard)
	var got, want []engine.Event
	for i := range steps {
		want = steps[i].Do(slow, want[:0])
		got = applied(fast, steps[i], got[:0])
		if !equalEvents(got, want) || byState && fast.Digest() != slow.Digest() {
			return i
		}
	}
	return -1
}

// reproducer shrinks steps on which the engines part and says how they do.
func reproducer(tb testing.TB, shard engine.Config, steps []flow.Step) string {
	tb.Helper()
	steps = shrink(tb, shard, steps)
	fast, slow := newFast(tb, shard), newNaive(tb, shard)
	var b strings.Builder
	fmt.Fprintf(&b, "engines part after %d commands:\n", len(steps))
	for i, step := range steps {
		want := step.Do(slow, nil)
		got := applied(fast, step, nil)
		fmt.Fprintf(&b, "%s\n", filled(step.Command))
		if step.Config != nil {
			fmt.Fprintf(&b, "    beside %s\n", filled(*step.Config))
		}
		if i == len(steps)-1 {
			fmt.Fprintf(&b, "fast:\n%snaive:\n%s", listed(got), listed(want))
		}
	}
	var seen [2]rows
	fast.Walk(&seen[0])
	slow.Walk(&seen[1])
	for i := range max(len(seen[0].all), len(seen[1].all)) {
		if one, other := seen[0].at(i), seen[1].at(i); one != other {
			fmt.Fprintf(&b, "first row that differs:\n  fast  %s\n  naive %s\n", one, other)
			break
		}
	}
	return b.String()
}

// shrink leaves out steps for as long as the engines still part.
func shrink(tb testing.TB, shard engine.Config, steps []flow.Step) []flow.Step {
	tb.Helper()
	parts := func(steps []flow.Step) []flow.Step {
		if at := differ(tb, shard, steps, true); at >= 0 {
			return steps[:at+1]
		}
		return nil
	}
	if shorter := parts(steps); shorter != nil {
		steps = shorter
	}
	spent := 0
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(steps) && spent < shrinkCommands; spent += len(steps) {
			without := append(append([]flow.Step(nil), steps[:from]...), steps[from+size:]...)
			if shorter := parts(without); shorter != nil {
				steps = shorter
			} else {
				from += size
			}
		}
	}
	return steps
}

// rows notes what a walk shows.
type rows struct{ all []string }

func (r *rows) State(row *engine.StateRow) { r.all = append(r.all, filled(*row)) }
func (r *rows) Order(row *engine.OrderRow) { r.all = append(r.all, filled(*row)) }
func (r *rows) Money(row *engine.MoneyRow) { r.all = append(r.all, filled(*row)) }

func (r *rows) at(i int) string {
	if i < len(r.all) {
		return r.all[i]
	}
	return "(none)"
}

func listed(events []engine.Event) string {
	var b strings.Builder
	for i := range events {
		fmt.Fprintf(&b, "  %s\n", filled(events[i]))
	}
	return b.String()
}

// filled prints the fields of a struct that are not zero.
func filled(v any) string {
	value := reflect.ValueOf(v)
	var b strings.Builder
	b.WriteString(value.Type().Name() + "{")
	for i := range value.NumField() {
		if !value.Field(i).IsZero() {
			fmt.Fprintf(&b, " %s:%v", value.Type().Field(i).Name, value.Field(i).Interface())
		}
	}
	return b.String() + " }"
}
