package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"strongroom/chainadapters"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/mtls"
	"strongroom/money"
	"strongroom/signer"
	signerclient "strongroom/signer/client"
	"strongroom/signer/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// core answers every request in one way and keeps the last.
type core struct {
	err  error
	last *signerv1.SignRequest

	submitted  *signerv1.SubmitRequest
	froze      []byte
	disallowed [3]string
}

func (c *core) Sign(req *signerv1.SignRequest) (*signerv1.SignResponse, error) {
	c.last = req
	if c.err != nil {
		return nil, c.err
	}
	return &signerv1.SignResponse{RawTx: []byte{1}, Txid: "id"}, nil
}

func (c *core) PublicKeys(string) (*signerv1.PublicKeysResponse, error) {
	return &signerv1.PublicKeysResponse{DepositXpub: "a", HotXpub: "b"}, c.err
}

func (*core) Status() (*signerv1.StatusResponse, error) {
	return &signerv1.StatusResponse{JournalEntries: 7}, nil
}

func (c *core) Submit(req *signerv1.SubmitRequest) (*signerv1.SubmitResponse, error) {
	c.submitted = req
	return &signerv1.SubmitResponse{Known: true}, c.err
}

func (c *core) Freeze(text []byte) error {
	c.froze = text
	return c.err
}

func (c *core) Disallow(owner, chain, address string) (bool, error) {
	c.disallowed = [3]string{owner, chain, address}
	return true, c.err
}

// house is a running server with certificates for everybody.
type house struct {
	core    *core
	metrics *server.Metrics
	address string
	certs   string
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{core: &core{}, certs: t.TempDir()}
	if err := mtls.EnsureDev(h.certs, "signer", "worker", "api", "cli", "matching"); err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := mtls.ServerConfig(h.certs, "signer")
	if err != nil {
		t.Fatal(err)
	}
	h.metrics = server.NewMetrics(h.core)
	srv, err := server.New(server.Config{
		Core: h.core, TLS: tlsConfig, Log: slog.New(slog.DiscardHandler), Metrics: h.metrics, Clock: func() time.Time { return time.Unix(0, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return h
}

func (h *house) client(t *testing.T, certs, name string) *signerclient.Client {
	t.Helper()
	tlsConfig, err := mtls.ClientConfig(certs, name, "signer")
	if err != nil {
		t.Fatal(err)
	}
	c, err := signerclient.New(signerclient.Config{Address: h.address, TLS: tlsConfig, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func withdrawal() signerclient.Request {
	return signerclient.Request{
		Intent: "wdr_1", Kind: signerclient.Withdrawal, Chain: "bitcoin-regtest", Asset: "BTC", Attempt: 3,
		Plan: chainadapters.Plan{
			Payments: []chainadapters.Payment{{To: "somebody", Amount: money.FromUint64(5)}},
			Coins: []chainadapters.Coin{
				{Path: chainadapters.KeyPath{Account: 1}}, {Path: chainadapters.KeyPath{Account: 1, Branch: 1, Index: 4}},
			},
			ChangePath: chainadapters.KeyPath{Account: 1, Branch: 1, Index: 9},
		},
		Unsigned: chainadapters.Unsigned{Bytes: []byte{9}, Change: money.FromUint64(1)}, MaxFee: money.FromUint64(77),
	}
}

func TestWorkerSigns(t *testing.T) {
	h := open(t)
	out, err := h.client(t, h.certs, "worker").Sign(t.Context(), withdrawal())
	if err != nil || out.TxID != "id" {
		t.Fatalf("%+v: %v", out, err)
	}
	got := h.core.last
	if len(got.GetInputPaths()) != 2 || got.GetInputPaths()[1].GetIndex() != 4 || got.GetChangePath().GetIndex() != 9 ||
		got.GetFromPath() != nil || got.GetMaxFee() != "77" || got.GetAttempt() != 3 || got.GetIntent().GetAmount() != "5" {
		t.Errorf("request on the wire: %v", got)
	}
}

func TestOthersMayLookButNotSign(t *testing.T) {
	h := open(t)
	for name, looks := range map[string]bool{"api": true, "cli": true, "matching": false, "signer": false} {
		c := h.client(t, h.certs, name)
		if _, err := c.Sign(t.Context(), withdrawal()); !errors.Is(err, signerclient.ErrForbidden) {
			t.Errorf("%s signs: %v", name, err)
		}
		_, _, keysErr := c.PublicKeys(t.Context(), "bitcoin-regtest")
		_, statusErr := c.Status(t.Context())
		for _, err := range []error{keysErr, statusErr} {
			if (err == nil) != looks || (!looks && !errors.Is(err, signerclient.ErrForbidden)) {
				t.Errorf("%s looks: %v", name, err)
			}
		}
	}
	if h.core.last != nil {
		t.Error("a forbidden request reached the core")
	}
}

// A stranger is whoever has no certificate of our authority, be it called worker.
func TestStrangersAreRefused(t *testing.T) {
	h := open(t)
	foreign := t.TempDir()
	if err := mtls.EnsureDev(foreign, "worker", "signer"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client(t, foreign, "worker").Status(t.Context()); err == nil {
		t.Error("a worker of another authority was served")
	}
	ours, err := mtls.ClientConfig(h.certs, "worker", "signer")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := mtls.ClientConfig(foreign, "worker", "signer")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*tls.Config){
		"no certificate":      func(c *tls.Config) { c.GetClientCertificate = nil },
		"foreign certificate": func(c *tls.Config) { c.GetClientCertificate = theirs.GetClientCertificate },
		"TLS 1.2":             func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"another server":      func(c *tls.Config) { c.ServerName = "worker" },
	} {
		cfg := ours.Clone()
		change(cfg)
		if err := check(t, h.address, credentials.NewTLS(cfg)); err == nil {
			t.Errorf("%s: served", name)
		}
	}
	if err := check(t, h.address, credentials.NewTLS(ours)); err != nil {
		t.Errorf("health for our own: %v", err)
	}
}

func check(t *testing.T, address string, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}

func TestErrorsSayWhetherToAskAgain(t *testing.T) {
	h := open(t)
	c := h.client(t, h.certs, "worker")
	for _, tc := range []struct{ from, want error }{
		{signer.ErrInvalid, signerclient.ErrInvalid},
		{signer.ErrUnknownChain, signerclient.ErrInvalid},
		{signer.ErrRefused, signerclient.ErrRefused},
		{signer.ErrFrozen, signerclient.ErrRefused},
		{signer.ErrFrozen, signerclient.ErrFrozen},
	} {
		h.core.err = fmt.Errorf("%w: because", tc.from)
		if _, err := c.Sign(t.Context(), withdrawal()); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "because") {
			t.Errorf("%v became %v, want %v", tc.from, err, tc.want)
		}
	}
	for from, code := range map[error]codes.Code{signer.ErrJournal: codes.Unavailable, io.ErrNoProgress: codes.Internal} {
		h.core.err = from
		_, err := c.Sign(t.Context(), withdrawal())
		if errors.Is(err, signerclient.ErrInvalid) || errors.Is(err, signerclient.ErrRefused) || status.Code(errors.Unwrap(err)) != code {
			t.Errorf("%v became %v, want a passing fault", from, err)
		}
	}
}

func TestRequestThatNoTransactionCanCarry(t *testing.T) {
	h := open(t)
	c := h.client(t, h.certs, "worker")
	two, unknown := withdrawal(), withdrawal()
	two.Plan.Payments = append(two.Plan.Payments, two.Plan.Payments[0])
	unknown.Kind = "gift"
	for _, r := range []signerclient.Request{two, unknown} {
		if _, err := c.Sign(t.Context(), r); !errors.Is(err, signerclient.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
	huge := withdrawal()
	huge.Unsigned.Bytes = make([]byte, signer.MaxRequestBytes)
	if _, err := c.Sign(t.Context(), huge); err == nil || h.core.last != nil {
		t.Errorf("a huge request: %v", err)
	}
}

func TestMetricsCountCalls(t *testing.T) {
	h := open(t)
	if _, err := h.client(t, h.certs, "worker").Sign(t.Context(), withdrawal()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.metrics.Serve(ctx, l) }()
	for path, want := range map[string]string{
		"/healthz": "", "/metrics": `strongroom_signer_calls_total{code="OK",method="/strongroom.signer.v1.Signer/Sign"} 1`,
	} {
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d\n%s", path, resp.StatusCode, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("serve metrics: %v", err)
	}
}
