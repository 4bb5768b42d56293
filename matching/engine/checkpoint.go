package engine

// What a checkpoint looks at, so that it takes less than a millisecond however much a
// shard holds. Over many checkpoints all of it comes to its turn.
const (
	// CheckPlaces is how many places of orders it looks at.
	CheckPlaces = 1024
	// CheckMarkets is how many markets it looks at.
	CheckMarkets = 64
)

// maxUnsummed bounds the balances that changed and are not in the sum yet.
const maxUnsummed = 1024

// CheckTurn returns the part [from, to) of n things, of which a checkpoint looks at
// most, that has its turn where the last event before is seq.
func CheckTurn(seq, n, most uint64) (from, to uint64) {
	if n <= most {
		return 0, n
	}
	parts := (n + most - 1) / most
	from = Key{Lo: seq}.hash(0) % parts * most
	return from, min(n, from+most)
}

// checkpoint tells digests of the balances, and of what has its turn: the clock,
// markets by id, and orders by place, each with the one before it in its queue.
func (e *Engine) checkpoint() {
	var d Digester
	d.State(e.clockRow())
	from, to := CheckTurn(e.seq, uint64(len(e.markets)), CheckMarkets)
	for i := from; i < to; i++ {
		if m := &e.markets[i]; m.made {
			d.State(m.row())
		}
	}
	var row OrderRow
	from, to = CheckTurn(e.seq, uint64(e.fresh), CheckPlaces)
	for p := uint32(from) + 1; p <= uint32(to); p++ {
		o := &e.rows[p]
		if o.bits&bitLive == 0 {
			continue
		}
		e.orderRow(p, &row)
		d.Order(&row)
		ahead := OrderID(0)
		if o.bits&(bitBook|bitStop) != 0 && o.prev != 0 {
			ahead = e.rows[o.prev].id(o.prev)
		}
		d.Behind(ahead)
	}
	e.sumUp()
	ev := e.emit(EventCheckpoint)
	ev.Digest, ev.Balances = d.Sum(), e.sum
}

// Behind takes in which order stands before the last one in its queue; zero for none.
func (d *Digester) Behind(id OrderID) { d.words(uint64(id)) }

// unsum takes a balance that is about to change out of the sum of balances. There is
// room for it.
func (e *Engine) unsum(account uint32, asset AssetID) *balance {
	i := uint64(account)*uint64(e.cfg.Assets) + uint64(asset)
	b := &e.balances[i]
	if w, bit := i>>6, uint64(1)<<(i&63); e.changed[w]&bit == 0 {
		e.changed[w] |= bit
		e.unsummed = append(e.unsummed, uint32(i))
		e.sum -= b.hash(account, asset)
	}
	return b
}

// roomToUnsum sees to it that so many balances can be taken out of the sum.
func (e *Engine) roomToUnsum(n int) {
	if len(e.unsummed) > maxUnsummed-n {
		e.sumUp()
	}
}

// sumUp puts all balances into the sum again.
func (e *Engine) sumUp() {
	assets := uint32(e.cfg.Assets)
	for _, i := range e.unsummed {
		e.changed[i>>6] &^= 1 << (i & 63)
		e.sum += e.balances[i].hash(i/assets, AssetID(i%assets))
	}
	e.unsummed = e.unsummed[:0]
}

// sumAll computes the sum anew.
func (e *Engine) sumAll() {
	e.sum = 0
	for i := range e.balances {
		e.sum += e.balances[i].hash(uint32(uint64(i)/uint64(e.cfg.Assets)), AssetID(uint64(i)%uint64(e.cfg.Assets)))
	}
}

func (b *balance) hash(account uint32, asset AssetID) uint64 {
	total := b.available
	total.add(b.reserved)
	return BalanceHash(AccountID(account), asset, total)
}
