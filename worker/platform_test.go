package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/reflect/protoreflect"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/temporalx"
	"strongroom/worker"
	"strongroom/worker/dispatch"
	"strongroom/worker/workertest"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/withdrawal"
)

// mailbox is an outbox in memory.
type mailbox struct {
	mu   sync.Mutex
	rows []custodydb.OutboxRow
	sent map[int64]bool
}

func (m *mailbox) put(topic, kind, subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := int64(len(m.rows) + 1)
	m.rows = append(m.rows, custodydb.OutboxRow{Seq: seq, Key: strconv.FormatInt(seq, 10), Topic: topic, Kind: kind, Subject: subject})
}

func (m *mailbox) Outbox(_ context.Context, limit int) ([]custodydb.OutboxRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []custodydb.OutboxRow
	for _, r := range m.rows {
		if !m.sent[r.Seq] && len(list) < limit {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *mailbox) OutboxSent(_ context.Context, seqs []int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range seqs {
		m.sent[s] = true
	}
	return nil
}

func (m *mailbox) OutboxWait(ctx context.Context, _ time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.NewTimer(20 * time.Millisecond).C:
	}
	return nil
}

// mine is a lock that nobody else wants.
type mine struct{}

func (mine) Try(context.Context) (dispatch.Lease, error) { return mine{}, nil }
func (mine) Held(context.Context) error                  { return nil }
func (mine) Release()                                    {}

// platform is a worker on a real Temporal, with custody played in memory.
type platform struct {
	box    *mailbox
	desk   *workertest.Desk
	worker *worker.Worker
	ring   *temporalx.Keyring
	ended  chan error
	stop   context.CancelFunc
}

func start(t *testing.T, address string, intake *workertest.Intake) *platform {
	t.Helper()
	ring, err := temporalx.ParseKeyring([]byte(strings.Repeat("ab", 32)))
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{box: &mailbox{sent: map[int64]bool{}}, desk: workertest.NewDesk(), ring: ring, ended: make(chan error, 1)}
	p.worker, err = worker.New(worker.Config{
		Address: address, Namespace: "default", Identity: "test", Keys: ring,
		Activities: workertest.Activities(t, p.desk, intake), Outbox: p.box, Lock: mine{},
		Label: func(_ context.Context, topic, _ string) (temporalx.Labels, error) {
			return temporalx.Labels{UserID: "cus_1", Asset: "BTC", Rail: topic}, nil
		},
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() { p.ended <- p.worker.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-p.ended; err != nil {
			t.Errorf("worker ended with %v", err)
		}
	})
	return p
}

func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit).C
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("after %s: %s", limit, what)
		case <-time.NewTimer(20 * time.Millisecond).C:
		}
	}
}

// sealed returns a client that holds the platform's keys.
func (p *platform) sealed(t *testing.T, address string) client.Client {
	t.Helper()
	data, failures := temporalx.Converters(p.ring)
	c, err := client.Dial(client.Options{HostPort: address, Logger: workertest.Quiet(), DataConverter: data, FailureConverter: failures})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestFromTheOutboxToTheEnd(t *testing.T) {
	server := workertest.Server{}.Start(t)
	address := server.FrontendHostPort()
	intake := workertest.NewIntake(custody.DepositProgress{State: custody.DepositCredited}, custody.DepositProgress{State: custody.DepositWithdrawable, Ended: true})
	p := start(t, address, intake)
	within(t, 30*time.Second, "worker is not ready", func() bool { return p.worker.Ready(t.Context()) == nil })

	p.desk.Put("wdr_secret", custody.IntentWithdrawal, custody.WithdrawalHeld)
	p.desk.Show(custody.EventMine, custody.EventFinalise)
	p.desk.Put("wdr_dry", custody.IntentWithdrawal, custody.WithdrawalApproved)
	p.box.put("withdrawal", "start", "wdr_secret")
	p.box.put("withdrawal", "start", "wdr_secret")
	p.box.put("deposit", "signal", "dep_1")
	within(t, 30*time.Second, "withdrawal is not posted", func() bool {
		p.box.put("withdrawal", "signal", "wdr_secret")
		p.box.put("deposit", "signal", "dep_1")
		return p.desk.State("wdr_secret") == custody.WithdrawalPosted && intake.Looks() >= 2
	})

	p.desk.Fail("reserve", custody.ErrHotWallet, custody.ErrHotWallet, custody.ErrHotWallet, custody.ErrHotWallet, custody.ErrHotWallet)
	p.box.put("withdrawal", "start", "wdr_dry")
	within(t, 10*time.Second, "it does not wait for the wallet", func() bool { return strings.Count(strings.Join(p.desk.Calls(), " "), "reserve") > 1 })
	end, err := withdrawal.Cancel.Call(t.Context(), p.sealed(t, address), withdrawal.ID("wdr_dry"), withdrawal.Request{Reason: "typo"})
	if err != nil || end.State != custody.WithdrawalCancelled {
		t.Errorf("cancelled: %+v, %v", end, err)
	}
	_, err = withdrawal.Cancel.Call(t.Context(), p.sealed(t, address), withdrawal.ID("wdr_secret"), withdrawal.Request{})
	if err == nil {
		t.Error("cancelled what had ended")
	}
	outsiderSeesNothing(t, server.Client(), withdrawal.ID("wdr_secret"))
	outsiderSaysNothing(t, p, server.Client())
	attributes(t, server.Client())
}

// outsiderSeesNothing reads a history without the keys: every payload is sealed,
// but for the search attributes, which hold codes only.
func outsiderSeesNothing(t *testing.T, c client.Client, id string) {
	t.Helper()
	sealed := 0
	pages := c.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for pages.HasNext() {
		event, err := pages.Next()
		if err != nil {
			t.Fatal(err)
		}
		eachPayload(event.ProtoReflect(), func(p *commonpb.Payload) {
			if string(p.Metadata["encoding"]) != "binary/encrypted" {
				t.Errorf("%s shows %v", event.EventType, p)
			}
			sealed++
		})
	}
	if sealed < 10 {
		t.Errorf("found only %d payloads", sealed)
	}
}

// eachPayload visits every payload in a message that is no search attribute.
func eachPayload(m protoreflect.Message, visit func(*commonpb.Payload)) {
	switch is := m.Interface().(type) {
	case *commonpb.SearchAttributes:
		return
	case *commonpb.Payload:
		visit(is)
		return
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { eachPayload(v.Message(), visit); return true })
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				eachPayload(v.List().Get(i).Message(), visit)
			}
		case !f.IsMap() && f.Message() != nil:
			eachPayload(v.Message(), visit)
		}
		return true
	})
}

// outsiderSaysNothing starts a workflow without the keys: its input does not open,
// so nothing is done for it.
func outsiderSaysNothing(t *testing.T, p *platform, c client.Client) {
	t.Helper()
	p.desk.Put("wdr_forged", custody.IntentWithdrawal, custody.WithdrawalHeld)
	_, err := withdrawal.Workflow.Start(t.Context(), c, client.StartWorkflowOptions{
		ID: withdrawal.ID("wdr_forged"), TaskQueue: worker.Queue,
	}, outgoing.Input{ID: "wdr_forged"})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-time.NewTimer(500 * time.Millisecond).C:
	case <-t.Context().Done():
	}
	if state := p.desk.State("wdr_forged"); state != custody.WithdrawalHeld {
		t.Errorf("a forged start took the withdrawal to %s", state)
	}
}

// attributes looks for workflows as an auditor does.
func attributes(t *testing.T, c client.Client) {
	t.Helper()
	within(t, 10*time.Second, "the auditor does not find the posted withdrawal", func() bool {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: "default", Query: "UserId='cus_1' AND Phase='posted' AND ChainTx='tx-wdr_secret' AND Rail='withdrawal'",
		})
		return err == nil && len(found.Executions) == 1
	})
}

// A server that stops in the middle and comes back finds everything where it was.
func TestTemporalGoesAndComesBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.db")
	first := workertest.Server{File: file}.Start(t)
	address := first.FrontendHostPort()
	p := start(t, address, nil)
	within(t, 30*time.Second, "worker is not ready", func() bool { return p.worker.Ready(t.Context()) == nil })
	p.desk.Put("wdr_1", custody.IntentWithdrawal, custody.WithdrawalHeld)
	p.box.put("withdrawal", "start", "wdr_1")
	within(t, 20*time.Second, "it is not sent", func() bool { return p.desk.State("wdr_1") == custody.WithdrawalBroadcast })
	_ = first.Stop() // however it ends
	within(t, 20*time.Second, "still ready without Temporal", func() bool { return p.worker.Ready(t.Context()) != nil })
	p.desk.Put("wdr_2", custody.IntentWithdrawal, custody.WithdrawalHeld)
	p.box.put("withdrawal", "start", "wdr_2") // arrives while nobody is there
	workertest.Server{Address: address, File: file}.Start(t)
	p.desk.Show(custody.EventMine, custody.EventFinalise, custody.EventMine, custody.EventFinalise, custody.EventMine, custody.EventFinalise)
	within(t, 60*time.Second, "not all is posted", func() bool {
		p.box.put("withdrawal", "signal", "wdr_1")
		p.box.put("withdrawal", "signal", "wdr_2")
		p.desk.Show(custody.EventMine, custody.EventFinalise)
		return p.desk.State("wdr_1") == custody.WithdrawalPosted && p.desk.State("wdr_2") == custody.WithdrawalPosted
	})
	within(t, 20*time.Second, "not ready again", func() bool { return p.worker.Ready(t.Context()) == nil })
	for _, verb := range []string{"sign", "send", "settle"} {
		if n := strings.Count(" "+strings.Join(p.desk.Calls(), " ")+" ", " "+verb+" "); n < 2 {
			t.Errorf("%s was called %d times for two withdrawals", verb, n)
		}
	}
}

// A worker without Temporal says so, keeps trying, and ends when told to.
func TestWithoutTemporal(t *testing.T) {
	p := start(t, "127.0.0.1:1", nil)
	if err := p.worker.Ready(t.Context()); !errors.Is(err, worker.ErrNotReady) {
		t.Errorf("ready: %v", err)
	}
}
