package vaultsafe_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/treasury/vaultsafe"
)

func owner(n byte) common.Address { return common.BytesToAddress([]byte{0xab, n, 0xcd}) }

func described() safe.Vault {
	return safe.Vault{
		ChainID: 31337, Version: safe.Version, Address: common.BytesToAddress([]byte("a safe")), Threshold: 2,
		Owners: []common.Address{owner(1), owner(2), owner(3)},
	}
}

func TestDescriptionsAreReadBack(t *testing.T) {
	v := described()
	got, err := vaultsafe.Parse(vaultsafe.Describe(v))
	if err != nil {
		t.Fatal(err)
	}
	if vaultsafe.Describe(got) != vaultsafe.Describe(v) || len(got.Owners) != 3 || got.Threshold != 2 || got.ChainID != 31337 || got.Address != v.Address {
		t.Errorf("%+v became %+v", v, got)
	}
	if !vaultsafe.Is(vaultsafe.Describe(v)) || vaultsafe.Is("wsh(sortedmulti(2,a,b))") {
		t.Error("a Safe is not told from coins")
	}
}

func TestDescriptionsThatAreNone(t *testing.T) {
	whole := vaultsafe.Describe(described())
	for name, text := range map[string]string{
		"nothing":                "",
		"another kind":           "wsh(sortedmulti(2,a,b))",
		"no end":                 whole[:len(whole)-1],
		"more behind":            whole + " ",
		"no owners":              "safe(31337,1.4.1," + owner(9).Hex() + ",2)",
		"a chain without number": strings.Replace(whole, "31337", "main", 1),
		"chain 0":                strings.Replace(whole, "31337", "0", 1),
		"a sign":                 strings.Replace(whole, "31337", "+31337", 1),
		"another version":        strings.Replace(whole, "1.4.1", "1.3.0", 1),
		"one of three":           strings.Replace(whole, ",2,", ",1,", 1),
		"four of three":          strings.Replace(whole, ",2,", ",4,", 1),
		"no threshold":           strings.Replace(whole, ",2,", ",two,", 1),
		"an owner twice":         strings.Replace(whole, owner(2).Hex(), owner(1).Hex(), 1),
		"owners out of order":    strings.Replace(whole, owner(1).Hex(), owner(7).Hex(), 1),
		"small letters":          strings.ToLower(whole),
		"no owner":               strings.Replace(whole, owner(1).Hex(), common.Address{}.Hex(), 1),
		"too many owners":        strings.Replace(whole, ")", strings.Repeat(","+owner(9).Hex(), 20)+")", 1),
		"nowhere":                strings.Replace(whole, described().Address.Hex(), common.Address{}.Hex(), 1),
	} {
		if v, err := vaultsafe.Parse(text); !errors.Is(err, vaultsafe.ErrDescription) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	own := described()
	own.Owners[2] = own.Address
	if _, err := vaultsafe.Parse(vaultsafe.Describe(own)); !errors.Is(err, vaultsafe.ErrDescription) {
		t.Errorf("a vault that owns itself: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(vaultsafe.Describe(described()))
	f.Add("safe(1,1.4.1,,,)")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := vaultsafe.Parse(text); err == nil && vaultsafe.Describe(v) != text {
			t.Errorf("%q is read as %+v", text, v)
		}
	})
}

// What owners bring is taken only if it is what was offered, with a signature of theirs.
func TestCopiesThatAreRefused(t *testing.T) {
	var keys []*ecdsa.PrivateKey
	v := described()
	for n := range v.Owners {
		k, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(n)}))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
		v.Owners[n] = crypto.PubkeyToAddress(k.PublicKey)
	}
	slices.SortFunc(v.Owners, common.Address.Cmp)
	vaults, err := vaultsafe.Open(map[string]string{"cold-eth": vaultsafe.Describe(v)})
	if err != nil {
		t.Fatal(err)
	}
	to := common.BytesToAddress([]byte("hot"))
	file := func(v safe.Vault, tx safe.Tx, by ...*ecdsa.PrivateKey) []byte {
		f := safe.File{Vault: v, Tx: tx}
		for _, k := range by {
			if f, err = f.Sign(k); err != nil {
				t.Fatal(err)
			}
		}
		return f.Encode()
	}
	meant := safe.PayNative(to, big.NewInt(5), 3)
	offered := file(v, meant)
	if signed, err := vaults.Check("cold-eth", offered, file(v, meant, keys[0], keys[2])); err != nil || len(signed) != 2 {
		t.Errorf("signed by %v, %v", signed, err)
	}
	other := v
	other.Address = common.BytesToAddress([]byte("another safe"))
	three := v
	three.Threshold = 3
	whole := file(v, meant, keys[0])
	for name, brought := range map[string][]byte{
		"nobody signed":     offered,
		"another amount":    file(v, safe.PayNative(to, big.NewInt(6), 3), keys[0]),
		"another nonce":     file(v, safe.PayNative(to, big.NewInt(5), 4), keys[0]),
		"another vault":     file(other, meant, keys[0]),
		"another threshold": file(three, meant, keys[0]),
		"a token":           file(v, safe.PayToken(to, to, big.NewInt(5), 3), keys[0]),
		"cut":               whole[:len(whole)-3],
		"nothing":           nil,
		"a PSBT":            []byte("cHNidP8BAA=="),
	} {
		if signed, err := vaults.Check("cold-eth", offered, brought); err == nil {
			t.Errorf("%s: taken, signed by %v", name, signed)
		}
	}
	if _, err := vaults.Check("cold-usdc", offered, whole); !errors.Is(err, vaultsafe.ErrVault) {
		t.Errorf("of a vault that is not described: %v", err)
	}
	if !vaultsafe.IsFile(whole) || vaultsafe.IsFile([]byte("cHNidP8BAA==")) {
		t.Error("a Safe's file is not told from a PSBT")
	}
	if _, err := vaultsafe.Open(map[string]string{"cold-eth": "safe()"}); !errors.Is(err, vaultsafe.ErrDescription) {
		t.Errorf("opened without a description: %v", err)
	}
}
