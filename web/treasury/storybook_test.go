package treasurypages

import (
	"log/slog"
	"testing"
	"time"

	"strongroom/internal/kv"
	"strongroom/treasury"
	"strongroom/treasury/vault"
)

type (
	vaults      = treasury.Vaults
	addresses   = treasury.Addresses
	noRequests  struct{ treasury.Requests }
	noVaults    struct{ vaults }
	noAddresses struct{ addresses }
	noPolicies  struct{ treasury.Policies }
	noPeople    struct{ treasury.People }
)

// What the storybook makes up is valid: requests have their hash, policies can be read,
// vaults can be planned for.
func TestWhatTheStorybookMakesUpIsValid(t *testing.T) {
	now := func() time.Time { return time.Date(2027, 3, 1, 9, 30, 0, 0, time.UTC) }
	kept, err := kv.NewMemory(kv.MemoryConfig{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{
		Environment: "production", Requests: noRequests{}, Vaults: noVaults{}, Addresses: noAddresses{}, Policies: noPolicies{}, People: noPeople{}, Assets: madeAsset,
		Terms: func(string) vault.Terms { return vault.Terms{} }, Canonical: func(_, address string) (string, error) { return address, nil },
		Sessions: kept, Storybook: true, Logger: slog.New(slog.DiscardHandler), Clock: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := p.fixtures()
	for _, s := range stories() {
		if _, err := s.make(p, f, p.shell(f.roster.Person("ada"), "")); err != nil {
			t.Errorf("%s: %v", s.Path, err)
		}
	}
	for _, r := range f.requests() {
		if want, err := r.Intent.Hash(); err != nil || r.Hash != want {
			t.Errorf("%s: hash %s, want %s, %v", r.ID, r.Hash, want, err)
		}
	}
}
