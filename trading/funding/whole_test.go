package funding_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	actdeposit "strongroom/activities/deposit"
	acttransfer "strongroom/activities/transfer"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/internal/temporalx"
	"strongroom/trading"
	"strongroom/worker"
	"strongroom/worker/dispatch"
	"strongroom/worker/workertest"
)

// employ runs a real worker on a real Temporal until the test ends.
func (p *pulling) employ(t *testing.T) {
	t.Helper()
	server := workertest.Server{}.Start(t)
	ring, err := temporalx.ParseKeyring([]byte(strings.Repeat("ab", 32)))
	p.must(err)
	steps := workertest.Activities(t, nil, nil)
	deposits, err := actdeposit.New(p.kit.Intake)
	p.must(err)
	steps.Deposit = deposits.Onward(p.forward)
	steps.Transfer, err = acttransfer.New(p.store)
	p.must(err)
	lock, err := dispatch.NewAdvisory(p.pool, "outbox")
	p.must(err)
	w, err := worker.New(worker.Config{
		Address: server.FrontendHostPort(), Namespace: "default", Identity: "test", Keys: ring, Activities: steps, Outbox: p.kit.Store, Lock: lock,
		Label: func(_ context.Context, topic, _ string) (temporalx.Labels, error) {
			return temporalx.Labels{UserID: alice, Asset: "BTC", Rail: topic}, nil
		},
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	p.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("worker ended with %v", err)
		}
	})
}

// until waits for a number of rows.
func (p *pulling) until(want int, sql string, args ...any) {
	p.tb.Helper()
	for end := time.NewTimer(patience).C; p.count(sql, args...) != want; {
		select {
		case <-end:
			p.tb.Fatalf("after %s %q counts %d, not %d", patience, sql, p.count(sql, args...), want)
		case <-time.NewTimer(5 * time.Millisecond).C:
		}
	}
}

// A deposit flows on to trading by itself, and a withdrawal takes it from there: block,
// outbox, Temporal, engine, settlement and book are all real.
func TestTheWholeWay(t *testing.T) {
	p := newPulling(t, 0)
	p.must(p.store.SetPreference(t.Context(), alice, true))
	p.employ(t)
	const amount = 80_000
	p.kit.Pay(t, custodytest.BTC, p.kit.Address(t, alice, custodytest.BTC), amount)
	chain := p.kit.Chains[custodytest.Coins]
	for range custodytest.WithdrawDepth {
		p.must(chain.Mine(1))
		p.kit.Look(t, custodytest.Coins)
	}
	p.until(1, `SELECT count(*) FROM custody.deposit WHERE state = $1`, custody.DepositWithdrawable)
	p.until(1, `SELECT count(*) FROM funding.request WHERE state = $1`, trading.TransferDone)
	p.expect(alice, "BTC", 0, amount)
	var took time.Duration
	const times = 5
	for i := range times {
		start := time.Now() //nolint:forbidigo // real time is what is measured
		w, _, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, fmt.Sprint("k", i), 10_000-p.fee))
		if err != nil || w.State != custody.WithdrawalHeld {
			t.Fatalf("%+v, %v", w, err)
		}
		took += time.Since(start)
	}
	p.expect(alice, "BTC", times*10_000, amount-times*10_000)
	p.until(0, `SELECT count(*) FROM custody.outbox WHERE sent_at IS NULL AND topic = $1`, custodydb.TopicTransfer)
	p.agree()
	p.until(0, `SELECT count(*) FROM custody.outbox WHERE sent_at IS NULL`)
	found, err := check.Run(t.Context(), check.Config{Pool: p.pool, Adapters: p.kit.Adapters, Assets: p.kit.Assets})
	p.must(err)
	for _, v := range found {
		t.Error(v)
	}
	t.Logf("a withdrawal that pulls takes %s", took/times)
}
