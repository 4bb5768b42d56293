//go:build chaos

package settle_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"strongroom/internal/crash"
	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/settle"
	"strongroom/matching/settle/follow"
	"strongroom/matching/settle/settletest"
	"strongroom/matching/settle/settletest/floor"
)

// What a settling process is told by its environment.
const (
	settlerVariable = "STRONGROOM_TEST_SETTLER" // the database
	seedVariable    = "STRONGROOM_TEST_SEED"
	lifeVariable    = "STRONGROOM_TEST_LIFE"
	stepsVariable   = "STRONGROOM_SETTLE_STEPS" // of the world, for a long run
	certsVariable   = "STRONGROOM_TEST_CERTS"   // of real nodes
	nodesVariable   = "STRONGROOM_TEST_NODES"   // their addresses, by blanks
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

// settlingProcess settles real nodes where it is told of some, or else a world that is a
// function of its seed, until the stream ends or it is told to stop.
func settlingProcess(url string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := func() error {
		pool, err := pg.Open(ctx, url)
		if err != nil {
			return err
		}
		book, err := ledger.New(ledger.Config{Pool: pool, Clock: time.Now}) //nolint:forbidigo,contextcheck // nothing here depends on it
		if err != nil {
			return err
		}
		source, err := sourceOf(rand.New(rand.NewPCG(number(seedVariable), number(lifeVariable))))
		if err != nil {
			return err
		}
		s, err := settle.New(settle.Config{Pool: pool, Ledger: book, Source: source, Clock: time.Now}) //nolint:forbidigo // as above
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}()
	switch {
	case errors.Is(err, settletest.ErrBroken):
		return brokenExit
	case err != nil && ctx.Err() == nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func sourceOf(rng *rand.Rand) (settle.Source, error) {
	if certs := os.Getenv(certsVariable); certs != "" {
		to, err := floor.Dial(certs, strings.Fields(os.Getenv(nodesVariable)))
		if err != nil {
			return nil, err
		}
		return &settletest.Spoiled{Of: follow.Source{Shards: map[settle.ShardID]*client.Client{0: to}}, Rng: rng, Breaks: 200}, nil
	}
	world := worldOf(number(seedVariable), func(settletest.Move) {})
	return &settletest.Source{World: world, Rng: rng, Most: 24}, nil
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
	plan := planned()
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

// planned kills at each point now and then.
func planned() (plan crash.Plan) {
	for i, p := range points() {
		for hit := 2 + i; hit < 1000; hit += 9 {
			plan = append(plan, crash.Rule{Point: p, Hit: hit})
		}
	}
	return plan
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

// settling is the command of the settling process.
func settling(ctx context.Context, tb testing.TB, database string, plan crash.Plan, hits string, seed uint64, life int) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), settlerVariable+"="+database, seedVariable+"="+strconv.FormatUint(seed, 10),
		lifeVariable+"="+strconv.Itoa(life), crash.PlanVariable+"="+plan.String(), crash.HitsVariable+"="+hits)
	cmd.Stderr = os.Stderr
	return cmd
}

// codeOf is how a process ended; -1 where it was killed.
func codeOf(tb testing.TB, cmd *exec.Cmd, ended error) int {
	tb.Helper()
	var exit *exec.ExitError
	if ended != nil && !errors.As(ended, &exit) {
		tb.Fatal(ended)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// live is one life of the settling process; -1 where it was killed.
func (h *house) live(plan crash.Plan, hits string, seed uint64, life int) int {
	h.tb.Helper()
	cmd := settling(h.tb.Context(), h.tb, h.pool.Config().ConnString(), plan, hits, seed, life)
	return codeOf(h.tb, cmd, cmd.Run())
}
