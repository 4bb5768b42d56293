//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
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

// The development chains.
const (
	Bitcoin  = "bitcoin-regtest"
	Litecoin = "litecoin-regtest"
	Ethereum = "ethereum-dev"
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

// asleep is how long a worker sleeps at a point: longer than an attempt of an
// activity may take, so that another worker has taken over when it wakes.
const asleep = 35 * time.Second

// NewPlan makes the plan of a seed: kills per point and process, spread over what so
// many operations pass, and faults from the first seconds of the load to its end.
func NewPlan(seed uint64, kills, operations int, length time.Duration) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := Plan{Crashes: map[string]crash.Plan{}, Faults: faults(rng, length)}
	reorgs := 0
	for _, f := range p.Faults {
		if f.Act == Reorg {
			reorgs++
		}
	}
	for _, process := range []string{Signer, Worker, Worker2, API} {
		for _, point := range pointsOf(process) {
			p.Crashes[process] = append(p.Crashes[process], spread(rng, point, kills, passes(point, operations, length, reorgs))...)
		}
	}
	for _, process := range []string{Worker, Worker2} {
		for _, point := range []crash.Point{crash.ReserveAfter, crash.SignedAfter, crash.BroadcastBefore, crash.CreditAfter, crash.SettleAfter} {
			hit := earliest + rng.IntN(max(passes(point, operations, length, reorgs), 1))
			p.Crashes[process] = append(p.Crashes[process], crash.Rule{Point: point, Hit: hit, Pause: asleep})
		}
	}
	return p
}
