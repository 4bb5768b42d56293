//go:build chaos

package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"strongroom/internal/crash"
)

// The platform's own processes. Two workers, so that one can go on while the other
// sleeps or is dead.
const (
	Signer  = "signer"
	Worker  = "worker"
	Worker2 = "worker-2"
	API     = "api"
)

// Act is a kind of fault.
type Act string

// The acts. Reorg and Wipe are done to a chain, Links to what stands between the
// processes, the others to a process.
const (
	Kill   Act = "kill"
	Freeze Act = "freeze" // the whole process stops for Length and wakes
	Reorg  Act = "reorg"
	Wipe   Act = "wipe pool"
	Links  Act = "lose and delay replies"
)

// The development chains, as faults name them.
const (
	Bitcoin  = "bitcoin"
	Ethereum = "ethereum"
)

// Fault is one thing done to the platform.
type Fault struct {
	At     time.Duration // after the load began
	Act    Act
	Target string
	Depth  int           // of a reorganisation
	Length time.Duration // of Freeze and Links
}

// String is the fault as a plan's file shows it.
func (f Fault) String() string {
	out := fmt.Sprintf("%7s  %s %s", f.At.Round(time.Millisecond), f.Act, f.Target)
	if f.Depth > 0 {
		out += fmt.Sprintf(" depth %d", f.Depth)
	}
	if f.Length > 0 {
		out += " for " + f.Length.String()
	}
	return out
}

// Plan is all that will be done to the platform. The same seed and length make the
// same plan; when exactly a process comes to a point is the machine's affair.
type Plan struct {
	Crashes map[string]crash.Plan // by process
	Faults  []Fault               // in order of time
}

// String is the plan as it is kept.
func (p Plan) String() string {
	var out strings.Builder
	for _, name := range []string{Signer, Worker, Worker2, API} {
		fmt.Fprintf(&out, "%s: %s\n", name, p.Crashes[name])
	}
	for _, f := range p.Faults {
		fmt.Fprintln(&out, f)
	}
	return out.String()
}

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

// often are the points that are passed many times a second: their kills lie farther
// apart.
func often(p crash.Point) bool {
	return slices.Contains([]crash.Point{
		crash.LedgerBefore, crash.LedgerAfter, crash.OutboxBeforeSend, crash.OutboxBeforeMark, crash.OutboxAfterMark,
		crash.BlockBefore, crash.BlockAfter,
	}, p)
}

// asleep is how long a worker sleeps at a point: longer than an attempt of an
// activity may take, so that another worker has taken over when it wakes.
const asleep = 35 * time.Second

// NewPlan makes the plan of a seed: kills per point and process, spread over what so
// many operations pass, and faults from the first seconds of the load to its end.
func NewPlan(seed uint64, kills, operations int, length time.Duration) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	gap := max(operations/usualOperations, 1)
	p := Plan{Crashes: map[string]crash.Plan{}}
	for _, process := range []string{Signer, Worker, Worker2, API} {
		for _, point := range pointsOf(process) {
			p.Crashes[process] = append(p.Crashes[process], rulesOf(rng, point, kills, gap)...)
		}
	}
	for _, process := range []string{Worker, Worker2} {
		for _, point := range []crash.Point{crash.ReserveAfter, crash.SignedAfter, crash.BroadcastBefore, crash.CreditAfter, crash.SettleAfter} {
			p.Crashes[process] = append(p.Crashes[process], crash.Rule{Point: point, Hit: gap * (11 + rng.IntN(10)), Pause: asleep})
		}
	}
	p.Faults = faults(rng, length)
	return p
}

// usualOperations is for how many operations the gaps between kills are meant; more
// operations have wider ones.
const usualOperations = 2000

func rulesOf(rng *rand.Rand, point crash.Point, kills, gap int) crash.Plan {
	var rules crash.Plan
	hit := 0
	for range kills {
		switch {
		case point == crash.RewindBefore || point == crash.RewindAfter:
			hit += 2 + rng.IntN(5)
		case often(point):
			hit += gap * (40 + rng.IntN(120))
		default:
			hit += gap * (4 + rng.IntN(16))
		}
		rules = append(rules, crash.Rule{Point: point, Hit: hit})
	}
	return rules
}

// Bounds of the faults.
const (
	firstFault = 5 * time.Second
	mostDepth  = 3 // within the policy of every asset of development, with room for a node's own losses
	minute     = time.Minute
)

// faults fills each minute with the same kinds in another order. anvil is killed in the
// first minute only, before it is ever reorganised, and stopped for seconds later: from
// a state that was saved after a reorganisation it starts without some of its blocks.
func faults(rng *rand.Rand, length time.Duration) []Fault {
	var list []Fault
	add := func(from time.Duration, f Fault) {
		f.At = from + time.Duration(rng.Int64N(int64(minute)))
		if f.At >= firstFault && f.At < length {
			list = append(list, f)
		}
	}
	for from, n := time.Duration(0), 0; from < length; from, n = from+minute, n+1 {
		for range 4 {
			if n > 0 {
				add(from, Fault{Act: Reorg, Target: Ethereum, Depth: 1 + rng.IntN(mostDepth)})
			}
			add(from, Fault{Act: Reorg, Target: Bitcoin, Depth: 1 + rng.IntN(mostDepth)})
		}
		if n == 0 {
			add(from, Fault{Act: Kill, Target: "anvil"})
		} else {
			add(from, Fault{Act: Freeze, Target: "anvil", Length: time.Duration(2+rng.IntN(6)) * time.Second})
		}
		for range 2 {
			add(from, Fault{Act: Links, Length: time.Duration(4+rng.IntN(6)) * time.Second})
			add(from, Fault{Act: Kill, Target: []string{Signer, Worker, Worker2, API}[rng.IntN(4)]})
		}
		add(from, Fault{Act: Wipe, Target: Ethereum})
		add(from, Fault{Act: Kill, Target: "btcd"})
		add(from, Fault{Act: Kill, Target: []string{"postgres", "temporal", "postgres"}[n%3]})
		if n%3 == 1 {
			add(from, Fault{Act: Freeze, Target: []string{Worker, Worker2}[rng.IntN(2)], Length: time.Duration(20+rng.IntN(20)) * time.Second})
		}
	}
	slices.SortStableFunc(list, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return list
}
