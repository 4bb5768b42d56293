//go:build chaos

package settle_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"strongroom/internal/crash"
	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
)

// What a settling process is told by its environment.
const (
	settlerVariable = "STRONGROOM_TEST_SETTLER" // the database
	seedVariable    = "STRONGROOM_TEST_SEED"
	lifeVariable    = "STRONGROOM_TEST_LIFE"
	stepsVariable   = "STRONGROOM_SETTLE_STEPS" // of the world, for a long run
)

const (
	killedAccounts = 6
	brokenExit     = 3 // the stream broke, as streams do
)

// TestMain is also the process that settles and is killed.
func TestMain(m *testing.M) {
	if url := os.Getenv(settlerVariable); url != "" {
		os.Exit(settlingProcess(url))
	}
	os.Exit(m.Run())
}

// settlingProcess settles a world that is a function of its seed, until the stream ends.
func settlingProcess(url string) int {
	ctx := context.Background()
	err := func() error {
		pool, err := pg.Open(ctx, url)
		if err != nil {
			return err
		}
		book, err := ledger.New(ledger.Config{Pool: pool, Clock: time.Now}) //nolint:forbidigo,contextcheck // nothing here depends on it
		if err != nil {
			return err
		}
		seed, life := number(seedVariable), number(lifeVariable)
		world := worldOf(seed, func(settletest.Move) {})
		source := &settletest.Source{World: world, Rng: rand.New(rand.NewPCG(seed, life)), Most: 24}
		s, err := settle.New(settle.Config{Pool: pool, Ledger: book, Source: source, Clock: time.Now}) //nolint:forbidigo // as above
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}()
	switch {
	case errors.Is(err, settletest.ErrBroken):
		return brokenExit
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func number(variable string) uint64 {
	n, _ := strconv.ParseUint(os.Getenv(variable), 10, 64)
	return n
}

func worldOf(seed uint64, begin func(settletest.Move)) *settletest.World {
	w := settletest.New(seed, killedAccounts, begin)
	for range max(number(stepsVariable), 300) {
		w.Step()
	}
	w.Checkpoint()
	return w
}

// TestKilledAtEachPoint kills the settling process with SIGKILL before and after commits,
// while its stream repeats, leaves out, disorders and lets old leaders speak, and holds
// the ledger against the reference after each life.
func TestKilledAtEachPoint(t *testing.T) {
	const seed = 11
	h := newHouse(t, seed, killedAccounts, false)
	h.world = worldOf(seed, h.begin)
	var plan crash.Plan
	for i, p := range points() {
		for hit := 2 + i; hit < 1000; hit += 9 {
			plan = append(plan, crash.Rule{Point: p, Hit: hit})
		}
	}
	hits := filepath.Join(t.TempDir(), "hits")
	rng := rand.New(rand.NewPCG(seed, 45))
	end := uint64(len(h.world.Events))
	kills, before, broken := make(counts), make(counts), 0
	var cursor settle.Cursor
	for life := 0; cursor.Next <= end; life++ {
		if life > maxLives {
			t.Fatalf("after %d lives settled up to %d of %d", life, cursor.Next-1, end)
		}
		switch code := h.live(plan, hits, seed, life); code {
		case -1:
			now, err := crash.CountHits(hits)
			h.must(err)
			if p := fatal(plan, before, now); p != "" {
				kills[p]++
			}
			before = now
		case brokenExit:
			broken++
		case 0:
		default:
			t.Fatalf("life %d ended with %d", life, code)
		}
		h.compare(t.Context())
		h.finish(rng, 3)
		h.compare(t.Context())
		var err error
		cursor, err = settle.LoadCursor(t.Context(), h.pool, 0)
		h.must(err)
		if cursor.Halted != "" {
			t.Fatal(cursor.Halted)
		}
	}
	h.finish(rng, 1)
	h.compare(t.Context())
	h.sound()
	for _, p := range points() {
		t.Logf("%-24s killed %d times", p, kills[p])
		if kills[p] == 0 {
			t.Errorf("never killed at %s", p)
		}
	}
	t.Logf("%d events; streams broke %d times", end, broken)
}

// points are those that settlement passes.
func points() []crash.Point {
	return append(crash.TradingPoints(), crash.LedgerBefore, crash.LedgerAfter)
}

// counts are how often each point was passed.
type counts = map[crash.Point]int

// fatal finds the rule that came true last between two counts.
func fatal(plan crash.Plan, before, now counts) crash.Point {
	for _, r := range plan {
		if now[r.Point] == r.Hit && before[r.Point] < r.Hit {
			return r.Point
		}
	}
	return ""
}

// live is one life of the settling process; -1 where it was killed.
func (h *house) live(plan crash.Plan, hits string, seed uint64, life int) int {
	h.tb.Helper()
	self, err := os.Executable()
	h.must(err)
	cmd := exec.CommandContext(h.tb.Context(), self)
	cmd.Env = append(os.Environ(), settlerVariable+"="+h.pool.Config().ConnString(), seedVariable+"="+strconv.FormatUint(seed, 10),
		lifeVariable+"="+strconv.Itoa(life), crash.PlanVariable+"="+plan.String(), crash.HitsVariable+"="+hits)
	cmd.Stderr = os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		h.tb.Fatal(err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}
