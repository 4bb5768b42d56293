package cold_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/treasury/cold"
	"strongroom/treasury/drill"
)

// drilled is a vault of either kind that a drill is of.
type drilled struct {
	*cold.Vault

	keys   []*cold.Key
	place  string
	proven func(f *drill.File) ([]string, error)
}

func bothKinds(t *testing.T) map[string]drilled {
	t.Helper()
	coins, account := openHouse(t, "regtest", 2, 3), openContract(t, 2, 3)
	first, err := coins.wallet.Address(multisig.Receive, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := coins.wallet.Vault()
	return map[string]drilled{
		"coins": {coins.Vault, coins.keys, first, func(f *drill.File) ([]string, error) { return drill.OfCoins(&keys, f) }},
		"Safe":  {account.Vault, account.keys, account.vault.Address.Hex(), func(f *drill.File) ([]string, error) { return drill.OfSafe(&account.vault, f) }},
	}
}

func (d drilled) file() []byte {
	f := drill.NewFile(&drill.Text{Environment: "production", Vault: "cold-1", Place: d.place, Nonce: strings.Repeat("ab", 16), Opened: 1_800_000_000, Until: 1_802_592_000})
	return f.Encode()
}

func (d drilled) signs(t *testing.T, file []byte, who int) []byte {
	t.Helper()
	r, err := d.Inspect(file)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := d.Sign(file, r.Confirm, d.keys[who])
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Two people prove control apart from each other, and what they bring verifies against the
// vault's own keys.
func TestKeysProveControlApart(t *testing.T) {
	for kind, d := range bothKinds(t) {
		t.Run(kind, func(t *testing.T) {
			r, err := d.Inspect(d.file())
			if err != nil || !strings.Contains(r.String(), "no money moves") || len(r.Missing) != 3 || r.Ready() {
				t.Fatalf("%v\n%s", err, r)
			}
			one, two := d.signs(t, d.file(), 0), d.signs(t, d.file(), 2)
			joined, err := d.Combine(one, two)
			if err != nil {
				t.Fatal(err)
			}
			r, err = d.Inspect(joined)
			if err != nil || !r.Ready() || len(r.Missing) != 1 || r.Missing[0].Name != "bob" {
				t.Fatalf("%v\n%s", err, r)
			}
			f, err := drill.ParseFile(joined)
			if err != nil {
				t.Fatal(err)
			}
			if signed, err := d.proven(&f); err != nil || len(signed) != 2 {
				t.Fatalf("%v proved it: %v", signed, err)
			}
			if _, err := d.Finish(joined); !errors.Is(err, cold.ErrTransaction) || !strings.Contains(err.Error(), "not sent") {
				t.Errorf("finished: %v", err)
			}
			again := d.signs(t, joined, 0) // the same person again is no third one
			if f, err := drill.ParseFile(again); err != nil || len(f.Signatures) != 2 {
				t.Errorf("%d signatures, %v", len(f.Signatures), err)
			}
		})
	}
}

func TestDrillsThatProveNothing(t *testing.T) {
	for kind, d := range bothKinds(t) {
		t.Run(kind, func(t *testing.T) {
			good := d.signs(t, d.signs(t, d.file(), 0), 1)
			elsewhere := bytes.Replace(d.file(), []byte(d.place), []byte("bcrt1qelsewhere"), 1)
			if _, err := d.Inspect(elsewhere); err == nil {
				t.Error("of another vault")
			}
			if _, _, err := d.Sign(d.file(), "00", d.keys[0]); !errors.Is(err, cold.ErrTransaction) {
				t.Errorf("without comparing: %v", err)
			}
			r, err := d.Inspect(d.file())
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := d.Sign(d.file(), r.Confirm, newKey(t, 99)); !errors.Is(err, cold.ErrKey) {
				t.Errorf("by a stranger: %v", err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				evil := bytes.Clone(good)
				evil[rng.IntN(len(evil))] ^= byte(1 << rng.IntN(8))
				f, err := drill.ParseFile(evil)
				if err != nil {
					continue
				}
				if signed, err := d.proven(&f); err == nil && len(signed) == 2 {
					t.Fatalf("a changed file proves control:\n%s", evil)
				}
			}
		})
	}
	kinds := bothKinds(t)
	coins, account := kinds["coins"], kinds["Safe"]
	f, err := drill.ParseFile(coins.signs(t, coins.file(), 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := account.proven(&f); err == nil {
		t.Error("the signature of a key of coins is an owner's")
	}
}

func FuzzDrillFile(f *testing.F) {
	empty := drill.NewFile(&drill.Text{Environment: "e", Vault: "v", Place: "p", Nonce: strings.Repeat("00", 16), Opened: 1, Until: 2})
	f.Add(empty.Encode())
	f.Add([]byte(`{"kind":"strongroom drill 1","message":"","signatures":[]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := drill.ParseFile(content)
		if err == nil && !bytes.Equal(file.Encode(), content) {
			t.Errorf("%q is read as %q", content, file.Encode())
		}
	})
}
