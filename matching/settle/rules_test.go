package settle_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/money"
)

// smallHouse has two leaders' events: 1 to n of epoch 1, n+1 to m of a later one.
func smallHouse(t *testing.T) (h *house, n, m uint64) {
	t.Helper()
	h = newHouse(t, 7, 3, false)
	for no := range 3 {
		for asset := range h.world.Assets {
			h.world.Credit(engine.AccountID(no+1), engine.AssetID(asset), 1<<40, false)
		}
	}
	for range 20 {
		h.world.Trade()
	}
	n = uint64(len(h.world.Events))
	h.world.Elect()
	for range 20 {
		h.world.Trade()
	}
	h.world.Checkpoint()
	return h, n, uint64(len(h.world.Events))
}

func (h *house) take(s *settle.Settler, b settle.Batch, want error, next uint64) {
	h.tb.Helper()
	err := s.Take(h.tb.Context(), b)
	if !errors.Is(err, want) || want == nil && err != nil {
		h.tb.Fatalf("take %d..: %v, want %v", b.Events[0].Seq, err, want)
	}
	cursor, failed := settle.LoadCursor(h.tb.Context(), h.pool, 0)
	h.must(failed)
	if cursor.Next != next || (cursor.Halted != "") != errors.Is(want, settle.ErrHalted) {
		h.tb.Fatalf("cursor is %d, want %d; halted: %q; %v", cursor.Next, next, cursor.Halted, err)
	}
	if cursor.Halted != "" {
		h.tb.Log(cursor.Halted)
	}
	h.compare(h.tb.Context())
}

// altered is a batch of which one event differs.
func altered(b settle.Batch, change func(*engine.Event)) settle.Batch {
	b.Events = slices.Clone(b.Events)
	change(&b.Events[len(b.Events)-1])
	return b
}

func TestRepeatedEventsAreSkippedHoweverTheyAreCut(t *testing.T) {
	h, n, _ := smallHouse(t)
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.take(s, h.world.Batch(1, 11), nil, 12)
	h.take(s, h.world.Batch(4, 7), nil, 12)
	h.take(s, h.world.Batch(9, 20), nil, 21)
	h.take(s, h.world.Batch(10, n), nil, n+1)
	h.take(s, altered(h.world.Batch(5, 15), func(e *engine.Event) { e.Qty++ }), settle.ErrHalted, n+1)
	h.take(s, h.world.Batch(n+1, n+2), settle.ErrHalted, n+1)
	again := h.settler(&settletest.Source{World: h.world}, h.ledger)
	if err := again.Run(t.Context()); !errors.Is(err, settle.ErrHalted) {
		t.Fatalf("a halted shard is run: %v", err)
	}
}

func TestAnotherHistoryHalts(t *testing.T) {
	h, n, _ := smallHouse(t)
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.take(s, h.world.Batch(1, n-3), nil, n-2)
	fork := h.world.Batch(n-2, n)
	fork.Before[3]++
	h.take(s, fork, settle.ErrHalted, n-2)
}

func TestEpochs(t *testing.T) {
	h, n, m := smallHouse(t)
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.take(s, h.world.Batch(1, n), nil, n+1)
	h.take(s, h.world.Batch(n+1, n+2), nil, n+3)
	old := altered(h.world.Batch(n+3, n+4), func(e *engine.Event) { e.Qty++ })
	old.Epoch = 1
	h.take(s, old, nil, n+3) // dropped
	later := h.world.Batch(n+3, n+4)
	later.Epoch += 5
	h.take(s, later, nil, n+5)
	h.take(s, h.world.Batch(n+5, m), nil, n+5) // of an epoch that is over now
	fork := h.world.Batch(n+5, m)
	fork.Epoch += 9
	fork.Before[0]++
	h.take(s, fork, settle.ErrHalted, n+5)
}

// hole is a source whose log does not have what is asked for.
type hole struct{ *settletest.Source }

func (hole) Replay(context.Context, settle.ShardID, uint64, uint64) iter.Seq2[settle.Batch, error] {
	return func(func(settle.Batch, error) bool) {}
}

func TestAGapIsReadAgainFromTheLog(t *testing.T) {
	h, n, m := smallHouse(t)
	h.take(h.settler(hole{&settletest.Source{World: h.world}}, h.ledger), h.world.Batch(5, n), settle.ErrGap, 1)
	s := h.settler(&settletest.Source{World: h.world, Most: 3}, h.ledger)
	h.take(s, h.world.Batch(5, 9), nil, 10)
	h.take(s, h.world.Batch(m, m), nil, m+1)
	h.sound()
}

func TestACheckpointThatDisagreesHalts(t *testing.T) {
	h, n, m := smallHouse(t)
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.take(s, h.world.Batch(1, n), nil, n+1)
	wrong := altered(h.world.Batch(n+1, m), func(e *engine.Event) { e.Balances++ })
	h.take(s, wrong, settle.ErrHalted, m)
	var agrees bool
	h.must(h.pool.QueryRow(t.Context(), `SELECT agrees FROM trading.checkpoint WHERE seq = $1`, int64(m)).Scan(&agrees))
	if agrees {
		t.Error("the checkpoint is said to agree")
	}
}

func TestWhatTheEngineCannotHaveDoneHalts(t *testing.T) {
	for name, change := range map[string]func(*engine.Event){
		"money from nowhere": func(e *engine.Event) {
			*e = engine.Event{Seq: e.Seq, Kind: engine.EventTransfer, Account: 1, Key: engine.Key{Hi: 1, Lo: 2}, Amount: engine.Amount{Lo: 5}}
		},
		"a transfer of the house": func(e *engine.Event) {
			*e = engine.Event{Seq: e.Seq, Kind: engine.EventTransfer, Key: engine.Key{Hi: 1, Lo: 2}, Amount: engine.Amount{Lo: 5}}
		},
		"a fee above the amount": func(e *engine.Event) { e.Amount.Lo = 1 << 60 },
		"nobody's account":       func(e *engine.Event) { e.Account = 99 },
		"an unknown market":      func(e *engine.Event) { e.Market = 99 },
		"more than there is":     func(e *engine.Event) { e.Qty = 1 << 45 },
		"no price":               func(e *engine.Event) { e.Price = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			h, n, _ := smallHouse(t)
			s := h.settler(&settletest.Source{World: h.world}, h.ledger)
			h.take(s, h.world.Batch(1, n-1), nil, n)
			h.take(s, altered(h.world.Batch(n, n), change), settle.ErrHalted, n)
		})
	}
}

func TestTransfersKeepTheirOrder(t *testing.T) {
	h := newHouse(t, 9, 1, false)
	in := settle.Transfer{ID: "fnd_00000000000000010000000000000002", Customer: "cus_1", Asset: "BTC", Amount: money.FromUint64(500)}
	out := in
	out.ID, out.Amount = "fnd_000000000000000a000000000000000b", money.FromUint64(200)
	ctx := t.Context()
	for range 2 {
		h.must(h.transfers.Credit(ctx, in))
		h.must(h.transfers.Announce(ctx, out))
	}
	other := in
	other.Amount = money.FromUint64(501)
	for what, err := range map[string]error{
		"other content": h.transfers.Credit(ctx, other), "return before the answer": h.transfers.Return(ctx, in.ID),
		"debit before the answer": h.transfers.Debit(ctx, out.ID), "unknown": h.transfers.Debit(ctx, "fnd_x"),
		"bad id": h.transfers.Credit(ctx, settle.Transfer{ID: "fnd_X", Customer: "c", Asset: "BTC", Amount: in.Amount}),
	} {
		if !errors.Is(err, settle.ErrConflict) && !errors.Is(err, settle.ErrNotSettled) && !errors.Is(err, settle.ErrUnknown) && !errors.Is(err, settle.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	poor := in
	poor.ID, poor.Amount = "fnd_000000000000000c000000000000000d", money.FromUint64(plenty)
	if err := h.transfers.Credit(ctx, poor); !errors.Is(err, ledger.ErrInsufficient) {
		t.Errorf("not covered: %v", err)
	}
	if _, _, err := h.transfers.Load(ctx, poor.ID); !errors.Is(err, settle.ErrUnknown) {
		t.Errorf("a refused credit left a row: %v", err)
	}
}

func TestLagIsShown(t *testing.T) {
	h, n, m := smallHouse(t)
	metrics := prometheus.NewRegistry()
	s, err := settle.New(settle.Config{
		Pool: h.pool, Ledger: h.ledger, Source: &settletest.Source{World: h.world}, Metrics: metrics,
		Clock: func() time.Time { return time.Unix(0, settletest.Start).Add(time.Minute) },
	})
	h.must(err)
	h.take(s, h.world.Batch(1, n), nil, n+1)
	if events, seconds := gauge(t, metrics, "lag_events"), gauge(t, metrics, "lag_seconds"); events != float64(m-n) || seconds < 59 || seconds > 60 {
		t.Errorf("behind by %v events, %v s, want %d, and almost 60", events, seconds, m-n)
	}
	h.take(s, h.world.Batch(n+1, m), nil, m+1)
	if events, seconds := gauge(t, metrics, "lag_events"), gauge(t, metrics, "lag_seconds"); events != 0 || seconds != 0 {
		t.Errorf("behind by %v events, %v s when all is settled", events, seconds)
	}
}

func gauge(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "strongroom_settlement_"+name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal(fmt.Sprint("no gauge ", name))
	return 0
}
