package cold_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"strongroom/treasury/cold"
)

// The vectors are those of BIP 39's words for zero entropy of 128 bits: the owner's
// address is what wallets derive at m/44'/60'/0'/0/0.
func TestKeysAreThoseOfOtherWallets(t *testing.T) {
	words := strings.Repeat("abandon ", 11) + "about"
	key, sealed, err := cold.SealKey(words, passphrase, 1)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := key.Owner(); err != nil || owner != "0x9858EfFD232B4033E47d90003D41EC34EcaEda94" {
		t.Errorf("owner %s %v", owner, err)
	}
	if c, err := key.Cosigner("main"); err != nil || c.Fingerprint != "73c5da0a" || c.Path != "m/48'/0'/0'/2'" ||
		c.XPub != "xpub6DkFAXWQ2dHxq2vatrt9qyA3bXYU4ToWQwCHbf5XB2mSTexcHZCeKS1VZYcPoBd5X8yVcbXFHJR9R8UCVpt82VX1VhR28mCyxUFL4r6KFrf" {
		t.Errorf("%+v %v", c, err)
	}
	opened, err := cold.OpenKey(sealed, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := opened.Owner(); err != nil || owner != "0x9858EfFD232B4033E47d90003D41EC34EcaEda94" {
		t.Errorf("opened: %s %v", owner, err)
	}
	if bytes.Contains(sealed, []byte("abandon")) || strings.Contains(fmt.Sprintf("%v %+v %#v %s", key, key, key, key), "5eb00bbd") {
		t.Error("the key tells itself")
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	_, sealed, err := cold.NewKey(rand.Reader, passphrase, 1)
	if err != nil {
		t.Fatal(err)
	}
	cut := sealed[:len(sealed)-1]
	for name, try := range map[string]func() error{
		"wrong passphrase": func() error { _, err := cold.OpenKey(sealed, passphrase+"x"); return err },
		"cut":              func() error { _, err := cold.OpenKey(cut, passphrase); return err },
		"empty":            func() error { _, err := cold.OpenKey(nil, passphrase); return err },
		"huge":             func() error { _, err := cold.OpenKey(make([]byte, 1<<20), passphrase); return err },
		"short":            func() error { _, _, err := cold.NewKey(rand.Reader, "short", 1); return err },
		"no entropy":       func() error { _, _, err := cold.NewKey(strings.NewReader("few"), passphrase, 1); return err },
		"no words":         func() error { _, _, err := cold.SealKey("one two three", passphrase, 1); return err },
		"no network":       func() error { _, err := newKey(t, 1).Cosigner("moon"); return err },
	} {
		if err := try(); !errors.Is(err, cold.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
