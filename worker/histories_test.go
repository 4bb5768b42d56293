package worker_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"strongroom/custody"
	"strongroom/internal/testenv"
	"strongroom/matching/settle"
	"strongroom/trading"
	"strongroom/worker"
	"strongroom/worker/workertest"
	"strongroom/workflows/coldspend"
	"strongroom/workflows/collect"
	"strongroom/workflows/deposit"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/refill"
	"strongroom/workflows/sweep"
	"strongroom/workflows/transfer"
	"strongroom/workflows/withdrawal"
)

// record is how a release writes down what its workflows do:
//
//	go test ./worker -run TestHistories -record
var record = flag.Bool("record", false, "write the histories into workflows/*/testdata/history")

// scene is one workflow's life, played on a real server.
type scene struct {
	workflow string // folder below workflows/
	name     string
	subject  string
	state    custody.WithdrawalState
	chain    []custody.WithdrawalEvent
	fail     map[string][]error
	deposit  []custody.DepositState
	transfer trading.TransferState
	cancel   bool
	end      string
}

func scenes() []scene {
	mined := []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise}
	dry := map[string][]error{"reserve": slices.Repeat([]error{custody.ErrHotWallet}, 1000)}
	down := errors.New("connection refused")
	return []scene{
		{workflow: "withdrawal", name: "posted", state: custody.WithdrawalHeld, chain: mined, end: "posted"},
		{workflow: "withdrawal", name: "cancelled_by_customer", state: custody.WithdrawalHeld, fail: dry, cancel: true, end: "cancelled"},
		{workflow: "withdrawal", name: "reservation_refused", state: custody.WithdrawalHeld, fail: map[string][]error{"reserve": {custody.ErrAmount}}, end: "cancelled"},
		{workflow: "withdrawal", name: "servers_down", state: custody.WithdrawalHeld, chain: mined, end: "posted", fail: map[string][]error{
			"screen": {down}, "reserve": {down, custody.ErrChainHalted}, "sign": {down}, "send": {down}, "observe": {down}, "settle": {down},
		}},
		{workflow: "withdrawal", name: "unknown_reorganised", state: custody.WithdrawalHeld, end: "posted", chain: []custody.WithdrawalEvent{
			custody.EventLost, custody.EventMine, custody.EventReorg, custody.EventSent, custody.EventMine, custody.EventFinalise,
		}},
		{workflow: "withdrawal", name: "stuck_replaced", state: custody.WithdrawalHeld, end: "posted", chain: []custody.WithdrawalEvent{
			custody.EventStall, custody.EventReplace, custody.EventMine, custody.EventFinalise,
		}},
		{workflow: "withdrawal", name: "stuck_taken_back", state: custody.WithdrawalHeld, end: "cancelled", chain: []custody.WithdrawalEvent{
			custody.EventStall, custody.EventReplace, custody.EventMine, custody.EventCancelMined,
		}},
		{workflow: "withdrawal", name: "signer_refuses", state: custody.WithdrawalHeld, chain: mined, end: "posted", fail: map[string][]error{"sign": {custody.ErrIllegal}}},
		{workflow: "withdrawal", name: "reverted", state: custody.WithdrawalHeld, end: "reverted", chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventRevert}},
		{workflow: "collect", name: "posted", subject: "col_1", state: custody.WithdrawalApproved, chain: mined, end: "posted"},
		{workflow: "collect", name: "gas_posted", subject: "gas_1", state: custody.WithdrawalApproved, chain: mined, end: "posted"},
		{workflow: "collect", name: "refused", subject: "col_2", state: custody.WithdrawalApproved, fail: map[string][]error{"reserve": {custody.ErrIllegal}}, end: "cancelled"},
		{workflow: "sweep", name: "posted", subject: "swp_1", state: custody.WithdrawalScreened, chain: mined, end: "posted"},
		{workflow: "sweep", name: "waits_for_people", subject: "swp_2", state: custody.WithdrawalAwaitingApproval, chain: mined, end: "posted"},
		{workflow: "sweep", name: "cancelled", subject: "swp_3", state: custody.WithdrawalScreened, fail: dry, cancel: true, end: "cancelled"},
		{workflow: "refill", name: "posted", subject: "rfl_1", state: custody.WithdrawalScreened, chain: mined, end: "posted"},
		{workflow: "refill", name: "waits_for_cosigners", subject: "rfl_2", state: custody.WithdrawalAwaitingApproval, chain: mined, end: "posted", fail: map[string][]error{
			"sign": {custody.ErrConsent, custody.ErrConsent},
		}},
		{workflow: "coldspend", name: "posted", subject: "csp_1", state: custody.WithdrawalAwaitingApproval, chain: mined, end: "posted", fail: map[string][]error{
			"sign": {custody.ErrConsent, custody.ErrConsent},
		}},
		{workflow: "coldspend", name: "cancelled", subject: "csp_2", state: custody.WithdrawalScreened, fail: dry, cancel: true, end: "cancelled"},
		{workflow: "deposit", name: "withdrawable", deposit: []custody.DepositState{custody.DepositConfirming, custody.DepositCredited, custody.DepositWithdrawable}, end: "withdrawable"},
		{workflow: "deposit", name: "flows_on", deposit: []custody.DepositState{custody.DepositCredited, custody.DepositWithdrawable}, end: "withdrawable"},
		{workflow: "deposit", name: "taken_back", deposit: []custody.DepositState{custody.DepositCredited, custody.DepositReorged, custody.DepositDebited}, end: "debited"},
		{workflow: "transfer", name: "done", subject: "fnd_1", transfer: trading.TransferDone, end: "done"},
		{workflow: "transfer", name: "refused", subject: "fnd_2", transfer: trading.TransferRefused, end: "refused"},
		{workflow: "transfer", name: "servers_down", subject: "fnd_3", transfer: trading.TransferDone, end: "done", fail: map[string][]error{
			"tell": {trading.ErrUnavailable}, "conclude": {settle.ErrNotSettled, down, settle.ErrConflict},
		}},
		{workflow: "deposit", name: "dust", deposit: []custody.DepositState{custody.DepositDust}, end: "dust_held"},
	}
}

// Each scene is played on a real server, in the clear, and replayed from what the
// server has written down.
func TestHistories(t *testing.T) {
	server := workertest.Server{}.Start(t)
	for _, s := range scenes() {
		t.Run(s.workflow+"/"+s.name, func(t *testing.T) {
			history := s.play(t, server.Client())
			text, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(history)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "testdata/history")
			if *record {
				dir = filepath.Join(testenv.Root(t), "workflows", s.workflow, "testdata/history")
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, s.name+".json"), append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Chdir(filepath.Dir(filepath.Dir(dir)))
			if !*record {
				workertest.Replay(t)
			}
		})
	}
}

// play runs the scene's workflow to its end, telling it again and again that
// something moved, and returns its history.
func (s scene) play(t *testing.T, c client.Client) *historypb.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if s.subject == "" {
		s.subject = "wdr_1"
	}
	desk, intake := workertest.NewDesk(s.chain...), s.intake()
	desk.Put(s.subject, custody.IntentWithdrawal, s.state)
	carrier := workertest.NewTransfers(s.transfer, "")
	for verb, errs := range s.fail {
		desk.Fail(verb, errs...)
		carrier.Fail(verb, errs...)
	}
	queue := s.workflow + "-" + s.name
	tasks := sdkworker.New(c, queue, sdkworker.Options{Identity: "recorder"})
	worker.Register(tasks, workertest.Activities(t, desk, intake, carrier))
	if err := tasks.Start(); err != nil {
		t.Fatal(err)
	}
	defer tasks.Stop()
	run := s.begin(ctx, t, c, queue)
	if s.cancel {
		if _, err := withdrawal.Cancel.Call(ctx, c, run.GetID(), withdrawal.Request{Reason: "changed my mind"}); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	var end struct{ State string }
	go func() { ended <- run.Get(ctx, &end) }()
	ticks := time.NewTicker(300 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil || end.State != s.end {
				t.Fatalf("ended %q, %v; want %q", end.State, err, s.end)
			}
			return history(ctx, t, c, run)
		case <-ticks.C:
			_ = outgoing.Moved.Send(ctx, c, run.GetID(), outgoing.Fact{Key: "block"}) // it may have ended just now
		}
	}
}

func (s scene) intake() *workertest.Intake {
	var states []custody.DepositProgress
	for i, state := range s.deposit {
		states = append(states, custody.DepositProgress{State: state, Ended: i == len(s.deposit)-1, Confirmations: uint64(i)})
	}
	return workertest.NewIntake(states...)
}

func (s scene) begin(ctx context.Context, t *testing.T, c client.Client, queue string) client.WorkflowRun {
	t.Helper()
	o := client.StartWorkflowOptions{ID: queue, TaskQueue: queue}
	var run client.WorkflowRun
	var err error
	switch s.workflow {
	case "withdrawal":
		run, err = withdrawal.Workflow.Start(ctx, c, o, outgoing.Input{ID: s.subject})
	case "collect":
		run, err = collect.Workflow.Start(ctx, c, o, outgoing.Input{ID: s.subject})
	case "coldspend":
		run, err = coldspend.Workflow.Start(ctx, c, o, outgoing.Input{ID: s.subject})
	case "refill":
		run, err = refill.Workflow.Start(ctx, c, o, outgoing.Input{ID: s.subject})
	case "sweep":
		run, err = sweep.Workflow.Start(ctx, c, o, outgoing.Input{ID: s.subject})
	case "deposit":
		run, err = deposit.Workflow.Start(ctx, c, o, deposit.Input{ID: s.subject})
	case "transfer":
		run, err = transfer.Workflow.Start(ctx, c, o, transfer.Input{ID: s.subject})
	default:
		t.Fatalf("no workflow %s", s.workflow)
	}
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func history(ctx context.Context, t *testing.T, c client.Client, run client.WorkflowRun) *historypb.History {
	t.Helper()
	var all historypb.History
	pages := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for pages.HasNext() {
		event, err := pages.Next()
		if err != nil {
			t.Fatal(err)
		}
		all.Events = append(all.Events, event)
	}
	return &all
}
