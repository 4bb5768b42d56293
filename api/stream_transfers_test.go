package api_test

import (
	"strings"
	"testing"

	"strongroom/api"
	"strongroom/api/client"
	"strongroom/trading"
)

// TestStreamTellsOwnersThatTheirTransfersEnd follows one from its beginning, loses an end,
// and is hung up on.
func TestStreamTellsOwnersThatTheirTransfersEnd(t *testing.T) {
	h := open(t, quick)
	cred := trader(h)
	create := func(key string) api.Transfer {
		return decode[api.Transfer](t, h.call(cred, "POST", "/v1/transfers", `{"asset":"BTC","amount":"0.5","direction":"to_trading"}`, "Idempotency-Key", key), 201)
	}
	first := create("a")
	s := dial(t, h, h.alice)
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "transfers"}))
	var got struct{ Transfers []api.Transfer }
	hear := func(kind string, want ...api.Transfer) {
		t.Helper()
		m := next(t, s)
		must(t, m.Decode(&got))
		if m.Type != kind || m.Channel != "transfers" || len(got.Transfers) != len(want) {
			t.Fatalf("%s", m.Raw)
		}
		for _, w := range want {
			if !strings.Contains(string(m.Raw), `"id":"`+w.ID+`"`) || !strings.Contains(string(m.Raw), `"amount":"0.5"`) {
				t.Errorf("no %s: %s", w.ID, m.Raw)
			}
		}
	}
	hear("snapshot", first)
	if got.Transfers[0].State != "pending" {
		t.Errorf("%+v", got)
	}
	h.floor.end(first.ID, false)
	hear("update", first)
	if got.Transfers[0].State != "done" {
		t.Errorf("%+v", got)
	}
	second := create("b")
	h.floor.end(second.ID, true)
	hear("snapshot", first, second)
	close(h.floor.endings)
	if end := closed(t, s); end.Status != 1008 || end.Reason != "slow reader" {
		t.Errorf("%+v", end)
	}
	if a := raw(t, h, nil).ask(t, `{"op":"subscribe","channel":"transfers"}`); a["code"] != "unauthenticated" {
		t.Errorf("%v", a)
	}
	h.floor.down = trading.ErrUnavailable
	s = dial(t, h, h.alice)
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "transfers"}))
	if end := closed(t, s); end.Status != 1013 {
		t.Errorf("%+v", end)
	}
}

func TestTransfersAreNoChannelWhereNobodyTellsOfThem(t *testing.T) {
	h := open(t, quick, func(c *api.Config) { c.Trading.Endings = nil })
	s := dial(t, h, h.alice)
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "transfers"}))
	if m := next(t, s); m.Type != "error" || !strings.Contains(string(m.Raw), "unknown_channel") {
		t.Errorf("%s", m.Raw)
	}
}
