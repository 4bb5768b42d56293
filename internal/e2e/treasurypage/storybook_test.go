package treasurypage_test

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"strongroom/internal/kv"
	"strongroom/internal/testenv"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/vault"
	treasurypages "strongroom/web/treasury"
)

// A treasury that the storybook never asks.
type (
	vaults      = treasury.Vaults
	addresses   = treasury.Addresses
	noRequests  struct{ treasury.Requests }
	noVaults    struct{ vaults }
	noAddresses struct{ addresses }
	noPolicies  struct{ treasury.Policies }
	noPeople    struct{ treasury.People }
)

func asset(code string) (money.Asset, bool) {
	scale, ok := map[string]uint8{"BTC": 8, "ETH": 18, "USDC": 6}[code]
	return money.Asset{Code: code, Scale: scale}, ok
}

// now is a time that is the same in each run, so that screens are too.
func now() time.Time { return time.Date(2027, 3, 1, 9, 30, 0, 0, time.UTC) }

// Each screen in each of its states, in a light and a dark browser and on a phone: nothing
// that people with disabilities cannot use, nothing that does not fit, nothing that the
// browser complains about, and all of it by keyboard.
func TestEachScreenInEachState(t *testing.T) {
	kept, err := kv.NewMemory(kv.MemoryConfig{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := treasurypages.New(treasurypages.Config{
		Environment: "production", Requests: noRequests{}, Vaults: noVaults{}, Addresses: noAddresses{}, Policies: noPolicies{}, People: noPeople{}, Assets: asset,
		Terms: func(string) vault.Terms { return vault.Terms{} }, Canonical: func(_, address string) (string, error) { return address, nil },
		Sessions: kept, Storybook: true, Logger: slog.New(slog.DiscardHandler), Clock: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(pages)
	t.Cleanup(site.Close)
	testenv.Browse(t, "internal/e2e/treasurypage/storybook.mjs", map[string]string{
		"base": site.URL, "chromium": testenv.Chromium(t), "axe": testenv.Axe(t), "screenshots": os.Getenv("TREASURY_SCREENSHOTS"),
	})
}
