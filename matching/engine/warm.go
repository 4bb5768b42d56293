package engine

// WarmBlock is how many commands Warm takes at most.
const WarmBlock = 64

// Warm reads what commands will need of the table of client ids, of orders and of prices
// before any of them is applied: these are larger than the processor's caches, and what
// is needed lies all over them. Read together, the processor waits for many at once. It
// changes nothing that anybody can see.
func (e *Engine) Warm(commands []Command) {
	if len(commands) > WarmBlock {
		commands = commands[:WarmBlock]
	}
	e.warmed += e.warmKeys(commands) + e.warmOrders(commands)
}

// warmKeys reads the entries of client ids, and what they lead to.
func (e *Engine) warmKeys(commands []Command) uint64 {
	if e.keys.used < fewLive {
		return 0
	}
	sum, mask := uint64(0), uint64(len(e.keys.index)-1)
	for i := range commands {
		if c := &commands[i]; !c.Key.isZero() {
			sum += uint64(e.keys.index[c.Key.hash(uint32(c.Account))&mask])
		}
	}
	for i := range commands {
		if c := &commands[i]; c.Op != OpNew && !c.Key.isZero() {
			slot := e.keys.index[c.Key.hash(uint32(c.Account))&mask]
			sum += uint64(e.keys.list[slot&e.keys.entries].order)
		}
	}
	for i := range commands {
		if c := &commands[i]; c.Op != OpNew && !c.Key.isZero() {
			slot := e.keys.index[c.Key.hash(uint32(c.Account))&mask]
			if p := uint64(uint32(e.keys.list[slot&e.keys.entries].order)); p < uint64(len(e.rows)) {
				sum += e.rows[p].age
			}
		}
	}
	return sum
}

// fewLive is up to how many orders, or ids, what is in use fits a processor's own cache:
// reading ahead would only cost.
const fewLive = 1 << 14

// warmOrders reads the rows of the orders that commands name, and then what taking them out of
// their queues touches: their neighbours and the level. It asks nothing of a row, since
// the processor would guess the answers wrong: of a row that is free, and of row 0, which
// stands for no order, it reads something as well.
func (e *Engine) warmOrders(commands []Command) (sum uint64) {
	if e.live < fewLive || len(e.made) == 0 {
		return 0
	}
	last := uint64(len(e.rows)) - 1
	for i := range commands {
		sum += e.rows[min(uint64(uint32(commands[i].Order)), last)].age
	}
	for i := range commands {
		o := &e.rows[min(uint64(uint32(commands[i].Order)), last)]
		rank := o.price ^ e.markets[o.market].book[o.side()].flip
		sum += uint64(e.made[o.page].levels[rank&(pageTicks-1)].head)
		sum += e.rows[o.next].age + e.rows[o.prev].age + e.rows[o.accNext].age + e.rows[o.accPrev].age
	}
	return sum
}
