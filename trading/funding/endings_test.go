package funding_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

// heard waits for news.
func heard(t *testing.T, news <-chan trading.TransferNews) trading.TransferNews {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case n, ok := <-news:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return n
	case <-ctx.Done():
		t.Fatal("nothing is told")
	}
	return trading.TransferNews{}
}

// listening has a process that listens, once it does.
func (h *house) listening() (e *funding.Endings, news <-chan trading.TransferNews) {
	h.tb.Helper()
	e, err := funding.NewEndings(h.store, slog.New(slog.DiscardHandler))
	h.must(err)
	news, err = e.Watch(h.tb.Context(), alice)
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	h.tb.Cleanup(func() {
		cancel()
		h.must(<-ended)
	})
	return e, news
}

// TestOwnersHearThatTheirTransfersEnd carries transfers of two customers, refused ones
// too, and cuts the connection that listens.
func TestOwnersHearThatTheirTransfersEnd(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice, bob)
	e, news := h.listening()
	if n := heard(t, news); !n.Lost {
		t.Fatalf("what ended before it listened is not to be read: %+v", n)
	}
	h.carry(to(trading.ToTrading, bob, "b", "BTC", 5))
	in := h.carry(to(trading.ToTrading, alice, "in", "BTC", 500))
	if n := heard(t, news); n.Transfer == nil || *n.Transfer != in || in.State != trading.TransferDone {
		t.Errorf("%+v instead of %+v", n, in)
	}
	h.conclude(in.ID) // again: nothing ends twice
	out := h.carry(to(trading.ToFunding, alice, "out", "BTC", 501))
	if n := heard(t, news); n.Transfer == nil || *n.Transfer != out || out.State != trading.TransferRefused || out.Reason == "" {
		t.Errorf("%+v instead of %+v", n, out)
	}
	if n := h.count(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`); n != 1 {
		t.Fatalf("%d listened", n)
	}
	missed := h.carry(to(trading.ToTrading, alice, "missed", "BTC", 7))
	for n := heard(t, news); !n.Lost; n = heard(t, news) {
		if n.Transfer == nil || n.Transfer.ID != missed.ID {
			t.Fatalf("%+v", n)
		}
	}
	late := h.carry(to(trading.ToTrading, alice, "late", "BTC", 8))
	if n := heard(t, news); n.Transfer == nil || *n.Transfer != late {
		t.Errorf("%+v instead of %+v", n, late)
	}
	ctx, leave := context.WithCancel(t.Context())
	other, err := e.Watch(ctx, alice)
	h.must(err)
	leave()
	for range other { // closed once its reader has gone
		t.Error("news came")
	}
}

func TestTransfersUnderWayAreCounted(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.store.Collector())
	says := func(in, out string) {
		t.Helper()
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
			# HELP strongroom_transfers_under_way Transfers between funding and trading that have not ended.
			# TYPE strongroom_transfers_under_way gauge
			strongroom_transfers_under_way{direction="to_funding"} `+out+`
			strongroom_transfers_under_way{direction="to_trading"} `+in+"\n"), "strongroom_transfers_under_way")
		if err != nil {
			t.Error(err)
		}
	}
	says("0", "0")
	h.carry(to(trading.ToTrading, alice, "one", "BTC", 10))
	h.create(to(trading.ToTrading, alice, "two", "BTC", 10))
	h.create(to(trading.ToFunding, alice, "three", "BTC", 5))
	h.create(to(trading.ToTrading, alice, "four", "BTC", 10))
	says("2", "1")
	if n, err := testutil.GatherAndCount(registry, "strongroom_transfers_oldest_seconds"); err != nil || n != 1 {
		t.Error(n, err)
	}
}
