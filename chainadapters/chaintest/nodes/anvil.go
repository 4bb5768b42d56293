// Package nodes starts real development nodes for tests and dresses them as
// chaintest harnesses. It finds binaries where `make tools` puts them and fails
// the test where they are missing. It never runs in production.
package nodes

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startPatience bounds how long a node may take until it listens.
const startPatience = 20 * time.Second

// anvilPath is where npm puts the binary, below the module's root.
const anvilPath = "tools/npm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"

// listening is what anvil prints once it answers, before the address.
const listening = "Listening on "

// AnvilNode is a running anvil that mines on request only.
type AnvilNode struct {
	URL string
	PID int
}

// StartAnvil runs anvil on a free port of the loopback interface until t ends.
// Each node has a genesis of its own. Extra arguments are passed on.
func StartAnvil(tb testing.TB, args ...string) *AnvilNode {
	tb.Helper()
	binary := filepath.Join(moduleRoot(tb), anvilPath)
	if _, err := os.Stat(binary); err != nil {
		tb.Fatalf("anvil is missing: run `make tools` (%v)", err)
	}
	// It outlives t.Context, for the cleanups that still ask the node.
	ctx, cancel := context.WithCancel(context.Background())
	args = append([]string{"--host", "127.0.0.1", "--port", "0", "--no-mining", "--order", "fifo"}, args...)
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // the pinned binary
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		tb.Fatalf("connect to anvil: %v", err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatalf("start anvil: %v", err)
	}
	tb.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			if address, ok := strings.CutPrefix(scanner.Text(), listening); ok {
				lines <- strings.TrimSpace(address)
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // its log is drained, so that it never blocks
	}()
	deadline, stop := context.WithTimeout(tb.Context(), startPatience)
	defer stop()
	select {
	case address, ok := <-lines:
		if !ok {
			tb.Fatal("anvil ended before it listened")
		}
		return &AnvilNode{URL: "http://" + address, PID: cmd.Process.Pid}
	case <-deadline.Done():
		tb.Fatal("anvil does not listen")
	}
	return nil
}

// moduleRoot is the folder of go.mod above the test's working folder.
func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find module: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("find module: no go.mod above the working folder")
		}
		dir = parent
	}
}
