package temporalx

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrKeyring reports a key file that cannot be used.
var ErrKeyring = errors.New("payload key file is not usable")

const (
	keyBytes    = 32      // AES-256
	maxKeys     = 64      // of one file
	maxKeyring  = 1 << 16 // bytes of one file
	keyFileMode = 0o600
)

// Keyring holds the keys of payloads. The first one encrypts; all of them
// decrypt. To rotate, put a new line on top, restart the workers, and take the
// old line away once no history made with it is kept any more. A key is good for
// 2^32 payloads.
type Keyring struct {
	first string
	seals map[string]cipher.AEAD
}

// LoadKeyring reads a key file: one key per line as `id:64 hex digits`, or as the
// digits alone, whose id is then made from their SHA-256; empty lines and lines
// that begin with # are passed over. It refuses with ErrKeyring.
func LoadKeyring(file string) (*Keyring, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read payload keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 || info.Size() > maxKeyring {
		return nil, fmt.Errorf("read payload keys: mode %o, %d bytes: %w: want mode 600 and at most %d bytes",
			info.Mode().Perm(), info.Size(), ErrKeyring, maxKeyring)
	}
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read payload keys: %w", err)
	}
	return ParseKeyring(text)
}

// EnsureKeyring is LoadKeyring, after making the file with one fresh key where
// there is none. For development: in production the file comes from a vault.
func EnsureKeyring(file string) (*Keyring, error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("draw payload key: %w", err)
	}
	f, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if errors.Is(err, os.ErrExist) {
		return LoadKeyring(file)
	}
	if err != nil {
		return nil, fmt.Errorf("make payload keys: %w", err)
	}
	_, err = fmt.Fprintf(f, "# Temporal payload keys, newest first: id:hex\nk1:%x\n", key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("make payload keys: %w", err)
	}
	return LoadKeyring(file)
}

// ParseKeyring reads the text of a key file. See LoadKeyring.
func ParseKeyring(text []byte) (*Keyring, error) {
	ring := &Keyring{seals: map[string]cipher.AEAD{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := ring.add(line); err != nil {
			return nil, fmt.Errorf("payload keys, line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("payload keys: %w: %w", ErrKeyring, err)
	}
	if ring.first == "" {
		return nil, fmt.Errorf("payload keys: %w: it holds no key", ErrKeyring)
	}
	return ring, nil
}

func (r *Keyring) add(line string) error {
	id, digits, named := strings.Cut(line, ":")
	if !named {
		digits = line
	}
	key, err := hex.DecodeString(digits)
	if !named {
		sum := sha256.Sum256(key)
		id = "sha256-" + hex.EncodeToString(sum[:4])
	}
	switch {
	case err != nil || len(key) != keyBytes: // the line itself stays out of the message
		return fmt.Errorf("%w: want id:%d hex digits", ErrKeyring, hex.EncodedLen(keyBytes))
	case !regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`).MatchString(id):
		return fmt.Errorf("%w: an id has 1 to 32 letters, digits, dots, dashes", ErrKeyring)
	case r.seals[id] != nil:
		return fmt.Errorf("%w: id %s is there twice", ErrKeyring, id)
	case len(r.seals) == maxKeys:
		return fmt.Errorf("%w: more than %d keys", ErrKeyring, maxKeys)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	if r.first == "" {
		r.first = id
	}
	r.seals[id] = seal
	return nil
}
