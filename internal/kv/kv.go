// Package kv keeps small values under keys for a while: in this process, or in a Redis
// that several processes share. A value may be gone at any time. It never holds
// anything that cannot be made again, and no money.
package kv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of keys and values.
const (
	MaxKeyBytes   = 512
	MaxValueBytes = 8 << 20
)

var (
	// ErrMissing reports a key without a value, or no longer with one.
	ErrMissing = errors.New("no value under this key")
	// ErrInvalid reports a key, value or time that cannot be kept.
	ErrInvalid = errors.New("cannot be kept")
	// ErrUnavailable reports a store that does not answer.
	ErrUnavailable = errors.New("key-value store does not answer")
)

// Store keeps values. It is safe for concurrent use.
type Store interface {
	// Get returns the value of a key, the caller's own. ErrMissing where there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Take returns the value of a key and forgets it, in one step: of all who take at the
	// same time, in whatever process, one has the value and the others ErrMissing. After
	// any other error the value may be there or gone; two never have it.
	Take(ctx context.Context, key string) ([]byte, error)
	// Set keeps a value for ttl, which is above zero. ErrInvalid for what is beyond the
	// bounds.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Replace is Set where the key has a value, in one step, and ErrMissing where it has
	// none: what is forgotten stays so.
	Replace(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete forgets a key; one that is not there is forgotten already.
	Delete(ctx context.Context, key string) error
	// Close gives back what the store holds. It is not used afterwards.
	Close() error
}

// Open returns the Redis at a URL (redis:// or rediss://), or a Memory where it is
// empty. All keys of a Redis begin with prefix.
func Open(url, prefix string, clock func() time.Time) (Store, error) {
	if url == "" {
		return NewMemory(MemoryConfig{Clock: clock})
	}
	return NewRedis(RedisConfig{URL: url, Prefix: prefix})
}

func check(key string, value []byte, ttl time.Duration) error {
	switch {
	case key == "" || len(key) > MaxKeyBytes || strings.ContainsRune(key, 0):
		return fmt.Errorf("%w: a key of %d bytes", ErrInvalid, len(key))
	case len(value) > MaxValueBytes:
		return fmt.Errorf("%w: a value of %d bytes under %q", ErrInvalid, len(value), key)
	case ttl < time.Millisecond:
		return fmt.Errorf("%w: %q for %s", ErrInvalid, key, ttl)
	}
	return nil
}
