package identity

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// sealKeyBytes is the length of an AES-256 key.
const sealKeyBytes = 32

// Sealer encrypts secrets at rest with AES-256-GCM, bound to the id of their
// owner so that two rows cannot be swapped.
type Sealer struct {
	aead cipher.AEAD
	key  []byte
}

// NewSealer takes a 32-byte key. Errors wrap ErrInvalid.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != sealKeyBytes {
		return nil, fmt.Errorf("sealing key: want %d bytes: %w", sealKeyBytes, ErrInvalid)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher mode: %w", err)
	}
	return &Sealer{aead: aead, key: bytes.Clone(key)}, nil
}

// LogValue keeps the key out of logs.
func (*Sealer) LogValue() slog.Value { return slog.StringValue("sealer") }

// Derive returns 32 bytes for another purpose, which tell nothing about the key
// (HKDF, RFC 5869). The same file gives the same bytes.
func (s *Sealer) Derive(purpose string) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, s.key, nil, "strongroom/"+purpose, sealKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive key for %s: %w", purpose, err)
	}
	return out, nil
}

func (s *Sealer) seal(secret []byte, owner string) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return s.aead.Seal(nonce, nonce, secret, []byte(owner))
}

func (s *Sealer) open(sealed []byte, owner string) ([]byte, error) {
	if len(sealed) < s.aead.NonceSize() {
		return nil, errors.New("sealed secret is too short")
	}
	nonce, rest := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	secret, err := s.aead.Open(nil, nonce, rest, []byte(owner))
	if err != nil {
		return nil, fmt.Errorf("open sealed secret of %s: %w", owner, err)
	}
	return secret, nil
}

// SealerFromFile reads the key from a file of 64 hex digits, and makes the file,
// readable by its owner only, where it does not exist. Two processes that start
// together end with the same key.
func SealerFromFile(path string) (*Sealer, error) {
	key := make([]byte, sealKeyBytes)
	_, _ = rand.Read(key)
	if err := createOnce(path, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err = hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("key file %s: want %d hex digits: %w", path, 2*sealKeyBytes, ErrInvalid)
	}
	return NewSealer(key)
}

// createOnce writes a file whole, or leaves the one that is there: the content
// goes to a name of its own first, which is then linked.
func createOnce(path string, content []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("place file: %w", err)
	}
	return nil
}
