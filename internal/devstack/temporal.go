package devstack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// TemporalConfig says how to run the Temporal server of development: our own
// binary from the module devstack/, on PostgreSQL.
type TemporalConfig struct {
	Bin string // as TemporalBin finds it
	// PostgresURL connects to any database of the cluster in which the server
	// makes its own two.
	PostgresURL string
	Port        int // gRPC frontend on 127.0.0.1
	UIPort      int // web interface, read-only; 0: none
	MetricsPort int // 0: none
	Namespace   string
	// Attributes are the search attributes to register: name → type.
	Attributes map[string]string
	LogLevel   string    // empty: warn
	Log        io.Writer // nil: discarded
}

// TemporalBin returns where `make tools` puts the server below root.
func TemporalBin(root string) (string, error) {
	bin := filepath.Join(root, ".tools/bin/strongroom-devstack")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("strongroom-devstack (Temporal): %w", ErrMissing)
	}
	return bin, nil
}

// SearchAttributes are those that workflows set and auditors filter by.
func SearchAttributes() map[string]string {
	return map[string]string{
		"UserId": "Keyword", "Asset": "Keyword", "Phase": "Keyword",
		"AmountBand": "Keyword", "Rail": "Keyword", "ChainTx": "Keyword",
	}
}

// StartTemporal starts the server and waits until its namespace answers.
func StartTemporal(ctx context.Context, cfg TemporalConfig) (*Process, error) {
	return Start(ctx, cfg.Spec())
}

// Address returns the frontend's address.
func (c TemporalConfig) Address() string { return Loopback(c.Port) }

// Spec describes the server.
func (c TemporalConfig) Spec() Spec {
	level := c.LogLevel
	if level == "" {
		level = "warn"
	}
	command := []string{
		c.Bin, "server", "start", "--ip", "127.0.0.1", "--port", strconv.Itoa(c.Port),
		"--ui-port", strconv.Itoa(c.UIPort), "--metrics-port", strconv.Itoa(c.MetricsPort),
		"--namespace", c.Namespace, "--log-level", level,
	}
	names := make([]string, 0, len(c.Attributes))
	for name := range c.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		command = append(command, "--search-attribute", name+"="+c.Attributes[name])
	}
	return Spec{
		Name: "temporal", Command: command, Log: c.Log,
		Env:   []string{"STRONGROOM_DEVSTACK_PG_URL=" + c.PostgresURL},
		Ready: c.ready, StopWithin: 20 * time.Second, StartWithin: 90 * time.Second,
	}
}

// ready asks the frontend for its health, then the web interface, which our
// binary starts last.
func (c TemporalConfig) ready(ctx context.Context) error {
	conn, err := grpc.NewClient(c.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial frontend: %w", err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx,
		&grpc_health_v1.HealthCheckRequest{Service: "temporal.api.workflowservice.v1.WorkflowService"})
	if err != nil {
		return fmt.Errorf("ask frontend: %w", err)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("frontend is %s", answer.GetStatus())
	}
	if c.UIPort == 0 {
		return nil
	}
	return Reachable(ctx, "http://"+Loopback(c.UIPort)+"/healthz")
}

// Reachable reports whether a GET of url answers 200.
func Reachable(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
