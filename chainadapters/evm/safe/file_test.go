package safe_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
)

func signed(t *testing.T, f safe.File, keys ...*ecdsa.PrivateKey) safe.File {
	t.Helper()
	for _, key := range keys {
		f = must[safe.File](t)(f.Sign(key))
	}
	return f
}

// example is a file of 2 of 3 that two have signed.
func example(t *testing.T) safe.File {
	t.Helper()
	keys := keysOf(3)
	return signed(t, safe.File{Vault: vaultOf(2, keys...), Tx: payments(t)["token"]}, keys[0], keys[2])
}

func TestFilesAreReadBack(t *testing.T) {
	for name, tx := range payments(t) {
		keys := keysOf(5)
		blank := safe.File{Vault: vaultOf(3, keys...), Tx: tx}
		for _, f := range []safe.File{blank, signed(t, blank, keys[1]), signed(t, blank, keys...)} {
			got, err := safe.ParseFile(f.Encode())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(got.Encode(), f.Encode()) || got.Hash() != f.Hash() || !slices.Equal(got.Signatures, f.Signatures) || !got.Vault.Equal(f.Vault) {
				t.Errorf("%s became\n%s", f.Encode(), got.Encode())
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, f.Encode()); err != nil {
				t.Fatal(err)
			}
			if _, err := safe.ParseFile(compact.Bytes()); err != nil {
				t.Errorf("without white space: %v", err)
			}
		}
	}
}

// The largest numbers and the most data that can be are read, too.
func TestTheLargestFile(t *testing.T) {
	keys := keysOf(3)
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	f := signed(t, safe.File{Vault: vaultOf(2, keys...), Tx: safe.Tx{
		To: named("to"), Value: most, Data: make([]byte, safe.MaxData), SafeTxGas: most, BaseGas: most, GasPrice: most, Nonce: 1<<64 - 1,
	}}, keys...)
	got := must[safe.File](t)(safe.ParseFile(f.Encode()))
	call := must[[]byte](t)(got.ExecCalldata())
	if _, err := got.Vault.CheckExec(call, got.Tx.Nonce); err != nil || got.Hash() != f.Hash() {
		t.Error(err)
	}
}

// Every character of a file counts: no other one in its place is read as a file of the same
// vault. (The threshold is in nothing that is signed: it makes another vault.)
func TestNoCharacterOfAFileCanBeAnother(t *testing.T) {
	f := example(t)
	whole := f.Encode()
	for at := range whole {
		for _, other := range []byte{'0', '1', 'a', 'F', '"', ' ', whole[at] ^ 1, whole[at] ^ 0x20} {
			if other == whole[at] {
				continue
			}
			text := bytes.Clone(whole)
			text[at] = other
			got, err := safe.ParseFile(text)
			if err == nil && got.Vault.Equal(f.Vault) && !bytes.Equal(got.Encode(), whole) {
				t.Fatalf("%q in place of %q at %d is read as\n%s", other, whole[at], at, got.Encode())
			}
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	whole := string(example(t).Encode())
	swap := func(old, with string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in the file", old)
		}
		return strings.Replace(whole, old, with, 1)
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                    {"", safe.ErrFile},
		"a list":                     {"[]", safe.ErrFile},
		"another kind":               {swap(`"safe"`, `"multisig"`), safe.ErrFile},
		"more behind":                {whole + "{}", safe.ErrFile},
		"an unknown member":          {swap(`"kind"`, `"extra": 1, "kind"`), safe.ErrFile},
		"a member twice":             {swap(`"nonce": 7`, `"nonce": 8, "nonce": 7`), safe.ErrFile},
		"another spelling":           {swap(`"nonce"`, `"Nonce"`), safe.ErrFile},
		"another order":              {swap(`"kind": "safe",`, "") + "", safe.ErrFile},
		"another version":            {swap(`"1.4.1"`, `"1.3.0"`), safe.ErrVault},
		"another chain":              {swap(`31337`, `1`), safe.ErrSignature},
		"another nonce":              {swap(`"nonce": 7`, `"nonce": 8`), safe.ErrSignature},
		"a number with zeros":        {swap(`"value": "0"`, `"value": "00"`), safe.ErrFile},
		"a number below zero":        {swap(`"value": "0"`, `"value": "-1"`), safe.ErrFile},
		"a number of 257 bits":       {swap(`"value": "0"`, `"value": "`+new(big.Int).Lsh(big.NewInt(1), 256).String()+`"`), safe.ErrRefused},
		"a long number":              {swap(`"value": "0"`, `"value": "`+strings.Repeat("9", 100)+`"`), safe.ErrFile},
		"an address in capitals":     {swap(named("dollar").Hex(), strings.ToUpper(named("dollar").Hex())), safe.ErrFile},
		"data without its beginning": {swap(`"data": "0x`, `"data": "`), safe.ErrFile},
		"one of three":               {swap(`"threshold": 2`, `"threshold": 1`), safe.ErrVault},
		"another hash":               {swap(example(t).Hash().Hex(), common.Hash{}.Hex()), safe.ErrFile},
		"a negative threshold":       {swap(`"threshold": 2`, `"threshold": -2`), safe.ErrVault},
		"too large":                  {whole + strings.Repeat(" ", safe.MaxFile), safe.ErrFile},
	} {
		if f, err := safe.ParseFile([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, f.Tx, err)
		}
	}
}

func TestSignaturesThatDoNotCount(t *testing.T) {
	keys := keysOf(4)
	v := vaultOf(2, keys[:3]...)
	f := signed(t, safe.File{Vault: v, Tx: payments(t)["ether"]}, keys[0], keys[1])
	half := new(big.Int).Rsh(crypto.S256().Params().N, 1)
	for name, spoil := range map[string]func(s []safe.Signature){
		"by a contract":        func(s []safe.Signature) { s[0].Bytes[64] = 0 },
		"approved before":      func(s []safe.Signature) { s[0].Bytes[64] = 1 },
		"over a text":          func(s []safe.Signature) { s[0].Bytes[64] += 4 },
		"the other recovery":   func(s []safe.Signature) { s[0].Bytes[64] ^= 27 ^ 28 },
		"the higher form":      func(s []safe.Signature) { flip(&s[0].Bytes) },
		"zero":                 func(s []safe.Signature) { s[0].Bytes = [safe.SignatureBytes]byte{64: 27} },
		"by another owner":     func(s []safe.Signature) { s[0].Owner = v.Owners[2] },
		"out of order":         func(s []safe.Signature) { s[0], s[1] = s[1], s[0] },
		"twice the same owner": func(s []safe.Signature) { s[1] = s[0] },
		"by no owner": func(s []safe.Signature) {
			stranger := signed(t, safe.File{Vault: vaultOf(2, keys...), Tx: f.Tx}, keys[3])
			s[0] = stranger.Signatures[0]
		},
		"over another transaction": func(s []safe.Signature) {
			s[0] = signed(t, safe.File{Vault: v, Tx: payments(t)["token"]}, keys[0]).Signatures[0]
		},
		"on another chain": func(s []safe.Signature) {
			other := v
			other.ChainID = 1
			s[0] = signed(t, safe.File{Vault: other, Tx: f.Tx}, keys[0]).Signatures[0]
		},
	} {
		bad := f
		bad.Signatures = slices.Clone(f.Signatures)
		spoil(bad.Signatures)
		if err := bad.Check(); !errors.Is(err, safe.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := bad.ExecCalldata(); !errors.Is(err, safe.ErrSignature) {
			t.Errorf("%s makes a call: %v", name, err)
		}
		if _, err := safe.Combine(f, bad); !errors.Is(err, safe.ErrSignature) {
			t.Errorf("%s is joined: %v", name, err)
		}
		if _, err := bad.Sign(keys[2]); !errors.Is(err, safe.ErrSignature) {
			t.Errorf("%s is signed: %v", name, err)
		}
	}
	second := f
	second.Signatures = slices.Clone(f.Signatures)
	second.Signatures[1].Bytes[64] = 0
	for _, err := range []error{second.Check(), func() error { _, err := safe.Combine(f, second); return err }()} {
		if err == nil || !strings.Contains(err.Error(), "signature 2: ") {
			t.Errorf("which signature is it? %v", err)
		}
	}
	if _, err := safe.Combine(f, second); !strings.Contains(err.Error(), "copy 2: ") {
		t.Errorf("which copy is it? %v", err)
	}
	if !f.Signed(v.Owners[0]) || f.Signed(v.Owners[2]) {
		t.Error("it is not known who has signed")
	}
	if new(big.Int).SetBytes(f.Signatures[0].Bytes[32:64]).Cmp(half) > 0 {
		t.Error("a signature is made in its higher form")
	}
	if _, err := f.Sign(keys[3]); !errors.Is(err, safe.ErrKey) {
		t.Errorf("a stranger signs: %v", err)
	}
}

// flip is the other form of the same signature.
func flip(s *[safe.SignatureBytes]byte) {
	other := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(s[32:64]))
	other.FillBytes(s[32:64])
	s[64] ^= 27 ^ 28
}

// However copies are joined, it is the same file, and the same call.
func TestCombiningInAnyOrder(t *testing.T) {
	keys := keysOf(5)
	blank := safe.File{Vault: vaultOf(3, keys...), Tx: payments(t)["batch"]}
	var copies []safe.File
	for _, key := range keys {
		copies = append(copies, signed(t, blank, key))
	}
	all := must[safe.File](t)(safe.Combine(copies...))
	call := must[[]byte](t)(all.ExecCalldata())
	for range 20 {
		copies = append(copies[1:], copies[0])
		slices.Reverse(copies[1:])
		again := must[safe.File](t)(safe.Combine(append(copies, blank, copies[2])...))
		if !bytes.Equal(again.Encode(), all.Encode()) || !bytes.Equal(must[[]byte](t)(again.ExecCalldata()), call) {
			t.Fatal("the order counts")
		}
	}
	if !all.Complete() || copies[0].Complete() || !all.Signed(blank.Vault.Owners[4]) || blank.Signed(blank.Vault.Owners[4]) {
		t.Error("it is not known who has signed")
	}
	if _, err := must[safe.File](t)(safe.Combine(copies[:2]...)).ExecCalldata(); !errors.Is(err, safe.ErrIncomplete) {
		t.Errorf("two of three: %v", err)
	}
}

func TestCopiesThatDiffer(t *testing.T) {
	keys := keysOf(3)
	v := vaultOf(2, keys...)
	first := signed(t, safe.File{Vault: v, Tx: payments(t)["ether"]}, keys[0])
	with := func(change func(f *safe.File)) safe.File {
		f := safe.File{Vault: v, Tx: first.Tx}
		f.Vault.Owners = slices.Clone(v.Owners)
		change(&f)
		return signed(t, f, keys[1])
	}
	for name, other := range map[string]safe.File{
		"nonce":       with(func(f *safe.File) { f.Tx.Nonce++ }),
		"receiver":    with(func(f *safe.File) { f.Tx.To = named("thief") }),
		"amount":      with(func(f *safe.File) { f.Tx.Value = wei(1) }),
		"chain":       with(func(f *safe.File) { f.Vault.ChainID = 1 }),
		"vault":       with(func(f *safe.File) { f.Vault.Address = named("other") }),
		"threshold":   with(func(f *safe.File) { f.Vault.Threshold = 3 }),
		"owners":      with(func(f *safe.File) { f.Vault.Owners = f.Vault.Owners[:2] }),
		"transaction": signed(t, safe.File{Vault: v, Tx: payments(t)["batch"]}, keys[1]),
	} {
		if _, err := safe.Combine(first, other); !errors.Is(err, safe.ErrDiffer) || !strings.Contains(err.Error(), "copy 2 ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := safe.Combine(); !errors.Is(err, safe.ErrDiffer) {
		t.Errorf("none: %v", err)
	}
	if _, err := safe.Combine(slices.Repeat([]safe.File{first}, safe.MaxCopies)...); err != nil {
		t.Errorf("as many as can be: %v", err)
	}
	if _, err := safe.Combine(slices.Repeat([]safe.File{first}, safe.MaxCopies+1)...); !errors.Is(err, safe.ErrDiffer) {
		t.Errorf("too many: %v", err)
	}
}
