package feed

import "strongroom/matching/engine"

// Best returns the best price of each side, zero where a side is empty.
func (m *Market) Best() (bid, ask int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for price := range m.book.sides[engine.Buy] {
		bid = max(bid, price)
	}
	for price := range m.book.sides[engine.Sell] {
		if ask == 0 || price < ask {
			ask = price
		}
	}
	return bid, ask
}
