package safe_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"strongroom/chainadapters/evm/safe"
)

func TestCallsThatAreNone(t *testing.T) {
	f := example(t)
	call := must[[]byte](t)(f.ExecCalldata())
	if _, err := f.Vault.CheckExec(call, f.Tx.Nonce); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "a selector": call[:4], "cut off": call[:len(call)-1], "more behind": append(bytes.Clone(call), 0),
		"another function": append([]byte{1}, call[1:]...), "too large": make([]byte, safe.MaxCall+1),
	} {
		if _, _, err := safe.ParseExec(text); !errors.Is(err, safe.ErrCall) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Vault.CheckExec(call, f.Tx.Nonce+1); !errors.Is(err, safe.ErrSignature) {
		t.Errorf("another nonce: %v", err)
	}
	other := f.Vault
	other.Threshold = 3
	if _, err := other.CheckExec(call, f.Tx.Nonce); !errors.Is(err, safe.ErrIncomplete) {
		t.Errorf("another threshold: %v", err)
	}
	other = f.Vault
	other.Owners = slices.Delete(slices.Clone(f.Vault.Owners), 0, 1)
	if _, err := other.CheckExec(call, f.Tx.Nonce); !errors.Is(err, safe.ErrSignature) {
		t.Errorf("other owners: %v", err)
	}
}

// No bit of the call that is sent can be another one.
func TestNoBitOfACallCanBeAnother(t *testing.T) {
	f := example(t)
	call := must[[]byte](t)(f.ExecCalldata())
	for bit := range len(call) * 8 {
		other := bytes.Clone(call)
		other[bit/8] ^= 1 << (bit % 8)
		if _, err := f.Vault.CheckExec(other, f.Tx.Nonce); err == nil {
			t.Errorf("bit %d does not count", bit)
		}
	}
}
