package engine

// DepthLevel is one price of a book: what it shows, and how many lots.
type DepthLevel struct{ Price, Qty int64 }

// Depth appends the best n levels of a side to out. An unknown market has none.
func (e *Engine) Depth(id MarketID, side Side, n int, out []DepthLevel) []DepthLevel {
	m := e.known(id)
	if m == nil || side > Sell {
		return out
	}
	l := &m.book[side]
	for rank, ok := l.best, l.n != 0; ok && n > 0; rank, ok = l.below(rank) {
		out = append(out, DepthLevel{rank ^ l.flip, l.at(rank).qty})
		n--
	}
	return out
}

// MarketRow is how a market stands; ok is false for one that was not made.
func (e *Engine) MarketRow(id MarketID) (row StateRow, ok bool) {
	m := e.known(id)
	if m == nil {
		return StateRow{}, false
	}
	return StateRow{Kind: RowMarket, Market: m.id, Config: m.cfg, State: m.state, Next: m.next, Time: m.until, Last: m.last, Reference: m.ref, Traded: m.traded}, true
}

// Orders appends what waits of an account to out, oldest first.
func (e *Engine) Orders(id AccountID, out []OrderRow) []OrderRow {
	if uint64(id) >= uint64(len(e.accounts)) {
		return out
	}
	for p := e.accounts[id].head; p != 0; p = e.rows[p].accNext {
		out = append(out, OrderRow{})
		e.orderRow(p, &out[len(out)-1])
	}
	return out
}

// Balance returns what an account has of an asset; nothing for unknown ones.
func (e *Engine) Balance(id AccountID, asset AssetID) (available, reserved Amount) {
	if uint64(id) >= uint64(len(e.accounts)) || uint16(asset) >= e.cfg.Assets {
		return Amount{}, Amount{}
	}
	b := e.balance(uint32(id), asset)
	return b.available, b.reserved
}

// Seq returns the number of the last event, and Now the log time.
func (e *Engine) Seq() uint64 { return e.seq }

// Now returns the log time of the last command, in ns.
func (e *Engine) Now() int64 { return e.now }
