package web_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// TestScripts runs the tests of the page's scripts.
func TestScripts(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "node", "--test", "script_test.mjs").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "# fail 0") || strings.Contains(string(out), "# pass 0") {
		t.Errorf("%v: %s", err, out)
	}
}

// FuzzCost gives anything at all as a form's fields: the answer is HTML of ours.
func FuzzCost(f *testing.F) {
	f.Add("side=buy&type=limit&price=60000&quantity=0.5")
	f.Add("side=sell&type=stop&stopPrice=1&quantity=1e9&display=%3Cb%3E")
	f.Add("type=market&quantity=0.0001&postOnly=yes&%zz")
	f.Fuzz(func(t *testing.T, query string) {
		h := open(t)
		h.lively()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/trade/BTC-USDC/cost", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		w := h.do(r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" || strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}
