package desk_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// noted remembers terms, and fails where it is told to.
type noted struct {
	mu    sync.Mutex
	terms map[string]term
	fail  bool
}

type term struct {
	trigger int64
	expires time.Time
}

var errNoted = errors.New("nobody writes")

func (n *noted) Note(_ context.Context, id engine.OrderID, trigger int64, expires time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail {
		return errNoted
	}
	if n.terms == nil {
		n.terms = map[string]term{}
	}
	n.terms[trading.OrderIDText(id)] = term{trigger, expires}
	return nil
}

func TestTermsThatNoEventTellsAreNoted(t *testing.T) {
	h := open(t, nil)
	h.place(t, "c1", limit("sold", "sell", "1", "60000"))
	h.place(t, "c2", limit("bought", "buy", "0.25", "60000"))
	plain := h.place(t, "c2", limit("plain", "buy", "0.25", "50000"))
	timed := limit("timed", "buy", "0.25", "50000")
	timed.TimeInForce, timed.ExpiresAt = "gtd", h.clock().Add(time.Hour).UTC()
	until := h.place(t, "c2", timed)
	oco := limit("pair", "sell", "0.1", "70000")
	oco.Type, oco.StopPrice = trading.TypeOCO, "55000"
	pair := h.place(t, "c1", oco)
	h.noted.fail = true
	stop := trading.NewOrder{ClientID: "lost", Market: pair.Market, Side: "sell", Type: trading.TypeStop, Quantity: "0.1", StopPrice: "54000"}
	lost := h.place(t, "c1", stop)
	h.noted.fail = false
	stop.ClientID = "stop"
	kept := h.place(t, "c1", stop)

	h.noted.mu.Lock()
	defer h.noted.mu.Unlock()
	ticks := h.catalog.Market(pair.Market)
	if got := h.noted.terms[kept.ID]; ticks.Price(got.trigger) != "54000" || !got.expires.IsZero() {
		t.Errorf("the stop is noted with %+v", got)
	}
	if got := h.noted.terms[until.ID]; got.trigger != 0 || !got.expires.Equal(timed.ExpiresAt) {
		t.Errorf("the order until %s is noted with %+v", timed.ExpiresAt, got)
	}
	if got := h.noted.terms[pair.Sibling]; ticks.Price(got.trigger) != "55000" {
		t.Errorf("the pair's stop is noted with %+v", got)
	}
	for _, id := range []string{plain.ID, pair.ID, lost.ID} {
		if got, ok := h.noted.terms[id]; ok || id == "" {
			t.Errorf("order %s is noted with %+v", id, got)
		}
	}
}
