package feed

import "strongroom/matching/engine"

// best are the best prices as of some batch of events.
type best struct {
	known    bool
	bid, ask int64
}

// Best returns the best price of each side, zero where a side is empty. It looks through
// the levels once for all readers that ask between two batches of events.
func (m *Market) Best() (bid, ask int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.best.known {
		m.best = best{known: true}
		for price := range m.book.sides[engine.Buy] {
			m.best.bid = max(m.best.bid, price)
		}
		for price := range m.book.sides[engine.Sell] {
			if m.best.ask == 0 || price < m.best.ask {
				m.best.ask = price
			}
		}
	}
	return m.best.bid, m.best.ask
}
