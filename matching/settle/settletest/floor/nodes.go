package floor

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"strongroom/internal/devstack/shard"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/internal/testenv"
	"strongroom/matching/client"
)

// Caller is the name in the certificate by which the nodes let a floor do everything.
const Caller = "trading"

// Nodes builds the program matching and runs so many nodes of it until the test ends.
func Nodes(tb testing.TB, n int) *shard.Shard {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "matching")
	build := exec.CommandContext(tb.Context(), "go", "build", "-ldflags=-s -w", "-o", bin, "./cmd/matching") //nolint:gosec // our own program
	build.Dir = testenv.Root(tb)
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build matching: %v\n%s", err, out)
	}
	s, err := shard.Start(shard.Config{
		Dir: filepath.Join(tb.TempDir(), "nodes"), Bin: bin, Nodes: n,
		Callers: map[string]shard.Rights{Caller: {Any: true, Operate: true, Events: true}},
		Flags: []string{
			"--accounts", "64", "--assets", "2", "--markets", "2", "--orders", "16384", "--pages", "256", "--keys", "16384", "--transfers", "16384",
			"--snapshot", "500", "--grace", "1m",
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Dial makes a client of nodes from the folder of their certificates.
func Dial(certs string, addresses []string) (*client.Client, error) {
	tls, err := mtls.ClientConfig(certs, Caller, "matching")
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Addresses: addresses, TLS: tls})
}

// Leading waits until a node leads and tells which, from zero.
func Leading(ctx context.Context, tb testing.TB, c *client.Client) int {
	tb.Helper()
	for {
		for i := range c.Nodes() {
			asked, cancel := context.WithTimeout(ctx, time.Second)
			s, err := c.Any(i).Status(asked, &matchingv1.StatusRequest{})
			cancel()
			if err == nil && s.GetLeading() {
				return i
			}
		}
		if !wait(ctx) {
			tb.Fatal("no node leads")
		}
	}
}
