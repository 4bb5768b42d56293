package engine

// WarmBlock is how many commands Warm takes at most.
const WarmBlock = 64

// Warm reads what commands will need from memory before any of them is applied. What a
// command needs lies in places that have nothing to do with one another, and each step
// of it waits for the one before; read together, the processor waits for many of them
// at once. It changes nothing that anybody can see, and is worth it where the books
// are larger than the processor's caches.
func (e *Engine) Warm(commands []Command) {
	if len(commands) > WarmBlock {
		commands = commands[:WarmBlock]
	}
	sum := uint64(0)
	for i := range commands { // what the command itself names
		c := &commands[i]
		if p := uint32(c.Order); p != 0 && p <= e.fresh {
			sum += e.rows[p].age
		}
		if int(c.Market) < len(e.markets) {
			m := &e.markets[c.Market]
			sum += uint64(m.cfg.MaxQty) + uint64(m.state) + uint64(m.book[Buy].n+m.book[Sell].n)
		}
		if int(c.Account) < len(e.accounts) {
			sum += uint64(e.accounts[c.Account].tail)
		}
	}
	for i := range commands { // what these name: neighbours, and the level
		c := &commands[i]
		if p := uint32(c.Order); p != 0 && p <= e.fresh {
			o := &e.rows[p]
			sum += e.rows[o.prev].age + e.rows[o.next].age + e.rows[o.accPrev].age + e.rows[o.accNext].age
			if int(o.market) < len(e.markets) && o.bits&bitBook != 0 {
				sum += e.markets[o.market].book[o.side()].look(o.price)
			}
		}
		if c.Op == OpNew && int(c.Market) < len(e.markets) && c.Side <= Sell {
			sum += e.markets[c.Market].book[c.Side].look(c.Price)
			sum += e.markets[c.Market].book[c.Side^1].peek()
		}
	}
	e.warmed += sum
}

// look reads the level of a price, if its page is there, and returns what is in it.
func (l *ladder) look(price int64) uint64 {
	rank := price ^ l.flip
	i, ok := l.find(rank >> pageBits)
	if !ok {
		return 0
	}
	return uint64(l.refs[i].levels[rank&(pageTicks-1)].tail)
}

// peek reads the best level, if there is one.
func (l *ladder) peek() uint64 {
	if l.n == 0 {
		return 0
	}
	return uint64(l.top().head)
}
