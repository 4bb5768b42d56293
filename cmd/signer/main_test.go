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

	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/mtls"
	signerclient "strongroom/signer/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asProgram makes this test binary behave as the program itself.
const asProgram = "STRONGROOM_SIGNER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestHelp(t *testing.T) {
	for name, args := range map[string][]string{
		"signer": {"--help"}, "serve": {"serve", "--help"}, "init": {"init", "--help"},
		"status": {"status", "--help"}, "freeze": {"freeze", "--help"}, "witness": {"witness", "--help"},
		"load-token": {"load-token", "--help"},
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
			t.Errorf("help of %s changed; go test ./cmd/signer -update writes it anew:\n%s", name, &out)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"dance"}, {"serve"}, {"init", "--no-such-flag"}} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 2 || !strings.HasPrefix(errOut.String(), "signer: ") {
			t.Errorf("%q: code %d: %s", args, code, &errOut)
		}
	}
}

// house is a folder with everything that a signer needs.
type house struct{ dir, address string }

func newHouse(t *testing.T) house {
	t.Helper()
	h := house{dir: t.TempDir()}
	if err := mtls.EnsureDev(h.certs(), "signer", "worker", "cli"); err != nil {
		t.Fatal(err)
	}
	policy := `{"chains":[{"name":"bitcoin-regtest","family":"bitcoin","network":"regtest","feeCeiling":"100000"}],
		"assets":[{"code":"BTC","chain":"bitcoin-regtest","withdrawal":{"perTransaction":"1000","perHour":"2000","perDay":"3000"}}]}`
	if err := os.WriteFile(filepath.Join(h.dir, "policy.json"), []byte(policy), 0o600); err != nil {
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
	return h
}

func (h house) certs() string { return filepath.Join(h.dir, "certs") }

func (h house) env() []string {
	return []string{
		asProgram + "=1", "STRONGROOM_SIGNER_DIR=" + filepath.Join(h.dir, "signer"),
		"STRONGROOM_SIGNER_CERTS=" + h.certs(), "STRONGROOM_SIGNER_LISTEN=" + h.address,
		"STRONGROOM_SIGNER_PASSPHRASE_FILE=" + filepath.Join(h.dir, "passphrase"),
		"STRONGROOM_SIGNER_MAKE_PASSPHRASE=true", "STRONGROOM_SIGNER_WORK_FACTOR=4",
		"STRONGROOM_SIGNER_POLICY=" + filepath.Join(h.dir, "policy.json"),
	}
}

// command runs the program in a process of its own.
func (h house) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self, args...)
	cmd.Env = append(os.Environ(), h.env()...)
	return cmd
}

// serve starts the signer and returns when it answers.
func (h house) serve(t *testing.T) (*exec.Cmd, *signerclient.Client) {
	t.Helper()
	cmd := h.command(t, "serve")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	tlsConfig, err := mtls.ClientConfig(h.certs(), "worker", "signer")
	if err != nil {
		t.Fatal(err)
	}
	client, err := signerclient.New(signerclient.Config{Address: h.address, TLS: tlsConfig, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	deadline := time.NewTimer(startPatience).C
	for pause := time.NewTicker(startPause); ; {
		_, err := client.Status(t.Context())
		if err == nil {
			pause.Stop()
			return cmd, client
		}
		select {
		case <-pause.C:
		case <-deadline:
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("signer does not answer: %v\n%s", err, &log)
		}
	}
}

// How long a signer may take to start, and how often it is asked meanwhile.
const (
	startPatience = 20 * time.Second
	startPause    = 10 * time.Millisecond
)

// A signer that is killed keeps seed and journal; one that is asked to end does
// so by itself.
func TestProcessSurvivesKill(t *testing.T) {
	h := newHouse(t)
	cmd, client := h.serve(t)
	deposit, hot, err := client.PublicKeys(t.Context(), "bitcoin-regtest")
	if err != nil {
		t.Fatal(err)
	}
	before, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	cmd, client = h.serve(t)
	if d, o, err := client.PublicKeys(t.Context(), "bitcoin-regtest"); err != nil || d != deposit || o != hot {
		t.Errorf("other keys after a kill: %v", err)
	}
	if after, err := client.Status(t.Context()); err != nil || !proto.Equal(before, after) {
		t.Errorf("status after a kill: %v, %v, want %v", after, err, before)
	}
	_ = client.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("end on request: %v", err)
	}
}

func TestInitStatusFreeze(t *testing.T) {
	h := newHouse(t)
	if out, err := h.command(t, "init").CombinedOutput(); err != nil || !strings.Contains(string(out), "seed and journal are in") {
		t.Fatalf("init: %v\n%s", err, out)
	}
	if out, err := h.command(t, "init").CombinedOutput(); err == nil {
		t.Errorf("a second init: %s", out)
	}
	h.serve(t)
	status := func() (view statusView) {
		out, err := h.command(t, "status").Output()
		if err != nil {
			t.Fatalf("status: %v\n%s", err, out)
		}
		if err := json.Unmarshal(out, &view); err != nil {
			t.Fatal(err)
		}
		return view
	}
	if view := status(); view.Frozen || view.JournalEntries != 1 || view.Caps[0].PerHour != "2000" {
		t.Errorf("status: %+v", view)
	}
	if out, err := h.command(t, "freeze").CombinedOutput(); err != nil {
		t.Fatalf("freeze: %v\n%s", err, out)
	}
	if !status().Frozen {
		t.Error("not frozen")
	}
}

func TestViewKeepsEveryCap(t *testing.T) {
	view := viewOf(&signerv1.StatusResponse{Caps: []*signerv1.CapUse{{Asset: "A", UsedDay: "1"}, {Asset: "B"}}})
	if len(view.Caps) != 2 || view.Caps[0].UsedDay != "1" {
		t.Errorf("%+v", view)
	}
}
