package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// within bounds one demo, kills and restarts included, on a busy machine.
const within = 6 * time.Minute

// The demo completes, each payment once, although every process of the platform
// and every node is killed half way: the supervisor starts them again.
func TestDemoSurvivesTheDeathOfEveryProcess(t *testing.T) {
	dir := stateDir(t)
	run := start(t, dir, "demo")
	run.await(t, "deposit ")
	run.kill(t, "worker")
	run.await(t, "withdraw ")
	for _, service := range []string{"signer", "temporal", "worker", "postgres", "anvil", "btcd", "litecoind", "matching", "trading", "api"} {
		run.kill(t, service)
		run.awaitReady(t, service, within)
	}
	if code := run.wait(t, within); code != 0 {
		t.Fatalf("demo ended with %d:\n%s", code, run.output())
	}
	assertOnce(t, run)
}

// A new start completes what a killed one left, with all its data.
func TestDemoResumesAfterTheSupervisorIsKilled(t *testing.T) {
	dir := stateDir(t)
	first := start(t, dir, "demo")
	first.await(t, "withdraw ")
	if err := syscall.Kill(first.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.wait(t, within)

	second := start(t, dir, "demo")
	if code := second.wait(t, within); code != 0 {
		t.Fatalf("demo ended with %d:\n%s", code, second.output())
	}
	if !strings.Contains(second.output(), "resuming the tour") {
		t.Errorf("the second start did not resume:\n%s", second.output())
	}
	assertOnce(t, second)

	third := start(t, dir, "demo")
	if code := third.wait(t, within); code != 0 {
		t.Fatalf("a start on existing data ended with %d:\n%s", code, third.output())
	}
	assertOnce(t, third)
}

// assertOnce reads the demo's own comparison: outside addresses got exactly what
// was asked for, which two payments would not be.
func assertOnce(t *testing.T, run *process) {
	t.Helper()
	out := run.output()
	if got := strings.Count(out, "arrived outside, to the unit"); got != 4 {
		t.Errorf("%d of 4 withdrawals arrived to the unit:\n%s", got, out)
	}
	if !strings.Contains(out, "agrees with") || !strings.Contains(out, "sweep ") {
		t.Errorf("nobody agreed to the large withdrawal, or nothing was swept:\n%s", out)
	}
	if strings.Contains(out, "DIFFERS") || !strings.Contains(out, "agrees") {
		t.Errorf("ledger and chain do not agree:\n%s", out)
	}
}
