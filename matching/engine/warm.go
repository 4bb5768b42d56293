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
	sum += e.warmOrders(commands)
	e.warmed += sum
}

// warmOrders reads the rows of the orders that commands name, and then what taking them out of
// their queues touches: their neighbours and the level.
func (e *Engine) warmOrders(commands []Command) (sum uint64) {
	last := uint64(len(e.rows))
	for i := range commands {
		if p := uint64(uint32(commands[i].Order)); p != 0 && p < last {
			sum += e.rows[p].age
		}
	}
	for i := range commands {
		p := uint64(uint32(commands[i].Order))
		if p == 0 || p >= last || e.rows[p].bits&bitBook == 0 {
			continue
		}
		o := &e.rows[p]
		rank := o.price ^ e.markets[o.market].book[o.side()].flip
		sum += uint64(e.made[o.page].levels[rank&(pageTicks-1)].head)
		sum += e.rows[o.next].age + e.rows[o.prev].age + e.rows[o.accNext].age + e.rows[o.accPrev].age
	}
	return sum
}
