package collect_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"strongroom/custody"
	"strongroom/worker/workertest"
	"strongroom/workflows/collect"
	"strongroom/workflows/outgoing"
)

func TestHouseIntents(t *testing.T) {
	for name, tc := range map[string]struct {
		id    string
		kind  custody.IntentKind
		fail  map[string][]error
		end   custody.WithdrawalState
		calls string
	}{
		"collection": {
			id: "col_1", kind: custody.IntentCollect,
			end: custody.WithdrawalPosted, calls: "reserve sign send observe settle",
		},
		"gas, while the wallet is dry and the node down": {
			id: "gas_1", kind: custody.IntentGasTopUp,
			fail: map[string][]error{"reserve": {custody.ErrHotWallet}, "send": {errors.New("connection refused")}},
			end:  custody.WithdrawalPosted, calls: "reserve sign send observe settle",
		},
		"its coins are gone": {
			id: "col_2", kind: custody.IntentCollect, fail: map[string][]error{"reserve": {custody.ErrIllegal}},
			end: custody.WithdrawalCancelled, calls: "reserve release",
		},
	} {
		t.Run(name, func(t *testing.T) {
			desk := workertest.NewDesk(custody.EventMine, custody.EventFinalise)
			desk.Put(tc.id, tc.kind, custody.WithdrawalApproved)
			for verb, errs := range tc.fail {
				desk.Fail(verb, errs...)
			}
			env := workertest.Env(t, desk, nil)
			env.ExecuteWorkflow(string(collect.Workflow), outgoing.Input{ID: tc.id})
			var end custody.Progress
			if err := env.GetWorkflowResult(&end); err != nil {
				t.Fatal(err)
			}
			if end.State != tc.end || end.Kind != tc.kind {
				t.Errorf("ended %+v, want %s %s", end, tc.kind, tc.end)
			}
			if got := strings.Join(slices.Compact(desk.Calls()), " "); got != tc.calls {
				t.Errorf("calls: %s\nwant:  %s", got, tc.calls)
			}
		})
	}
}
