package trade_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/internal/kv"
	"strongroom/internal/testenv"
	"strongroom/web"
)

const pageTimeout = 3 * time.Minute

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
	root := testenv.Root(t)
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
	browse(t, root, plan{Base: site.URL, Enter: enter, Chromium: chromium(t), Screenshot: screenshot, Axe: filepath.Join(root, "tools/npm/node_modules/axe-core/axe.min.js")})
	if info, err := os.Stat(screenshot); err != nil || info.Size() < 20_000 {
		t.Errorf("the screenshot shows nothing: %v", err)
	}
}

// chromium is the browser: the one that make tools fetched, else the one that is installed.
// Where it is missing the test fails.
func chromium(t *testing.T) string {
	t.Helper()
	if own := filepath.Join(testenv.Root(t), ".tools/bin/chromium"); isFile(own) {
		return own
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium; make tools fetches one: %v", err)
	}
	return path
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func browse(t *testing.T, root string, p plan) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pageTimeout)
	defer cancel()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "internal/e2e/trade/page.mjs")
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(string(data))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // the browser's folders end with the test
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}
