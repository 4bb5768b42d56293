package stack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/devstack"
	"strongroom/money"
)

const target = "0x000000000000000000000000000000000000dEaD"

// told collects what a stack says.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (w *told) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line)
}

func (w *told) await(t *testing.T, line string) {
	t.Helper()
	for range 3000 {
		w.mu.Lock()
		found := strings.Contains(strings.Join(w.lines, "\n"), line)
		w.mu.Unlock()
		if found {
			return
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // waits for other processes
	}
	t.Fatalf("never said %q: %q", line, w.lines)
}

// up starts a stack without the platform's own processes.
func up(t *testing.T, l Layout, w *told) *Stack {
	t.Helper()
	root, err := filepath.Abs("../../..")
	check(t, err)
	s, err := Up(t.Context(), Config{
		Layout: l, Root: root, Clock: time.Now, Note: w.note, //nolint:forbidigo // real servers, real time
		Step: func(name string, _ time.Duration, _ string) { w.note("step " + name) },
		Migrate: func(ctx context.Context, url string) error {
			return execute(ctx, url, "CREATE TABLE IF NOT EXISTS page (n int)")
		},
		LoadAssets: func(context.Context, string, string) error { return nil },
		Children:   func(Ports) []Child { return nil },
	})
	check(t, err)
	return s
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	_ = conn.Close(ctx)
	return err
}

// TestUpKillAndUpAgain runs the servers, kills each, stops all, and starts again:
// data, chains and ports are where they were.
func TestUpKillAndUpAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir, err := os.MkdirTemp("", "stack-test-*") //nolint:usetesting // t.TempDir has parents that only we can enter
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	l := Layout{Dir: filepath.Join(dir, "state")}

	var first told
	s := up(t, l, &first)
	ports := s.settings.Ports
	check(t, execute(ctx, s.env["STRONGROOM_DATABASE_URL"], "INSERT INTO page VALUES (7)"))
	sent, err := s.Faucet().SendETH(ctx, target, money.FromUint64(7))
	check(t, err)
	check(t, s.Faucet().Await(ctx, sent))
	for _, service := range s.supervisor.States() {
		check(t, syscall.Kill(service.PID, syscall.SIGKILL))
		first.await(t, service.Name+" runs again")
	}
	coin, err := s.Faucet().SendBTC(ctx, "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", 70_000)
	check(t, err)
	check(t, s.Faucet().Await(ctx, coin))
	lite, err := s.Faucet().SendLTC(ctx, "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3", 70_000)
	check(t, err)
	check(t, s.Faucet().Await(ctx, lite), s.Down())

	var second told
	s = up(t, l, &second)
	for name, port := range ports {
		if s.settings.Ports[name] != port {
			t.Errorf("%s moved from %d to %d", name, port, s.settings.Ports[name])
		}
	}
	check(t, s.Faucet().Await(ctx, coin), s.Faucet().Await(ctx, lite), s.Faucet().Await(ctx, sent))
	check(t, execute(ctx, s.env["STRONGROOM_DATABASE_URL"], "DO $$ BEGIN ASSERT (SELECT n FROM page) = 7; END $$"))
	status, err := l.Status()
	check(t, err)
	if !status.Running || len(status.Services) != 5 || status.Services[0].Name != "postgres" || !status.Services[4].Ready {
		t.Fatalf("status %+v", status)
	}
	check(t, s.Down())
	stopped(t, second.lines)
}

// stopped checks that the last lines name every server in reverse order.
func stopped(t *testing.T, lines []string) {
	t.Helper()
	want := []string{"temporal stopped", "litecoind stopped", "btcd stopped", "anvil stopped", "postgres stopped"}
	if got := lines[len(lines)-len(want):]; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Fatalf("stopped as %q", got)
	}
}

func TestUpSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	t.Cleanup(func() { check(t, Reset(l, func(string) {})) }) // also what lies outside of the folder
	_, err := Up(t.Context(), Config{
		Layout: l, Root: t.TempDir(), Clock: time.Now, Note: func(string) {}, //nolint:forbidigo // real time
		Step:       func(string, time.Duration, string) {},
		Migrate:    func(context.Context, string) error { return nil },
		LoadAssets: func(context.Context, string, string) error { return nil },
		Children:   func(Ports) []Child { return nil },
	})
	if err == nil {
		t.Fatal("started without servers")
	}
	if !strings.Contains(err.Error(), devstack.ErrMissing.Error()) && !strings.Contains(err.Error(), "not installed") {
		t.Fatalf("error is %v", err)
	}
	if l.Running() != 0 {
		t.Fatal("the folder is still taken")
	}
}
