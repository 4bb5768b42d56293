//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/signer/hsm/hsmtest"
)

// The whole way of an operator: a signer on the seed file, its keys moved into a token,
// served from there with the same addresses, and refused without.
func TestMoveToToken(t *testing.T) {
	h := newHouse(t)
	if out, err := h.command(t, "init").CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	cmd, client := h.serve(t)
	deposit, hot, err := client.PublicKeys(t.Context(), "bitcoin-regtest")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	_ = cmd.Wait()

	made := hsmtest.New(t)
	pin := filepath.Join(h.dir, "pin")
	if err := os.WriteFile(pin, []byte(made.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STRONGROOM_SIGNER_PKCS11_MODULE", made.Module)
	t.Setenv("STRONGROOM_SIGNER_PKCS11_TOKEN", made.Label)
	backup := filepath.Join(h.dir, "offline", "seed.age")
	if err := os.Mkdir(filepath.Dir(backup), 0o700); err != nil {
		t.Fatal(err)
	}
	load := []string{"load-token", "--change-keys", "3", "--backup", backup}
	if out, err := h.command(t, load...).CombinedOutput(); err == nil || !strings.Contains(string(out), "--pkcs11-pin-file") {
		t.Errorf("without a PIN: %v\n%s", err, out)
	}
	t.Setenv("STRONGROOM_SIGNER_PKCS11_PIN_FILE", pin)
	if out, err := h.command(t, load...).CombinedOutput(); err != nil {
		t.Fatalf("load: %v\n%s", err, out)
	}
	if _, err := os.Stat(backup); err != nil {
		t.Error(err)
	}
	if out, err := h.command(t, "serve").CombinedOutput(); err == nil || !strings.Contains(string(out), "in a token") {
		t.Errorf("served without the token: %v\n%s", err, out)
	}
	t.Setenv("STRONGROOM_SIGNER_KEYSTORE", "pkcs11")
	_, client = h.serve(t)
	if d, o, err := client.PublicKeys(t.Context(), "bitcoin-regtest"); err != nil || d != deposit || o != hot {
		t.Errorf("other keys from the token: %v", err)
	}
}

// A checkpoint that is ahead of the folder is what a folder that was put back looks like.
func TestFolderPutBackDoesNotServe(t *testing.T) {
	h := newHouse(t)
	if out, err := h.command(t, "init").CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	head := filepath.Join(h.dir, "elsewhere")
	if out, err := h.command(t, "witness", head).CombinedOutput(); err != nil || !strings.Contains(string(out), "knows 1 entries") {
		t.Fatalf("witness: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(head, append([]byte{'9'}, raw[1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STRONGROOM_SIGNER_CHECKPOINT", head)
	if out, err := h.command(t, "serve").CombinedOutput(); err == nil || !strings.Contains(string(out), "an older copy was put back") {
		t.Errorf("served: %v\n%s", err, out)
	}
}
