package ledger

// cache is a bounded map. What is too much is dropped at random by age, so
// entries are stable within a batch, and a cache as large as what it is asked
// for never drops anything.
type cache[K comparable, V any] struct {
	limit   int
	entries map[K]V
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: max(limit, 1), entries: map[K]V{}}
}

func (c *cache[K, V]) find(k K) (V, bool) {
	v, ok := c.entries[k]
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) { c.entries[k] = v }

func (c *cache[K, V]) remove(k K) { delete(c.entries, k) }

// age brings the cache back within its limit: a map is walked from a random
// place.
func (c *cache[K, V]) age() {
	for k := range c.entries {
		if len(c.entries) <= c.limit {
			return
		}
		delete(c.entries, k)
	}
}

func (c *cache[K, V]) clear() { c.entries = map[K]V{} }
