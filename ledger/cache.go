package ledger

// cache is a bounded map in two generations: when the young one is full it
// becomes the old one, and what was not asked for since is dropped. Nothing is
// dropped between two calls of age, so entries are stable within a batch.
type cache[K comparable, V any] struct {
	limit      int
	young, old map[K]V
}

func newCache[K comparable, V any](entries int) *cache[K, V] {
	return &cache[K, V]{limit: max(entries/2, 1), young: map[K]V{}}
}

func (c *cache[K, V]) find(k K) (V, bool) {
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.young[k] = v
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) { c.young[k] = v }

func (c *cache[K, V]) remove(k K) {
	delete(c.young, k)
	delete(c.old, k)
}

// age makes room where the young generation is full.
func (c *cache[K, V]) age() {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, map[K]V{}
	}
}

func (c *cache[K, V]) clear() { c.young, c.old = map[K]V{}, nil }
