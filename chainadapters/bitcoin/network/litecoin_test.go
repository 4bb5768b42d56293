package network

import (
	"encoding/hex"
	"errors"
	"testing"
)

// Litecoin's own node gave these (decodescript on regtest; the main network's are
// those scripts with its prefixes).
func TestLitecoinAddressesAgreeWithItsNode(t *testing.T) {
	regtest, known := ByName("litecoin-regtest")
	if !known || regtest.Alias != "regtest" || regtest.CoinType != 1 {
		t.Fatalf("%+v, %v", regtest, known)
	}
	for script, want := range map[string]string{
		"0014751e76e8199196d454941c45d1b3a323f1433bd6":                         "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3",
		"a91489abcdefabbaabbaabbaabbaabbaabbaabbaabba87":                       "QZ9vVm7H5ocMTyFrBdwmhhxY1grwU3khe1",
		"76a91489abcdefabbaabbaabbaabbaabbaabbaabbaabba88ac":                   "mt4tgWuYiNAnoweSUsbfQMPENRWw72ccPh",
		"51201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262": "rltc1prp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qqaly54",
	} {
		raw, err := hex.DecodeString(script)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := regtest.Address(raw); !ok || got != want {
			t.Errorf("%s is %q, want %q", script, got, want)
		}
		if got, err := regtest.Parse(want); err != nil || got != want {
			t.Errorf("%s is read as %q, %v", want, got, err)
		}
	}
}

// What could be meant for another chain is refused, and each coin's words are its own.
func TestLitecoinAndBitcoinRefuseEachOther(t *testing.T) {
	litecoin, known := ByName("litecoin-main")
	bitcoin, _ := ByName("main")
	if !known || litecoin.CoinType != 2 || bitcoin.Name != "main" {
		t.Fatalf("litecoin %+v, main %+v", litecoin, bitcoin)
	}
	for _, text := range []string{
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
	} {
		if _, err := bitcoin.Parse(text); err != nil {
			t.Errorf("Bitcoin refuses %s: %v", text, err)
		}
		if got, err := litecoin.Parse(text); !errors.Is(err, ErrAddress) {
			t.Errorf("Litecoin reads %s as %q, %v", text, got, err)
		}
		script, _ := bitcoin.Script(text)
		ours, ok := litecoin.Address(script)
		if !ok {
			t.Fatalf("no Litecoin address for %x", script)
		}
		if got, err := bitcoin.Parse(ours); !errors.Is(err, ErrAddress) {
			t.Errorf("Bitcoin reads %s as %q, %v", ours, got, err)
		}
	}
}
