package naive

import "strongroom/matching/engine"

// checkpoint tells digests of all balances, and of the markets and orders that have
// their turn.
func (e *Engine) checkpoint() {
	var balances engine.BalanceDigester
	e.Walk(&balances)
	var d engine.Digester
	d.State(&engine.StateRow{Kind: engine.RowClock, Time: e.clock, Seq: e.seq, Ages: e.accepted})
	from, to := engine.CheckTurn(e.seq, uint64(e.cfg.Markets), engine.CheckMarkets)
	for _, m := range e.markets {
		if from <= uint64(m.id) && uint64(m.id) < to {
			d.State(e.marketRow(m))
		}
	}
	from, to = engine.CheckTurn(e.seq, e.places, engine.CheckPlaces)
	for place := from + 1; place <= to; place++ {
		for _, o := range e.orders {
			if uint64(uint32(o.id)) == place {
				d.Order(o.row())
				d.Behind(e.ahead(o))
			}
		}
	}
	e.emit(engine.Event{Kind: engine.EventCheckpoint, Digest: d.Sum(), Balances: balances.Sum()})
}

// ahead is the order that stands before o in the queue of its price.
func (e *Engine) ahead(o *order) (id engine.OrderID) {
	last := uint64(0)
	for _, other := range e.orders {
		if other.market == o.market && other.side == o.side && other.place() == o.place() && o.place() != 0 &&
			other.waitsForPrice() == o.waitsForPrice() && other.queued < o.queued && other.queued > last {
			id, last = other.id, other.queued
		}
	}
	return id
}

// place is the price at which o waits, in the book or as a stop; zero for nowhere.
func (o *order) place() int64 {
	switch {
	case o.waitsForPrice():
		return o.trigger
	case o.inBook:
		return o.at
	}
	return 0
}
