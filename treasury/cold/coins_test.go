package cold_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"strongroom/treasury/cold"
)

func TestCosignersSignApart(t *testing.T) {
	signApart(t, openHouse(t, "litecoin-main", 3, 5), "LTC")
	known := cold.Known{Name: "hot-btc-1"}
	known.Address = openHouse(t, "regtest", 2, 3).outside(t)
	signApart(t, openHouse(t, "regtest", 2, 3, known), "BTC to "+known.Address+", known as hot-btc-1")
}

func signApart(t *testing.T, h *house, paid string) {
	t.Helper()
	k, n := h.wallet.Vault().K, len(h.keys)
	file := h.spend(t, 2_000)
	r := h.review(t, file)
	if r.Ready() || len(r.Signed) != 0 || len(r.Missing) != n || len(r.Hashes) != 2 || r.Vault != "cold-1" {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{"PAYS 0.70000000 " + paid, "missing  ada", fmt.Sprintf("0 of the %d", k)} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("does not say %q:\n%s", want, r)
		}
	}
	copies := [][]byte{file}
	for who := range k {
		copies = append(copies, h.sign(t, file, n-1-who))
	}
	few, err := h.Combine(copies[:k]...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Finish(few); !errors.Is(err, cold.ErrTransaction) {
		t.Fatalf("%d signatures are enough: %v", k-1, err)
	}
	both, err := h.Combine(copies...)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(copies)
	again, err := h.Combine(copies...)
	if err != nil || !bytes.Equal(both, again) {
		t.Fatalf("order matters: %v", err)
	}
	if r = h.review(t, both); !r.Ready() || len(r.Signed) != k || !strings.Contains(r.String(), "It can be sent.") {
		t.Fatalf("%s", r)
	}
	if finished, err := h.Finish(both); err != nil || finished.ID != r.Confirm || finished.Hex == "" || finished.To != "" {
		t.Fatalf("%+v %v", finished, err)
	}
}

func TestOnlyWhatWasComparedIsSigned(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3)
	file, other := h.spend(t, 2_000), h.spend(t, 3_000)
	for _, hash := range []string{"", h.review(t, other).Confirm, h.review(t, file).Confirm[1:], strings.ToUpper(h.review(t, file).Confirm)} {
		if _, _, err := h.Sign(file, hash, h.keys[0]); !errors.Is(err, cold.ErrTransaction) {
			t.Errorf("%q: %v", hash, err)
		}
	}
	if _, _, err := h.Sign(file, h.review(t, file).Confirm, newKey(t, 9)); !errors.Is(err, cold.ErrKey) {
		t.Errorf("a stranger's key: %v", err)
	}
	if _, err := h.Combine(h.sign(t, file, 0), h.sign(t, other, 1)); !errors.Is(err, cold.ErrTransaction) {
		t.Errorf("two transactions combined: %v", err)
	}
}

func TestFeeAboveTheVaultsOwnLimit(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3)
	if _, err := h.Inspect(h.spend(t, 500_000)); err == nil || !strings.Contains(err.Error(), "maxFee") {
		t.Fatalf("%v", err)
	}
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	good := string(openHouse(t, "regtest", 2, 3).text)
	address := openHouse(t, "regtest", 2, 3).outside(t)
	for want, bad := range map[string]string{
		"kind":       strings.Replace(good, `"multisig"`, `"paper"`, 1),
		"twice":      strings.Replace(good, `"kind"`, `"name":"x","kind"`, 1),
		"owner":      strings.Replace(good, `"kind"`, `"owner":"x","kind"`, 1),
		"maxFee":     strings.Replace(good, `"50000"`, `"0"`, 1),
		"name":       strings.Replace(good, `cold-1`, `cold\u202e1`, 1),
		"goes on":    good + "x",
		"k:":         strings.Replace(good, `"k":2`, `"k":1`, 1),
		"keys[1]":    strings.Replace(good, `bob`, ``, 1),
		"known[0]":   strings.Replace(good, `"maxFee"`, `"known":[{"name":"x","address":"bc1qqqqq"}],"maxFee"`, 1),
		"already":    strings.Replace(good, `"maxFee"`, fmt.Sprintf(`"known":[{"name":"x","address":%q},{"name":"y","address":%q}],"maxFee"`, address, address), 1),
		"multisig: ": `{"kind":"multisig","name":"x","maxFee":"1"}`,
	} {
		d, err := cold.ParseDescription([]byte(bad))
		if err == nil {
			_, err = cold.Open(d)
		}
		if !errors.Is(err, cold.ErrDescription) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
