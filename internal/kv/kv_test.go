package kv_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"

	"strongroom/internal/kv"
)

// clock is moved by hand.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// stores are both, with what lets time pass in them.
func stores(tb testing.TB) map[string]func() (kv.Store, func(time.Duration)) {
	tb.Helper()
	return map[string]func() (kv.Store, func(time.Duration)){
		"memory": func() (kv.Store, func(time.Duration)) {
			c := &clock{time.Unix(1_700_000_000, 0)}
			s, err := kv.Open("", "", c.read)
			if err != nil {
				tb.Fatal(err)
			}
			return s, func(d time.Duration) { c.now = c.now.Add(d) }
		},
		"redis": func() (kv.Store, func(time.Duration)) {
			server := miniredis.RunT(tb)
			s, err := kv.Open("redis://"+server.Addr()+"/0", "strongroom/", nil)
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { _ = s.Close() })
			return s, server.FastForward
		},
	}
}

// TestBothDoTheSame runs random sequences against a plain map with ends.
func TestBothDoTheSame(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s, pass := open()
			type kept struct {
				value string
				until time.Duration
			}
			now, run := time.Duration(0), 0
			rapid.Check(t, func(r *rapid.T) {
				run++
				model := map[string]kept{}
				for range rapid.IntRange(1, 30).Draw(r, "steps") {
					key := strconv.Itoa(run) + "/" + rapid.StringMatching(`[a-c]`).Draw(r, "key")
					switch rapid.IntRange(0, 5).Draw(r, "what") {
					case 0:
						value, ttl := rapid.String().Draw(r, "value"), time.Duration(rapid.IntRange(1, 20).Draw(r, "ttl"))*time.Second
						if err := s.Set(t.Context(), key, []byte(value), ttl); err != nil {
							r.Fatal(err)
						}
						model[key] = kept{value, now + ttl}
					case 3:
						value, was := rapid.String().Draw(r, "value"), model[key]
						err := s.Replace(t.Context(), key, []byte(value), 5*time.Second)
						if ok := now < was.until; ok != (err == nil) || !ok && !errors.Is(err, kv.ErrMissing) {
							r.Fatalf("replace %s: %v, want %t", key, err, ok)
						}
						if err == nil {
							model[key] = kept{value, now + 5*time.Second}
						}
					case 1:
						if err := s.Delete(t.Context(), key); err != nil {
							r.Fatal(err)
						}
						delete(model, key)
					case 2:
						d := time.Duration(rapid.IntRange(1, 10).Draw(r, "pass")) * time.Second
						pass(d)
						now += d
					default:
						read, takes := s.Get, rapid.Bool().Draw(r, "takes")
						if takes {
							read = s.Take
						}
						got, err := read(t.Context(), key)
						want, ok := model[key]
						if takes {
							delete(model, key)
						}
						if ok = ok && now < want.until; ok != (err == nil) || ok && string(got) != want.value || !ok && !errors.Is(err, kv.ErrMissing) {
							r.Fatalf("%s is %q, %v; want %q, %t", key, got, err, want.value, ok)
						}
					}
				}
			})
		})
	}
}

// TestOneOfManyTakes lets many take the same keys at once, through connections of their own
// where there are any.
func TestOneOfManyTakes(t *testing.T) {
	const keys, takers = 50, 8
	server := miniredis.RunT(t)
	for name, open := range map[string]func(kv.Store) (kv.Store, error){
		"memory": func(first kv.Store) (kv.Store, error) {
			if first != nil {
				return first, nil
			}
			return kv.Open("", "", (&clock{time.Unix(1, 0)}).read)
		},
		"redis": func(kv.Store) (kv.Store, error) { return kv.Open("redis://"+server.Addr(), "strongroom/", nil) },
	} {
		var stores [takers]kv.Store
		var err error
		for i := range stores {
			if stores[i], err = open(stores[0]); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stores[i].Close() }()
		}
		for k := range keys {
			if err := stores[0].Set(t.Context(), strconv.Itoa(k), []byte{byte(k)}, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		var taken [keys]atomic.Int32
		var all sync.WaitGroup
		for i := range stores {
			all.Go(func() {
				for k := range keys {
					value, err := stores[i].Take(t.Context(), strconv.Itoa(k))
					switch {
					case err == nil && bytes.Equal(value, []byte{byte(k)}):
						taken[k].Add(1)
					case !errors.Is(err, kv.ErrMissing):
						t.Errorf("%s: take %d: %v, %v", name, k, value, err)
					}
				}
			})
		}
		all.Wait()
		for k := range taken {
			if n := taken[k].Load(); n != 1 {
				t.Errorf("%s: %d was taken %d times", name, k, n)
			}
		}
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	for name, open := range stores(t) {
		s, _ := open()
		for what, err := range map[string]error{
			"no key":    s.Set(t.Context(), "", nil, time.Second),
			"long key":  s.Set(t.Context(), strings.Repeat("k", kv.MaxKeyBytes+1), nil, time.Second),
			"no time":   s.Set(t.Context(), "k", nil, 0),
			"instead":   s.Replace(t.Context(), "", nil, time.Second),
			"big value": s.Set(t.Context(), "k", make([]byte, kv.MaxValueBytes+1), time.Second),
		} {
			if !errors.Is(err, kv.ErrInvalid) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		if err := s.Set(t.Context(), "k", []byte{0, 255}, time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, []byte{0, 255}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestMemoryForgetsTheOldestFirst(t *testing.T) {
	c := &clock{time.Unix(1, 0)}
	m, err := kv.NewMemory(kv.MemoryConfig{Keys: 3, Bytes: 100, Clock: c.read})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c", "a", "d"} {
		if err := m.Set(t.Context(), key, []byte(key), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Get(t.Context(), "b"); !errors.Is(err, kv.ErrMissing) || m.Len() != 3 {
		t.Errorf("%d keys, %v", m.Len(), err)
	}
	if err := m.Set(t.Context(), "e", make([]byte, 97), time.Hour); err != nil || m.Len() != 2 {
		t.Errorf("%d keys, %v", m.Len(), err)
	}
	if err := m.Set(t.Context(), "f", make([]byte, 100), time.Hour); !errors.Is(err, kv.ErrInvalid) {
		t.Error(err)
	}
	if got, err := m.Get(t.Context(), "d"); err != nil || string(got) != "d" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestARedisThatIsAwayIsNoMissingKey(t *testing.T) {
	server := miniredis.RunT(t)
	s, err := kv.NewRedis(kv.RedisConfig{URL: "redis://" + server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server.Close()
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrMissing) {
		t.Error(err)
	}
	if _, err := s.Take(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrMissing) {
		t.Error(err)
	}
	if err := s.Replace(t.Context(), "k", nil, time.Second); !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrMissing) {
		t.Error(err)
	}
	if _, err := kv.Open("http://secret@x", "", nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
