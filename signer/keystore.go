package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/tyler-smith/go-bip39"
)

// Sizes of the keystore.
const (
	entropyBits      = 256
	maxSeedFileBytes = 1 << 16
	maxPassphrase    = 1024
	// DefaultWorkFactor is log2 of scrypt's N for a new seed file: about a
	// second and 256 MiB to try one passphrase.
	DefaultWorkFactor = 18
)

// seed is the BIP 39 seed from which all keys derive. It never prints itself.
type seed struct{ bytes []byte }

// LogValue implements slog.LogValuer: a seed is never logged.
func (seed) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String implements fmt.Stringer: a seed is never printed.
func (seed) String() string { return "[secret]" }

// fingerprint names the seed without telling anything of it, so that journal
// and seed can be recognised as belonging together.
func (s seed) fingerprint() string {
	tagged := sha256.Sum256(append([]byte("strongroom signer seed\x00"), s.bytes...))
	return hex.EncodeToString(tagged[:16])
}

// ReadPassphrase reads the passphrase of the seed from a file that nobody but
// its owner may read. A line break at the end does not count. Errors wrap
// ErrSeed.
func ReadPassphrase(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSeed, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("%w: passphrase file has mode %#o, at most 0600 is allowed", ErrSeed, mode)
	}
	if info.Size() > maxPassphrase {
		return "", fmt.Errorf("%w: passphrase file of %d bytes", ErrSeed, info.Size())
	}
	raw, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSeed, err)
	}
	passphrase := strings.TrimRight(string(raw), "\r\n")
	if passphrase == "" {
		return "", fmt.Errorf("%w: passphrase is empty", ErrSeed)
	}
	return passphrase, nil
}

// createSeed draws a new seed and writes its mnemonic sentence, encrypted, to a
// file that must not exist yet.
func createSeed(file, passphrase string, workFactor int) (seed, error) {
	entropy, err := bip39.NewEntropy(entropyBits)
	if err != nil {
		return seed{}, fmt.Errorf("draw entropy: %w", err)
	}
	mnemonic, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return seed{}, fmt.Errorf("make mnemonic: %w", err)
	}
	if err := sealFile(file, passphrase, workFactor, mnemonic); err != nil {
		return seed{}, fmt.Errorf("store seed: %w", err)
	}
	return seed{bip39.NewSeed(mnemonic, "")}, nil
}

// openSeed decrypts a seed file. Errors wrap ErrSeed.
func openSeed(file, passphrase string) (seed, error) {
	mnemonic, err := openFile(file, passphrase)
	if err != nil {
		return seed{}, err
	}
	secret, err := bip39.NewSeedWithErrorChecking(string(mnemonic), "")
	if err != nil {
		return seed{}, fmt.Errorf("%w: the file holds no mnemonic: %w", ErrSeed, err)
	}
	return seed{secret}, nil
}

// sealFile writes a secret, encrypted, to a file that must not exist yet.
func sealFile(file, passphrase string, workFactor int, secret string) error {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSeed, err)
	}
	recipient.SetWorkFactor(workFactor)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if _, err := io.WriteString(w, secret); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return writeDurably(file, sealed.Bytes())
}

// openFile decrypts what sealFile wrote. Errors wrap ErrSeed.
func openFile(file, passphrase string) ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	secret, err := io.ReadAll(io.LimitReader(r, maxSeedFileBytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	return secret, nil
}

// writeDurably creates a file that must not exist, and returns when the disk has
// it and its name.
func writeDurably(file string, content []byte) error {
	if err := writeSynced(file, content); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// writeSynced creates a file that must not exist, and returns when the disk has
// its content; the name may still be lost.
func writeSynced(file string, content []byte) (err error) {
	f, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create %s: %w", filepath.Base(file), err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close %s: %w", filepath.Base(file), closeErr)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(file), err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(file), err)
	}
	return nil
}

// syncFolder makes names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close() //nolint:errcheck // nothing was written through this handle
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
