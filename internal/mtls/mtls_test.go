package mtls

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issuerAt issues at a time that the test chooses.
type issuerAt struct{ now time.Time }

func (i *issuerAt) ensure(t *testing.T, dir string, names ...string) {
	t.Helper()
	if err := (Issuer{Clock: func() time.Time { return i.now }}).Ensure(dir, names...); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestLeavesAreRenewedInTime(t *testing.T) {
	dir, i := t.TempDir(), &issuerAt{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	i.ensure(t, dir, "worker")
	first := content(t, dir, "worker.pem")
	i.now = i.now.Add(60*24*time.Hour - time.Second)
	i.ensure(t, dir, "worker", "api")
	if !bytes.Equal(first, content(t, dir, "worker.pem")) {
		t.Error("renewed with more than 30 days left")
	}
	i.now = i.now.Add(2 * time.Second)
	i.ensure(t, dir, "worker")
	if bytes.Equal(first, content(t, dir, "worker.pem")) {
		t.Error("not renewed with less than 30 days left")
	}
}

func TestNewAuthorityReplacesAllLeaves(t *testing.T) {
	dir, i := t.TempDir(), &issuerAt{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	i.ensure(t, dir, "worker")
	authority := content(t, dir, authorityFile)
	i.now = i.now.Add(authorityLife - authorityRenew)
	i.ensure(t, dir, "worker")
	if bytes.Equal(authority, content(t, dir, authorityFile)) {
		t.Error("the authority was not renewed")
	}
	if _, err := ServerConfig(dir, "worker"); err != nil {
		t.Error(err)
	}
	ca, err := readIssuer(filepath.Join(dir, authorityFile), filepath.Join(dir, authorityKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := readIssuer(leafFile(dir, "worker"), leafKeyFile(dir, "worker"))
	if err != nil || leaf.cert.CheckSignatureFrom(ca.cert) != nil {
		t.Errorf("the leaf is not of the new authority: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	if err := EnsureDev(dir, "signer"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d files: %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	if err := EnsureDev(dir, "signer"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "ca", "../x", "Signer", "a b"} {
		if err := EnsureDev(dir, name); !errors.Is(err, errName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if err := os.WriteFile(leafFile(dir, "signer"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ServerConfig(dir, "signer"); err == nil {
		t.Error("a damaged leaf was loaded")
	}
	if err := EnsureDev(dir, "signer"); err != nil {
		t.Errorf("a damaged leaf is not replaced: %v", err)
	}
	if _, err := ServerConfig(dir, "signer"); err != nil {
		t.Error(err)
	}
	// The authority's own damage is for people: replacing it would lock out others.
	if err := os.WriteFile(filepath.Join(dir, authorityFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := EnsureDev(dir, "signer"); !errors.Is(err, errPEM) {
		t.Errorf("a damaged authority: %v", err)
	}
}

func TestConfigsAreStrict(t *testing.T) {
	dir := t.TempDir()
	if err := EnsureDev(dir, "signer", "worker"); err != nil {
		t.Fatal(err)
	}
	server, err := ServerConfig(dir, "signer")
	if err != nil || server.MinVersion != tls.VersionTLS13 || server.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Errorf("server: %+v, %v", server, err)
	}
	client, err := ClientConfig(dir, "worker", "signer")
	if err != nil || client.MinVersion != tls.VersionTLS13 || client.InsecureSkipVerify || client.ServerName != "signer" {
		t.Errorf("client: %+v, %v", client, err)
	}
	if _, err := ClientConfig(dir, "nobody", "signer"); err == nil {
		t.Error("a client without a certificate")
	}
	if _, err := Peer(context.Background()); !errors.Is(err, ErrNoPeer) {
		t.Errorf("a call from nowhere: %v", err)
	}
}
