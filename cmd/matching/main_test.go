package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asProgram makes this test binary behave as the program itself.
const asProgram = "STRONGROOM_MATCHING_TEST_AS_PROGRAM"

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestHelp(t *testing.T) {
	for name, args := range map[string][]string{
		"matching": {"--help"}, "serve": {"serve", "--help"}, "init": {"init", "--help"}, "status": {"status", "--help"},
	} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 0 {
			t.Errorf("%s: code %d: %s", name, code, &errOut)
		}
		golden := filepath.Join("testdata", "help", name+".txt")
		if *update {
			if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("help of %s changed; go test ./cmd/matching -update writes it anew:\n%s", name, &out)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"dance"}, {"serve"}, {"init", "--no-such-flag"}} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 2 || !strings.HasPrefix(errOut.String(), "matching: ") {
			t.Errorf("%q: code %d: %s", args, code, &errOut)
		}
	}
}

// house is a folder with everything that a node alone needs.
type house struct {
	t            *testing.T
	dir, address string
	process      *exec.Cmd
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	if err := mtls.EnsureDev(h.certs(), "matching", "worker", "cli"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.rights(), []byte(`{"worker": {"any": true, "operate": true, "events": true}, "cli": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	return h
}

func (h *house) certs() string  { return filepath.Join(h.dir, "tls") }
func (h *house) rights() string { return filepath.Join(h.dir, "rights.json") }

// node are the flags of the node.
func (h *house) node(more ...string) []string {
	return append([]string{
		"--dir", filepath.Join(h.dir, "node"), "--certs", h.certs(), "--orders", "1024", "--accounts", "8", "--assets", "2", "--markets", "2",
		"--keys", "1024", "--transfers", "64",
	}, more...)
}

func (h *house) serve(more ...string) []string {
	return append([]string{"serve"}, h.node(append([]string{"--listen", h.address, "--rights", h.rights(), "--grace", "1m"}, more...)...)...)
}

func (h *house) start() {
	h.t.Helper()
	h.process = exec.Command(os.Args[0], h.serve("--create")...)
	h.process.Env = append(os.Environ(), asProgram+"=1")
	h.process.Stderr = os.Stderr
	if err := h.process.Start(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) kill() {
	if h.process != nil {
		_ = h.process.Process.Kill()
		_ = h.process.Wait()
		h.process = nil
	}
}

func (h *house) run(args ...string) (code int, out, errOut string) {
	h.t.Helper()
	var o, e bytes.Buffer
	code = run(h.t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// TestKilledNodeKeepsWhatItAcknowledged kills the process while orders come in.
func TestKilledNodeKeepsWhatItAcknowledged(t *testing.T) {
	h := newHouse(t)
	h.start()
	tls, err := mtls.ClientConfig(h.certs(), "worker", serverName)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{h.address}, TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	leader := leaderOf(ctx, t, c)
	config := &engine.MarketConfig{Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 100, MaxOrders: 1024}
	if out, err := leader.Configure(ctx, &matchingv1.ConfigureRequest{Version: wire.Version, Config: wire.AppendConfig(nil, config)}); err != nil || out.GetCode() != 0 {
		t.Fatal(out, err)
	}
	session, err := c.Open(ctx, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	_, err = session.Do(ctx, engine.Command{Op: engine.OpAccount, Account: 1}, engine.Command{Op: engine.OpState, State: engine.Open},
		engine.Command{Op: engine.OpCredit, Account: 1, Amount: engine.Amount{Lo: 1000}, Key: engine.Key{Lo: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(60) {
		wait, err := session.Begin(ctx, engine.Command{Op: engine.OpNew, Account: 1, Side: engine.Sell, Price: 10, Qty: 1, Key: engine.Key{Lo: n + 1}})
		if err != nil {
			t.Fatal(err)
		}
		if n%20 == 10 {
			h.kill()
			h.start()
		}
		if results, err := wait(ctx); err != nil || results[0].Kind != engine.EventAccepted {
			t.Fatalf("order %d: %+v, %v", n, results, err)
		}
	}
	orders, err := leaderOf(ctx, t, c).Orders(ctx, &matchingv1.OrdersRequest{Account: 1})
	if err != nil || len(orders.GetOrders()) != 60 {
		t.Errorf("%d orders of 60 wait, %v", len(orders.GetOrders()), err)
	}
}

func leaderOf(ctx context.Context, t *testing.T, c *client.Client) matchingv1.MatchingClient {
	t.Helper()
	for {
		leader, err := c.Leader(ctx)
		if err == nil {
			return leader
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a process starts in real time
	}
}

func TestStatus(t *testing.T) {
	h := newHouse(t)
	args := []string{"status", "--certs", h.certs(), "--addresses", h.address}
	code, out, errOut := h.run(args...)
	var views []nodeView
	if err := json.Unmarshal([]byte(out), &views); code != 1 || err != nil || len(views) != 1 || views[0].Error == "" || !strings.Contains(errOut, "no node of matching leads") {
		t.Errorf("nobody there: code %d, %s, %s, %v", code, out, errOut, err)
	}
	h.start()
	for range int(patience / (50 * time.Millisecond)) {
		if code, out, errOut = h.run(args...); code == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // a process starts in real time
	}
	if err := json.Unmarshal([]byte(out), &views); code != 0 || err != nil || !views[0].Leading || views[0].Epoch == 0 {
		t.Errorf("code %d, %s, %s, %v", code, out, errOut, err)
	}
}

// TestFolders: one that is not this node's is refused, and nothing makes a new one
// where that was not asked for.
func TestFolders(t *testing.T) {
	h := newHouse(t)
	if code, _, errOut := h.run(h.serve()...); code != 1 || !strings.Contains(errOut, "journal") {
		t.Errorf("no folder: code %d, %s", code, errOut)
	}
	if code, out, errOut := h.run(append([]string{"init"}, h.node()...)...); code != 0 || !strings.Contains(out, "node 1 of shard 1") {
		t.Fatalf("code %d, %s", code, errOut)
	}
	for name, args := range map[string][]string{
		"again": append([]string{"init"}, h.node()...), "other node": h.serve("--node", "2"), "other shard": h.serve("--shard", "2"),
		"other cluster": h.serve("--cluster", "else"), "odd peer": h.serve("--peers", "nonsense"), "not a peer": h.serve("--peers", "5=a@127.0.0.1:1,6=b@127.0.0.1:2"),
		"no rights": {"serve", "--certs", h.certs(), "--rights", filepath.Join(h.dir, "none")},
	} {
		if code, _, errOut := h.run(args...); code != 1 || strings.Count(errOut, "matching: ") != 1 {
			t.Errorf("%s: code %d, %s", name, code, errOut)
		}
	}
}
