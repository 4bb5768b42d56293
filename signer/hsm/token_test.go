//go:build cgo

package hsm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/miekg/pkcs11"

	"strongroom/signer/hsm/hsmtest"
)

func open(t *testing.T) *Token {
	t.Helper()
	return openAt(t, hsmtest.New(t))
}

func openAt(t *testing.T, made hsmtest.Token) *Token {
	t.Helper()
	token, err := Open(Config{Module: made.Module, Label: made.Label, PIN: made.PIN})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := token.Close(); err != nil {
			t.Error(err)
		}
	})
	return token
}

// imported puts a key into a token that is called "house".
func imported(t *testing.T, token *Token) *btcec.PrivateKey {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, btcec.PrivKeyBytesLen))
	if err := token.Import("house", key); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignaturesVerify(t *testing.T) {
	token := open(t)
	key := imported(t, token)
	public, err := token.Public("house")
	if err != nil || !public.IsEqual(key.PubKey()) {
		t.Fatalf("another public key: %v", err)
	}
	const callers, each = 2 * maxSessions, 5
	var all sync.WaitGroup
	for c := range byte(callers) {
		all.Go(func() {
			for i := range byte(each) {
				hash := sha256.Sum256([]byte{c, i})
				raw, err := token.Sign("house", hash[:])
				if err != nil || len(raw) != 64 {
					t.Errorf("%x, %v", raw, err)
					return
				}
				var r, s btcec.ModNScalar
				if r.SetByteSlice(raw[:32]) || s.SetByteSlice(raw[32:]) || !ecdsa.NewSignature(&r, &s).Verify(hash[:], public) {
					t.Error("signature does not verify")
				}
			}
		})
	}
	all.Wait()
}

// Whatever a PKCS#11 caller with the PIN can ask for, the key does not come.
func TestKeysDoNotComeOut(t *testing.T) {
	made := hsmtest.New(t)
	token := openAt(t, made)
	key := imported(t, token)
	session := <-token.idle
	defer func() { token.idle <- session }()
	pair, err := token.pair(session, "house")
	if err != nil {
		t.Fatal(err)
	}
	value := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)}
	got, err := token.ctx.GetAttributeValue(session, pair.private, value)
	if !errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_SENSITIVE)) {
		t.Errorf("C_GetAttributeValue of CKA_VALUE: %v, %v", got, err)
	}
	wrapping, err := token.ctx.GenerateKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)},
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_WRAP, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = token.ctx.WrapKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_WRAP_PAD, nil)}, wrapping, pair.private)
	if !errors.Is(err, pkcs11.Error(pkcs11.CKR_KEY_UNEXTRACTABLE)) {
		t.Errorf("C_WrapKey: %v", err)
	}
	for attribute, value := range map[uint]bool{pkcs11.CKA_EXTRACTABLE: true, pkcs11.CKA_SENSITIVE: false} {
		if err := token.ctx.SetAttributeValue(session, pair.private, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, value)}); err == nil {
			t.Errorf("attribute %#x could be changed", attribute)
		}
		template := []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, value)}
		if _, err := token.ctx.CopyObject(session, pair.private, template); err == nil {
			t.Errorf("a copy with another attribute %#x was made", attribute)
		}
	}
	made.WantNowhere(t, key.Serialize())
}

// A key that the token would show is as good as lost: it signs nothing.
func TestExposedKeysAreNotUsed(t *testing.T) {
	token := open(t)
	secret := bytes.Repeat([]byte{9}, btcec.PrivKeyBytesLen)
	session := <-token.idle
	_, err := token.ctx.CreateObject(session, append(named("loose", pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, secret)))
	token.idle <- session
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Sign("loose", make([]byte, 32)); !errors.Is(err, ErrExposed) {
		t.Errorf("signed with it: %v", err)
	}
}

func TestImportRepeatsAndNeverReplaces(t *testing.T) {
	token := open(t)
	imported(t, token)
	imported(t, token)
	other := new(btcec.ModNScalar).SetInt(5)
	if err := token.Import("house", btcec.PrivKeyFromScalar(other)); !errors.Is(err, ErrToken) {
		t.Errorf("replaced: %v", err)
	}
	if _, err := token.Public("nobody"); !errors.Is(err, ErrNoKey) {
		t.Errorf("unknown label: %v", err)
	}
	// What a crash between the halves leaves is mended by the next try.
	session := <-token.idle
	halves, err := token.objects(session, "house", pkcs11.CKO_PRIVATE_KEY)
	if err != nil || len(halves) != 1 || token.ctx.DestroyObject(session, halves[0]) != nil {
		t.Fatalf("%v, %v", halves, err)
	}
	clear(token.keys)
	token.idle <- session
	imported(t, token)
}

func TestOpenRefuses(t *testing.T) {
	made := hsmtest.New(t)
	good := Config{Module: made.Module, Label: made.Label, PIN: made.PIN}
	nothing := filepath.Join(t.TempDir(), "no-module.so")
	if err := os.WriteFile(nothing, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"no module": {Label: good.Label, PIN: good.PIN}, "no label": {Module: good.Module, PIN: good.PIN},
		"no PIN": {Module: good.Module, Label: good.Label}, "no library": {Module: nothing, Label: good.Label, PIN: good.PIN},
		"another token": {Module: good.Module, Label: "elsewhere", PIN: good.PIN},
		"wrong PIN":     {Module: good.Module, Label: good.Label, PIN: "0000"},
	} {
		if _, err := Open(c); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The token's s is not normalised: whoever uses it has to.
func TestHighS(t *testing.T) {
	token := open(t)
	imported(t, token)
	half := new(big.Int).Rsh(btcec.S256().N, 1)
	high := 0
	for i := range byte(40) {
		hash := sha256.Sum256([]byte{i})
		raw, err := token.Sign("house", hash[:])
		if err != nil {
			t.Fatal(err)
		}
		if new(big.Int).SetBytes(raw[32:]).Cmp(half) > 0 {
			high++
		}
	}
	if high == 0 {
		t.Error("no s above half of the order in 40: the signer's normalising is tested by nothing")
	}
}
