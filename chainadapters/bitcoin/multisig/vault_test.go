package multisig

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
)

// The examples of BIP 380.
func TestDescriptorChecksum(t *testing.T) {
	for text, want := range map[string]string{
		"raw(deadbeef)": "89f8spxm",
		"wpkh(02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9)": "8zl0zxma",
	} {
		if got, err := descriptorChecksum(text); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	if _, err := descriptorChecksum("raw(ä)"); !errors.Is(err, ErrVault) {
		t.Errorf("a letter of no alphabet: %v", err)
	}
}

func TestDescriptorIsReadAsItWasWritten(t *testing.T) {
	for _, name := range []string{"regtest", "main", "litecoin-main", "litecoin-regtest"} {
		h := openHouse(t, name, 2, 3, name)
		for _, branch := range []uint32{Receive, Change} {
			text, err := h.Descriptor(branch)
			if err != nil {
				t.Fatal(err)
			}
			v, of, err := ParseDescriptor(name, text)
			if err != nil || of != branch || v.K != 2 || !slices.Equal(v.Keys, h.Vault().Keys) {
				t.Errorf("%s is read as %+v, branch %d, %v", text, v, of, err)
			}
			body, _, _ := strings.Cut(strings.ReplaceAll(text, "'", "h"), "#")
			sum, _ := descriptorChecksum(body)
			if again, _, err := ParseDescriptor(name, body+"#"+sum); err != nil || !slices.Equal(again.Keys, v.Keys) {
				t.Errorf("with h: %+v, %v", again, err)
			}
		}
	}
}

func TestDescriptorsThatAreRefused(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3, "descriptors")
	good, _ := h.Descriptor(Receive)
	body, sum, _ := strings.Cut(good, "#")
	withSum := func(text string) string {
		s, err := descriptorChecksum(text)
		if err != nil {
			t.Fatal(err)
		}
		return text + "#" + s
	}
	for name, text := range map[string]string{
		"no checksum":       body,
		"another checksum":  body + "#" + strings.Repeat("q", len(sum)),
		"a changed letter":  strings.Replace(good, "tpub", "tpuc", 1),
		"keys not sorted":   withSum(strings.Replace(body, "sortedmulti", "multi", 1)),
		"one of three":      withSum(strings.Replace(body, "(2,", "(1,", 1)),
		"four of three":     withSum(strings.Replace(body, "(2,", "(4,", 1)),
		"threshold with 0":  withSum(strings.Replace(body, "(2,", "(02,", 1)),
		"two branches":      withSum(strings.Replace(body, "/0/*", "/1/*", 1)),
		"branch 2":          withSum(strings.ReplaceAll(body, "/0/*", "/2/*")),
		"no wildcard":       withSum(strings.ReplaceAll(body, "/0/*", "/0/0")),
		"without origin":    withSum("wsh(sortedmulti(2," + h.Vault().Keys[0].XPub + "/0/*))"),
		"P2SH around it":    withSum("sh(" + body + ")"),
		"another coin type": withSum(strings.ReplaceAll(body, "/48'/1'", "/48'/0'")),
		"too long":          withSum(body + strings.Repeat(" ", maxDescriptor)),
	} {
		if v, _, err := ParseDescriptor("regtest", text); !errors.Is(err, ErrVault) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestVaultsThatAreRefused(t *testing.T) {
	foreign, _ := vaultOf(t, "main", 2, 3, "a")
	_, masters := vaultOf(t, "regtest", 2, 3, "a")
	for name, tc := range map[string]struct {
		change func(*Vault)
		reason string
	}{
		"unknown network":    {func(v *Vault) { v.Network = "mars" }, "network"},
		"one key is enough":  {func(v *Vault) { v.K = 1 }, "k:"},
		"more than there":    {func(v *Vault) { v.K = 4 }, "k:"},
		"no keys":            {func(v *Vault) { v.Keys = nil }, "k:"},
		"too many keys":      {func(v *Vault) { v.Keys = slices.Repeat(v.Keys, 6) }, "keys: 18"},
		"a key twice":        {func(v *Vault) { v.Keys[2].XPub = v.Keys[0].XPub }, "keys[2]: fingerprint"},
		"a signer twice":     {func(v *Vault) { v.Keys[1].Fingerprint = v.Keys[0].Fingerprint }, "keys[1]: fingerprint"},
		"capital letters":    {func(v *Vault) { v.Keys[1].Fingerprint = "ABCDEF01" }, "fingerprint"},
		"a path elsewhere":   {func(v *Vault) { v.Keys[0].Path = "m/84'/1'/0'/2'" }, "path"},
		"another script":     {func(v *Vault) { v.Keys[0].Path = "m/48'/1'/0'/1'" }, "path"},
		"a path not hard":    {func(v *Vault) { v.Keys[0].Path = "m/48'/1'/0/2'" }, "path"},
		"a short path":       {func(v *Vault) { v.Keys[0].Path = "m/48'/1'/0'" }, "path"},
		"a broken key":       {func(v *Vault) { v.Keys[0].XPub += "x" }, "xpub"},
		"a private key":      {func(v *Vault) { v.Keys[0].XPub = masters[0].String() }, "private"},
		"a key of main":      {func(v *Vault) { v.Keys[0].XPub = foreign.Keys[0].XPub }, "version"},
		"a name of 65":       {func(v *Vault) { v.Keys[0].Name = strings.Repeat("n", 65) }, "name"},
		"a name in two rows": {func(v *Vault) { v.Keys[0].Name = "a\nb" }, "name"},
	} {
		v, _ := vaultOf(t, "regtest", 2, 3, "a")
		tc.change(&v)
		if _, err := Open(v); !errors.Is(err, ErrVault) || !strings.Contains(err.Error(), tc.reason) {
			t.Errorf("%s: %v, want a word of %q", name, err, tc.reason)
		}
	}
	master, _ := masters[1].Neuter()
	v, _ := vaultOf(t, "regtest", 2, 3, "a")
	v.Keys[1].XPub = master.String()
	if _, err := Open(v); !errors.Is(err, ErrVault) {
		t.Errorf("a master key: %v", err)
	}
}

// The order in which keys are listed changes no address, and the script engine's own
// reading of the script agrees.
func TestAddressesDoNotDependOnTheOrderOfKeys(t *testing.T) {
	h := openHouse(t, "regtest", 3, 5, "order")
	turned := h.Vault()
	slices.Reverse(turned.Keys)
	other, err := Open(turned)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for index := range uint32(20) {
		for _, branch := range []uint32{Receive, Change} {
			a, errA := h.Address(branch, index)
			b, errB := other.Address(branch, index)
			if errA != nil || errB != nil || a != b || seen[a] {
				t.Fatalf("%d/%d: %s and %s, %v, %v", branch, index, a, b, errA, errB)
			}
			seen[a] = true
			p, _ := h.place(branch, index)
			if n, k, err := txscript.CalcMultiSigStats(p.witness); err != nil || n != 5 || k != 3 {
				t.Fatalf("script is %d of %d, %v", k, n, err)
			}
		}
	}
	for _, at := range [][2]uint32{{2, 0}, {0, MaxIndex + 1}, {0, hardened}} {
		if a, err := h.Address(at[0], at[1]); !errors.Is(err, ErrVault) {
			t.Errorf("%d: %s, %v", at, a, err)
		}
	}
}
