//go:build chaos

package settle_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/crash"
	"strongroom/internal/devstack/shard"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest/floor"
)

const (
	// stepsPerKill is how the length of a run is told: with the steps of the other test.
	stepsPerKill = 12
	nodeKills    = 3 // of the node, in a run
	tradePause   = 3 * time.Millisecond
	lookPause    = 20 * time.Millisecond
)

// siege is a settling process that is killed while a real node matches.
type siege struct {
	t     *testing.T
	pool  *pgxpool.Pool
	nodes *shard.Shard
	floor *floor.Floor
	plan  crash.Plan
	hits  string
	seed  uint64

	lives, broken int
	kills, before counts
}

func newSiege(t *testing.T, seed uint64) *siege {
	t.Helper()
	s := &siege{t: t, nodes: floor.Nodes(t, 1), plan: planned(), hits: filepath.Join(t.TempDir(), "hits"), seed: seed, kills: make(counts), before: make(counts)}
	to, err := floor.Dial(s.nodes.Certs(), s.nodes.Addresses())
	s.must(err)
	t.Cleanup(func() { _ = to.Close() })
	s.pool, err = pg.Open(t.Context(), testenv.Postgres(t, ledger.Migrations(), settle.Migrations())+"&pool_max_conns=8")
	s.must(err)
	t.Cleanup(s.pool.Close)
	book, err := ledger.New(ledger.Config{Pool: s.pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	s.must(err)
	t.Cleanup(func() { _ = book.Close(context.Background()) })
	s.floor, err = floor.New(t.Context(), floor.Config{Pool: s.pool, Ledger: book, Client: to, Customers: killedAccounts, Seed: seed})
	s.must(err)
	t.Cleanup(s.floor.Close)
	return s
}

func (s *siege) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// trade lets customers trade, move money and ask for checkpoints until told to stop.
func (s *siege) trade(stop <-chan struct{}) error {
	ctx := s.t.Context()
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		case <-time.After(tradePause): //nolint:forbidigo // real processes
		}
		if err := s.floor.Trade(ctx, 2); err != nil {
			return err
		}
		if n%5 == 0 {
			if err := s.floor.Move(ctx); err != nil {
				return err
			}
		}
		if n%7 == 0 {
			if err := s.floor.Checkpoint(ctx); err != nil {
				return err
			}
			if _, err := s.floor.Finish(ctx); err != nil {
				return err
			}
		}
	}
}

// begin starts a life of the settling process.
func (s *siege) begin() (*exec.Cmd, <-chan error) {
	s.t.Helper()
	cmd := settling(s.t.Context(), s.t, s.pool.Config().ConnString(), s.plan, s.hits, s.seed, s.lives)
	cmd.Env = append(cmd.Env, certsVariable+"="+s.nodes.Certs(), nodesVariable+"="+strings.Join(s.nodes.Addresses(), " "))
	s.lives++
	s.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return cmd, ended
}

// judge takes note of how a life ended, and sees that nothing is halted.
func (s *siege) judge(cmd *exec.Cmd, ended error) {
	s.t.Helper()
	switch code := codeOf(s.t, cmd, ended); code {
	case -1:
		now, err := crash.CountHits(s.hits)
		s.must(err)
		if p := fatal(s.plan, s.before, now); p != "" {
			s.kills[p]++
		}
		s.before = now
	case brokenExit:
		s.broken++
	default:
		s.t.Fatalf("life %d ended with %d", s.lives, code)
	}
	cursor, err := settle.LoadCursor(s.t.Context(), s.pool, 0)
	s.must(err)
	if cursor.Halted != "" {
		s.t.Fatal(cursor.Halted)
	}
	if s.lives > maxLives {
		s.t.Fatalf("after %d lives settled up to %d; killed %v", s.lives, cursor.Next-1, s.kills)
	}
}

func (s *siege) killed() (all int) {
	for _, n := range s.kills {
		all += n
	}
	return all
}

// drain settles what is left, without more kills.
func (s *siege) drain() {
	s.t.Helper()
	s.plan = nil
	s.must(s.floor.Checkpoint(s.t.Context()))
	said, err := s.floor.Said(s.t.Context(), 0)
	s.must(err)
	for done := false; !done; {
		cmd, ended := s.begin()
		for alive := true; alive; {
			select {
			case err := <-ended:
				alive = false
				s.judge(cmd, err)
				continue
			case <-time.After(lookPause): //nolint:forbidigo // real processes
			}
			cursor, err := settle.LoadCursor(s.t.Context(), s.pool, 0)
			s.must(err)
			left, err := s.floor.Finish(s.t.Context())
			s.must(err)
			if done = cursor.Next > said.Head && left == 0; done {
				s.end(cmd, ended)
				break
			}
			s.must(s.floor.Checkpoint(s.t.Context())) // what the stream lost last is found missing
		}
	}
}

// end asks a life to stop; its stream may break before it hears that.
func (s *siege) end(cmd *exec.Cmd, ended <-chan error) {
	s.t.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM) // where it has ended by itself, that shows below
	if err := <-ended; codeOf(s.t, cmd, err) != 0 {
		s.judge(cmd, err)
	}
}

// TestKilledAtEachPointBehindARealNode kills the settling process while customers trade
// at a real node, which is killed too now and then, over a stream that loses, repeats,
// disorders, and speaks with the voice of an old epoch. Each trade must be a row once,
// each checkpoint agree, and each balance be the engine's.
func TestKilledAtEachPointBehindARealNode(t *testing.T) {
	s := newSiege(t, 12)
	want := int(max(number(stepsVariable), 300)) / stepsPerKill
	stop, traded := make(chan struct{}), make(chan error, 1)
	go func() { traded <- s.trade(stop) }()
	for nodes := 0; s.killed() < want; {
		cmd, ended := s.begin()
		s.judge(cmd, <-ended)
		if nodes < nodeKills && s.killed() > want*(nodes+1)/(nodeKills+1) {
			nodes++
			s.must(s.nodes.Kill(0))
			s.must(s.nodes.StartNode(0))
		}
		select {
		case err := <-traded:
			t.Fatalf("trading ended: %v", err)
		default:
		}
	}
	close(stop)
	s.must(<-traded)
	s.drain()
	said, found, err := s.floor.Judge(t.Context(), s.pool)
	s.must(err)
	for _, line := range found {
		t.Error(line)
	}
	for _, p := range points() {
		t.Logf("%-24s killed %d times", p, s.kills[p])
		if s.kills[p] == 0 {
			t.Errorf("never killed at %s", p)
		}
	}
	if said.Epochs <= nodeKills || said.Trades < 8*want {
		t.Errorf("too little happened: %+v", said)
	}
	t.Logf("%d lives, of which %d by a broken stream; %+v", s.lives, s.broken, said)
}
