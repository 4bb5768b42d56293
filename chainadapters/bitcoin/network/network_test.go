package network

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"pgregory.net/rapid"
)

// libraryParams are btcd's own parameters of the networks that it knows.
func libraryParams() map[string]*chaincfg.Params {
	return map[string]*chaincfg.Params{
		"main": &chaincfg.MainNetParams, "test": &chaincfg.TestNet3Params, "testnet4": &chaincfg.TestNet4Params,
		"signet": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams,
	}
}

// The table says what btcd says.
func TestTableAgreesWithLibrary(t *testing.T) {
	for name, want := range libraryParams() {
		p, known := ByName(name)
		if !known {
			t.Fatalf("%s is missing", name)
		}
		if p.HRP != want.Bech32HRPSegwit || p.PubKeyHashID != want.PubKeyHashAddrID || p.ScriptHashIDs[0] != want.ScriptHashAddrID ||
			p.CoinType != want.HDCoinType || p.HDPublicID != want.HDPublicKeyID || p.HDPrivateID != want.HDPrivateKeyID ||
			p.Genesis != want.GenesisHash.String() {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Alias == "" && want.Name != name {
			t.Errorf("%s: btcd calls it %s", name, want.Name)
		}
	}
	for _, name := range []string{"", "Main", "litecoin"} {
		if _, known := ByName(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

// Addresses are written and read as btcd's library does, on every network.
func TestAddressesAgreeWithLibrary(t *testing.T) {
	for name, params := range libraryParams() {
		p, _ := ByName(name)
		rapid.Check(t, func(t *rapid.T) {
			hash := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
			want := rapid.SampledFrom(everyType(t, params, hash)).Draw(t, "address")
			script, err := txscript.PayToAddrScript(want)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.Address(script); !ok || got != want.EncodeAddress() {
				t.Fatalf("%x is %q, want %q", script, got, want)
			}
			if got, err := p.Script(want.EncodeAddress()); err != nil || !bytes.Equal(got, script) {
				t.Fatalf("%s pays to %x, %v, want %x", want, got, err, script)
			}
		})
	}
}

func everyType(t *rapid.T, params *chaincfg.Params, hash []byte) []address.Address {
	short := hash[:20]
	made := func(a address.Address, err error) address.Address {
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	keyHash, err := address.NewAddressPubKeyHash(short, params)
	all := []address.Address{made(keyHash, err)}
	scriptHash, err := address.NewAddressScriptHashFromHash(short, params)
	all = append(all, made(scriptHash, err))
	witnessKey, err := address.NewAddressWitnessPubKeyHash(short, params)
	all = append(all, made(witnessKey, err))
	witnessScript, err := address.NewAddressWitnessScriptHash(hash, params)
	all = append(all, made(witnessScript, err))
	taproot, err := address.NewAddressTaproot(hash, params)
	return append(all, made(taproot, err))
}

// One wrong character is always noticed.
func TestTyposAreNoticed(t *testing.T) {
	p, _ := ByName("main")
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
		good := rapid.SampledFrom(everyType(t, &chaincfg.MainNetParams, hash)).Draw(t, "address").EncodeAddress()
		at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
		letter := rapid.SampledFrom([]byte("123456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0l")).Draw(t, "letter")
		bad := []byte(good)
		if bad[at] == letter {
			return
		}
		bad[at] = letter
		if got, err := p.Parse(string(bad)); !errors.Is(err, ErrAddress) {
			t.Fatalf("%s for %s was read as %q: %v", bad, good, got, err)
		}
	})
}

// The test vectors of BIP 350, main network: valid ones that nobody can claim yet
// are refused too.
func TestWitnessVectors(t *testing.T) {
	p, _ := ByName("main")
	for text, want := range map[string]string{
		"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4":                     "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
	} {
		if got, err := p.Parse(text); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", // version 1, 40 bytes
		"BC1SW50QGDZ25J",                       // version 16
		"bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", // version 2
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", // checksum of version 0
		"BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", // checksum of version 0
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",                     // checksum of version 1
		"bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", // o is no letter
		"BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", // version 17
		"bc1pw5dgrnzv",                         // one byte
		"BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", // version 0, 16 bytes
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",   // mixed case
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", // padding
		"bc1gmk9yu", // empty
	} {
		if got, err := p.Parse(text); !errors.Is(err, ErrAddress) {
			t.Errorf("%s was read as %q: %v", text, got, err)
		}
	}
}

func TestDeriveRefusesWhatIsNotPublic(t *testing.T) {
	p, _ := ByName("main")
	master, err := hdkeychain.NewMaster(bytes.Repeat([]byte{7}, 32), &chaincfg.MainNetParams)
	if err != nil {
		t.Fatal(err)
	}
	public, err := master.Neuter()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Derive(public.String(), 0, 5); err != nil {
		t.Errorf("public key: %v", err)
	}
	test, _ := ByName("test")
	for name, err := range map[string]error{
		"private key":      second(p.Derive(master.String(), 0, 5)),
		"another network":  second(test.Derive(public.String(), 0, 5)),
		"hardened branch":  second(p.Derive(public.String(), 1<<31, 5)),
		"hardened index":   second(p.Derive(public.String(), 0, 1<<31)),
		"nonsense":         second(p.Derive("xpub", 0, 5)),
		"damaged checksum": second(p.Derive(strings.TrimSuffix(public.String(), public.String()[100:])+"111", 0, 5)),
	} {
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
}

func second(_ string, err error) error { return err }

func FuzzAddressRoundTrip(f *testing.F) {
	p, _ := ByName("regtest")
	f.Add(slices.Concat([]byte{0x00, 0x14}, make([]byte, 20)))
	f.Add(slices.Concat([]byte{0x51, 0x20}, make([]byte, 32)))
	f.Add([]byte{0x6a})
	f.Fuzz(func(t *testing.T, script []byte) {
		a, ok := p.Address(script)
		if !ok {
			return
		}
		if back, err := p.Script(a); err != nil || !bytes.Equal(back, script) {
			t.Fatalf("%x became %s became %x: %v", script, a, back, err)
		}
	})
}
