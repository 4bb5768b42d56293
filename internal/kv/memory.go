package kv

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What a Memory holds where nothing else is said.
const (
	defaultKeys  = 1 << 16
	defaultBytes = 256 << 20
)

// MemoryConfig bounds a Memory.
type MemoryConfig struct {
	// Keys and Bytes (of keys and values) are how much there may be, zero for the
	// default. What was written longest ago goes first.
	Keys  int
	Bytes int
	Clock func() time.Time
}

// Memory is a Store in this process.
type Memory struct {
	cfg MemoryConfig

	mu    sync.Mutex
	at    map[string]*list.Element
	order *list.List // of *item, written longest ago first
	bytes int
}

type item struct {
	key   string
	value []byte
	until time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	if cfg.Clock == nil || cfg.Keys < 0 || cfg.Bytes < 0 {
		return nil, errors.New("key-value memory needs a clock and bounds")
	}
	if cfg.Keys == 0 {
		cfg.Keys = defaultKeys
	}
	if cfg.Bytes == 0 {
		cfg.Bytes = defaultBytes
	}
	return &Memory{cfg: cfg, at: map[string]*list.Element{}, order: list.New()}, nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := m.find(key)
	if i == nil {
		return nil, fmt.Errorf("get %q: %w", key, ErrMissing)
	}
	return slices.Clone(i.value), nil
}

// Take implements Store.
func (m *Memory) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, e := m.find(key)
	if i == nil {
		return nil, fmt.Errorf("take %q: %w", key, ErrMissing)
	}
	m.drop(e)
	return i.value, nil
}

// find returns what is under a key, nil for nothing. What is over is dropped.
func (m *Memory) find(key string) (*item, *list.Element) {
	e, ok := m.at[key]
	if !ok {
		return nil, nil
	}
	i := e.Value.(*item) //nolint:forcetypeassert // only items are put in
	if !m.cfg.Clock().Before(i.until) {
		m.drop(e)
		return nil, nil
	}
	return i, e
}

// Set implements Store.
func (m *Memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	return m.put(key, value, ttl, false)
}

// Replace implements Store.
func (m *Memory) Replace(_ context.Context, key string, value []byte, ttl time.Duration) error {
	return m.put(key, value, ttl, true)
}

// put is Set, or Replace where only what is there may be set.
func (m *Memory) put(key string, value []byte, ttl time.Duration, there bool) error {
	if err := check(key, value, ttl); err != nil {
		return err
	}
	if len(key)+len(value) > m.cfg.Bytes {
		return fmt.Errorf("%w: %q has %d bytes of %d that there may be", ErrInvalid, key, len(value), m.cfg.Bytes)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, _ := m.find(key); there && i == nil {
		return fmt.Errorf("replace %q: %w", key, ErrMissing)
	}
	if e, ok := m.at[key]; ok {
		m.drop(e)
	}
	m.at[key] = m.order.PushBack(&item{key, slices.Clone(value), m.cfg.Clock().Add(ttl)})
	m.bytes += len(key) + len(value)
	for m.order.Len() > m.cfg.Keys || m.bytes > m.cfg.Bytes {
		m.drop(m.order.Front())
	}
	return nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.at[key]; ok {
		m.drop(e)
	}
	return nil
}

// Close implements Store.
func (*Memory) Close() error { return nil }

// Len is how many keys there are, those whose time is over among them.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.order.Len()
}

func (m *Memory) drop(e *list.Element) {
	i := m.order.Remove(e).(*item) //nolint:forcetypeassert // as in find
	delete(m.at, i.key)
	m.bytes -= len(i.key) + len(i.value)
}
