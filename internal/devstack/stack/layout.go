// Package stack is the platform on one machine: every server of development in
// one folder, started in order, kept running, and stopped in reverse. It makes
// what they need to meet: ports, secrets, certificates, chain and asset files.
// It holds no rule about money and is never part of production.
package stack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Layout names what is in the state folder.
type Layout struct{ Dir string }

// The secrets, each a file of its own below secrets/. These are names.
//
//nolint:gosec // see above
const (
	postgresSecret   = "postgres-password"
	btcdSecret       = "btcd-rpc-password"
	litecoinSecret   = "litecoind-rpc-password"
	payloadSecret    = "payload-key"
	passphraseSecret = "signer-passphrase"
)

const secretBytes = 32

// OpenLayout returns the layout of dir as an absolute path, without touching it.
func OpenLayout(dir string) (Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, fmt.Errorf("find state folder: %w", err)
	}
	return Layout{Dir: abs}, nil
}

func (l Layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.Dir}, parts...)...)
}

// LogFile is where a service writes.
func (l Layout) LogFile(service string) string { return l.path("logs", service+".log") }

// EnvFile holds the settings of a running stack as KEY=VALUE lines, so that a
// command started by hand reaches the same servers.
func (l Layout) EnvFile() string { return l.path("env") }

// create makes the folders. Others may pass through Dir, for PostgreSQL runs as
// another user where we are root; all below is closed.
func (l Layout) create() error {
	if err := os.MkdirAll(l.Dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		return fmt.Errorf("create state folder: %w", err)
	}
	for _, name := range []string{"logs", "run", "secrets", "anvil", "geth", "btcd", "litecoind", "signer", "sanctions", "matching"} {
		if err := os.MkdirAll(l.path(name), 0o700); err != nil {
			return fmt.Errorf("create folder: %w", err)
		}
	}
	return nil
}

// secret returns a secret, drawing it at first use.
func (l Layout) secret(name string) (string, error) {
	path := l.path("secrets", name)
	have, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err == nil {
		return strings.TrimSpace(string(have)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read secret %s: %w", name, err)
	}
	drawn := make([]byte, secretBytes)
	if _, err := rand.Read(drawn); err != nil {
		return "", fmt.Errorf("draw secret %s: %w", name, err)
	}
	text := hex.EncodeToString(drawn)
	return text, writeSecret(path, text+"\n")
}

// writeSecret writes a file that only we can read, whole or not at all.
func writeSecret(path, text string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// tail returns the end of a service's log, for error messages.
func (l Layout) tail(service string) string {
	const most = 2000
	text, err := os.ReadFile(l.LogFile(service))
	if err != nil {
		return ""
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}
