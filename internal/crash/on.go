//go:build chaos

package crash

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Live tells whether this build can crash on purpose.
const Live = true

// state is the seam of this process: the one place where a global is the point.
var state = sync.OnceValue(func() *seam { //nolint:gochecknoglobals // only in builds made to be killed
	plan, err := ParsePlan(os.Getenv(PlanVariable))
	if err != nil {
		panic(err)
	}
	s := &seam{
		plan: plan, count: map[Point]int{}, calm: func() bool { return false },
		kill:  func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
		sleep: time.Sleep, //nolint:forbidigo // to sleep through real time is the point
	}
	name := os.Getenv(HitsVariable)
	if name == "" {
		return s
	}
	s.calm = func() bool { _, err := os.Stat(name + Calm); return err == nil }
	if s.count, err = CountHits(name); err != nil {
		panic(err)
	}
	if s.hits, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		panic(fmt.Errorf("open crash hits: %w", err))
	}
	return s
})

// At counts a hit and does what the plan says about it.
func At(p Point) { state().at(p) }

// seam counts hits over all lives of a process: what the lives before left in the
// file counts too, so that a rule fires once.
type seam struct {
	plan  Plan
	hits  *os.File
	kill  func()
	sleep func(time.Duration)
	calm  func() bool // whether the plan rests

	mu    sync.Mutex
	count map[Point]int
}

func (s *seam) at(p Point) {
	calm := s.calm()
	noted := string(p)
	if calm {
		noted = Idle + noted
	}
	s.mu.Lock()
	if !calm {
		s.count[p]++
	}
	n := s.count[p]
	if s.hits != nil {
		// One small append is whole or absent, even where the next line kills us.
		if _, err := s.hits.WriteString(noted + "\n"); err != nil {
			panic(fmt.Errorf("note crash hit: %w", err))
		}
	}
	s.mu.Unlock()
	for _, r := range s.plan {
		switch {
		case r.Point != p || r.Hit != n || calm:
		case r.Pause > 0:
			s.sleep(r.Pause)
		default:
			s.kill()
		}
	}
}
