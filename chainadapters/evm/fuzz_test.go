package evm_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
	"strongroom/money"
)

// FuzzParseAddress shows that what is accepted is its own canonical form, and
// that no other spelling of the same address is accepted.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{from, to, token, "", "0x", strings.ToLower(from), from + "0", "0X" + from[2:], "0x" + strings.Repeat("0", 40)} {
		f.Add(s)
	}
	a := openURL(f, "http://127.0.0.1:1")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := a.ParseAddress(s)
		if err != nil {
			if !errors.Is(err, chainadapters.ErrAddress) || got != "" {
				t.Fatalf("%q: got %q, %v", s, got, err)
			}
			return
		}
		if got != s || len(s) != 42 || !strings.HasPrefix(s, "0x") {
			t.Fatalf("%q was accepted as %q", s, got)
		}
		if want := checksummed(s[2:]); s[2:] != want {
			t.Fatalf("%q was accepted, its checksummed form is %q", s, want)
		}
	})
}

// checksummed is EIP-55 written out.
func checksummed(digits string) string {
	lower := []byte(strings.ToLower(digits))
	sum := hex.EncodeToString(crypto.Keccak256(lower))
	for i, c := range lower {
		if c >= 'a' && c <= 'f' && sum[i] >= '8' {
			lower[i] = c - 'a' + 'A'
		}
	}
	return string(lower)
}

// FuzzDecode shows that no bytes make the decoder fail otherwise than by
// ErrTransaction, and that what it accepts builds again to the same payment.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "02", "02c0", "f86c",
		"02f86c827a6980843b9aca00847735940082520894fb6916095ca1df60bb79ce92ce3ea74c37c5d3590580c001a0" + strings.Repeat("11", 32) + "a0" + strings.Repeat("22", 32),
	} {
		raw, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	a := openURL(f, "http://127.0.0.1:1")
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := a.Decode(raw)
		if err != nil {
			if !errors.Is(err, evm.ErrTransaction) {
				t.Fatalf("%x: %v", raw, err)
			}
			return
		}
		if got.TxID != crypto.Keccak256Hash(raw).Hex() || len(got.Payments) != 1 || len(got.Spends) != 1 {
			t.Fatalf("%x was read as %+v", raw, got)
		}
		pay := got.Payments[0]
		if pay.Amount.IsZero() {
			return
		}
		fee := chainadapters.Fee{GasLimit: 21_000, FeeCap: money.FromUint64(1)}
		plan := chainadapters.Plan{Payments: got.Payments, Slot: &chainadapters.Slot{From: got.Spends[0].From, Nonce: got.Spends[0].Nonce}, Fee: fee}
		if _, err := a.Build(plan); err != nil {
			t.Fatalf("%+v does not build: %v", pay, err)
		}
	})
}
