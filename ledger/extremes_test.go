package ledger_test

import (
	"math/big"
	"testing"

	"strongroom/ledger"
	"strongroom/money"
)

// half is 2²⁵⁵: each account can hold it, two of them no sum can.
func half(tb testing.TB) money.Units {
	tb.Helper()
	n, err := money.FromBig(new(big.Int).Lsh(big.NewInt(1), 255))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestBoundsOfAnAsset: where no single account is too full, but all of an asset's
// are together, nothing is booked.
func TestBoundsOfAnAsset(t *testing.T) {
	const in, out = ledger.AccountID("house/in"), ledger.AccountID("house/out")
	for name, legs := range map[string][2][2]ledger.AccountID{
		"owed to customers":   {{in, "customer/1"}, {out, "customer/2"}},
		"given by customers":  {{"customer/1", in}, {"customer/2", out}},
		"gone out of custody": {{in, "custody/1"}, {out, "custody/2"}},
	} {
		var accounts []ledger.Account
		for id, class := range map[ledger.AccountID]ledger.Class{
			in: ledger.Equity, out: ledger.Equity, "customer/1": ledger.Liability, "customer/2": ledger.Liability,
			"custody/1": ledger.Asset, "custody/2": ledger.Asset,
		} {
			accounts = append(accounts, ledger.Account{ID: id, Asset: "BTC", Class: class, MayOverdraw: true})
		}
		book := ledger.NewPureBook(accounts)
		if err := book.Attest(ledger.Attestation{Asset: "BTC", Source: "chain/x", Amount: half(t)}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []error{nil, ledger.ErrLimit} {
			tx := single("tx/"+string(rune('a'+i)), legs[i][0], legs[i][1], 1)
			tx.Legs[0].Amount = half(t)
			before := book.Position("BTC")
			_, err := book.Post(tx, testNow)
			wantErr(t, name, err, want)
			if want != nil && book.Position("BTC") != before {
				t.Errorf("%s: refused, but %+v became %+v", name, before, book.Position("BTC"))
			}
		}
		if err := book.CheckBatch(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBoundsOfAttestedSum: two sources together may not see more than a sum holds.
func TestBoundsOfAttestedSum(t *testing.T) {
	book := ledger.NewPureBook(nil)
	wantErr(t, "one source", book.Attest(ledger.Attestation{Asset: "BTC", Source: "chain/x", Amount: half(t)}), nil)
	wantErr(t, "another source", book.Attest(ledger.Attestation{Asset: "BTC", Source: "chain/y", Amount: half(t)}), ledger.ErrLimit)
	wantErr(t, "the same source again", book.Attest(ledger.Attestation{Asset: "BTC", Source: "chain/x", Amount: half(t)}), nil)
	if p := book.Position("BTC"); p.Attested != half(t) {
		t.Errorf("attested %s", p.Attested)
	}
}
