package trade_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/internal/kv"
	"strongroom/internal/testenv"
	"strongroom/web"
)

// plan is what the browser's script is told.
type plan struct {
	Base       string `json:"base"`
	Enter      string `json:"enter"`
	Chromium   string `json:"chromium"`
	Screenshot string `json:"screenshot"`
	Axe        string `json:"axe"`
}

// TestAPersonTradesInABrowser places, fills and cancels orders as a person does, against a
// real engine, and looks at what the browser complains about.
func TestAPersonTradesInABrowser(t *testing.T) {
	s := startShard(t, 4*time.Hour)
	m := follow(t, s)
	sessions, err := kv.NewMemory(kv.MemoryConfig{Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	fills := keep(t, s)
	pages, err := web.New(web.Config{
		Orders: s.desk, Log: fills, Data: m, Transfers: mover{}, Catalog: s.catalog, Customers: people{},
		Sessions: sessions, Logger: slog.New(slog.DiscardHandler), Clock: s.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(s)
	c.past(t, 130)
	background(t, c.live)

	d := &door{api: serve(t, s, m, fills, pages), open: map[net.Conn]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/", d)
	mux.HandleFunc("POST /door/{state}", func(_ http.ResponseWriter, r *http.Request) { d.set(r.PathValue("state") == "closed") })
	site := httptest.NewUnstartedServer(mux)
	site.Config.ConnState = d.note
	site.Start()
	t.Cleanup(func() {
		d.set(true)
		site.CloseClientConnections()
		site.Close()
	})
	enter, _, err := pages.Invite(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	screenshot := filepath.Join(t.TempDir(), "trade.png")
	if to := os.Getenv("TRADE_SCREENSHOT"); to != "" {
		screenshot = to
	}
	testenv.Browse(t, "internal/e2e/trade/page.mjs", plan{Base: site.URL, Enter: enter, Chromium: testenv.Chromium(t), Screenshot: screenshot, Axe: testenv.Axe(t)})
	if info, err := os.Stat(screenshot); err != nil || info.Size() < 20_000 {
		t.Errorf("the screenshot shows nothing: %v", err)
	}
}
