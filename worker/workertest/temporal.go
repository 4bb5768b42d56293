package workertest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"strongroom/internal/temporalx"
	"strongroom/internal/testenv"
)

// serverStart bounds the start of a Temporal server.
const serverStart = time.Minute

// Quiet is a logger for servers and workers whose noise is not what is tested.
func Quiet() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// Server is where a test's Temporal listens and keeps its state.
type Server struct {
	Address string // empty: a free port
	File    string // SQLite; empty: in memory
}

// Start starts a real Temporal server with the search attributes of the platform.
// It is stopped at the end of the test.
func (s Server) Start(tb testing.TB) *testsuite.DevServer {
	tb.Helper()
	path := filepath.Join(testenv.Root(tb), ".tools/bin/strongroom-devstack")
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("the Temporal server of development is not built: run `make tools` (%v)", err)
	}
	var attributes []string
	for _, k := range temporalx.Keywords() {
		attributes = append(attributes, "--search-attribute", string(k)+"=Keyword")
	}
	// What the server says is kept for as long as the test; it is loud when it stops.
	log, err := os.Create(filepath.Join(tb.TempDir(), "temporal.log"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = log.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), serverStart)
	defer cancel()
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath: path, DBFilename: s.File, LogLevel: "error", ExtraArgs: attributes, Stdout: log, Stderr: log,
		ClientOptions: &client.Options{HostPort: s.Address, Identity: "test", Logger: Quiet()},
	})
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		tb.Fatalf("start Temporal: %v\n%s", err, said)
	}
	tb.Cleanup(func() { _ = server.Stop() }) // stopped by the test itself, perhaps
	return server
}
