package feed

import "strongroom/matching/engine"

// Best returns the best price of each side, zero where a side is empty.
func (m *Market) Best() (bid, ask int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.book.Top(engine.Buy, 1); len(l) > 0 {
		bid = l[0].Price
	}
	if l := m.book.Top(engine.Sell, 1); len(l) > 0 {
		ask = l[0].Price
	}
	return bid, ask
}
