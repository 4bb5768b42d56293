package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/mtls"
	"strongroom/internal/testenv"
	"strongroom/matching/engine"
	"strongroom/matching/server"
)

// marketHouse serves a shard in this process and returns the flags of `markets` for it.
func marketHouse(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	url := testenv.Postgres(t, migrations()...)
	data, err := os.ReadFile("../../internal/devstack/stack/assets.json")
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "assets.json")
	data = []byte(strings.ReplaceAll(string(data), `"TOKEN"`, `"0x5FbDB2315678afecb367f032d93F642f64180aa3"`))
	if err := os.WriteFile(list, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loadAssets(t.Context(), time.Now, url, list); err != nil { //nolint:forbidigo // as the command does
		t.Fatal(err)
	}
	certs := filepath.Join(dir, "tls")
	if err := mtls.EnsureDev(certs, matchingServer, "worker", "cli"); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--database-url", url, "--tls-dir", certs, "--matching-addresses", serveShard(t, certs),
		"--markets-file", "../../internal/devstack/stack/markets.json",
	}
}

func serveShard(t *testing.T, certs string) string {
	t.Helper()
	clock := time.Now //nolint:forbidigo // a shard as it runs
	e, err := engine.New(engine.Config{Orders: 1 << 8, Accounts: 16, Assets: 8, Markets: 8, Keys: 1 << 8, Transfers: 1 << 8})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	tls, err := mtls.ServerConfig(certs, matchingServer)
	if err != nil {
		t.Fatal(err)
	}
	machine := server.NewMachine(e, metrics, clock)
	memory := server.NewMemory(machine, 1, false)
	srv, err := server.New(server.Config{
		Machine: machine, Log: memory, TLS: tls, Metrics: metrics, Logger: slog.New(slog.DiscardHandler), Clock: clock,
		Peers: map[string]server.Rights{"worker": {Any: true, Operate: true}, "cli": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		memory.Close()
	})
	return l.Addr().String()
}

func TestMarketsAreMadeShownAndHalted(t *testing.T) {
	flags := marketHouse(t)
	markets := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := command(t, append(append([]string{"markets"}, args...), flags...)...)
		if code != want {
			t.Errorf("%v: exit code %d, said %s%s", args, code, out, errOut)
		}
		return out + errOut
	}
	if out := markets(0, "list"); !strings.Contains(out, "BTC-USDC  not made  -     -    -") {
		t.Error(out)
	}
	if out := markets(0, "apply"); !strings.Contains(out, "BTC-USDC: new, open, number 1, tick 0.01, lot 0.0001\n") || strings.Count(out, "\n") != 3 {
		t.Error(out)
	}
	if out := markets(0, "state", "ETH-USDC", "halt", "--for", "1h"); out != "ETH-USDC: halted\n" {
		t.Error(out)
	}
	// The same again opens nothing that an operator has halted.
	if out := markets(0, "apply"); !strings.Contains(out, "ETH-USDC: as the file says, halted") || !strings.Contains(out, "LTC-BTC: as the file says, open") {
		t.Error(out)
	}
	if out := markets(0, "list"); !strings.Contains(out, "ETH-USDC  halted  3000") || !strings.Contains(out, "LTC-BTC   open    0.0015") {
		t.Error(out)
	}
	for what, args := range map[string][]string{
		"there is no market": {"state", "BTC-EUR", "open"}, "--for is of": {"state", "BTC-USDC", "open", "--for", "1s"},
		"must be one of": {"state", "BTC-USDC", "sleep"}, "no such file": {"apply", "none.json"},
	} {
		if out := markets(2, args...); !strings.Contains(out, what) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: %s", args, out)
		}
	}
	if out := markets(1, "state", "BTC-USDC", "halt", "--as", "cli"); !strings.Contains(out, "FORBIDDEN") {
		t.Error(out)
	}
	changed := filepath.Join(t.TempDir(), "markets.json")
	data, err := os.ReadFile("../../internal/devstack/stack/markets.json")
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"lot": "0.0001"`, `"lot": "0.001"`, 1))
	data = []byte(strings.Replace(string(data), `"minQuantity": "0.0001"`, `"minQuantity": "0.001"`, 1))
	if err := os.WriteFile(changed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := markets(1, "apply", changed); !strings.Contains(out, "never change") {
		t.Error(out)
	}
}
