package people_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/internal/devstack/people"
	"strongroom/signer"
	"strongroom/treasury/cold"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
	"strongroom/treasury/policy"
	"strongroom/treasury/setup"
	"strongroom/treasury/vaultsafe"
)

func made(t *testing.T, dir, origin string) (*setup.File, *consent.Roster, *policy.Policy) {
	t.Helper()
	clock := func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }
	cfg := people.Config{Dir: dir, Environment: "development", Origin: origin, Clock: clock}
	cfg.Token = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
	cfg.Safe, cfg.SafeDeployer = "0x8ba1f109551bD432803012645Ac136ddd64DBA72", "0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7"
	if err := people.Make(cfg); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	f, err := setup.Parse(read(people.HouseFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := consent.ParseRoster(read(f.FirstRoster), consent.Trust{Environment: "development", Officers: f.Officers}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(read(f.FirstPolicy))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.ParseTreasury(read(people.SignerFile)); err != nil {
		t.Fatal(err)
	}
	return f, r, p
}

func TestMade(t *testing.T) {
	dir := t.TempDir()
	f, r, p := made(t, dir, "http://localhost:18082")
	if len(f.Vaults) != 8 || len(r.Persons) != 3 || r.Version != 1 || p.Version != 1 {
		t.Fatalf("%+v %+v", f, r)
	}
	if v, err := vaultsafe.Parse(f.Vaults[5].Descriptor); err != nil || len(v.Owners) != 3 || v.Threshold != 2 || f.Vaults[5].ID != "cold-eth" {
		t.Errorf("%+v: %v", f.Vaults[5], err)
	}
	text, err := os.ReadFile(people.VaultFile(dir, "ETH"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := cold.ParseDescription(text); err != nil || d.Kind != cold.KindSafe || len(d.Safe.Owners) != 3 || len(d.Safe.Tokens) != 1 {
		t.Errorf("%s: %v", text, err)
	}
	_, again, _ := made(t, dir, "http://localhost:18082")
	if again.Version != 1 {
		t.Errorf("signed anew: %d", again.Version)
	}
	_, moved, _ := made(t, dir, "http://localhost:18999")
	if moved.Version != 2 || moved.Origins[0] != "http://localhost:18999" {
		t.Errorf("the page moved and the roster did not: %+v", moved)
	}
	for _, person := range people.Names() {
		for _, name := range []string{"api", "passkey"} {
			text, err := os.ReadFile(people.KeyFile(dir, person, name))
			if err != nil {
				t.Fatal(err)
			}
			key, err := softkey.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if is := moved.Person(person).Key(key.Public().ID); is == nil || string(is.Public) != string(key.Public().Public) {
				t.Errorf("%s of %s is not on the roster", name, person)
			}
		}
	}
}
