package engine

// clock finds when the first auction or halt of all markets ends.
func (e *Engine) clock() {
	e.timer = never
	for i := range e.markets {
		if u := e.markets[i].until; u != 0 && u < e.timer {
			e.timer = u
		}
	}
	e.due = min(e.timer, e.firstEnd())
}

func (e *Engine) firstEnd() int64 {
	if len(e.ends) == 0 {
		return never
	}
	return e.expiry(e.ends[0])
}

func (e *Engine) expiry(p uint32) int64 { return e.extras[e.rows[p].extra].expires }

// advance lets time pass until to, and all that is due until then happen.
// The last moment that an int64 holds never comes.
func (e *Engine) advance(to int64) {
	for e.due <= to && e.due != never {
		e.now = max(e.now, e.due)
		e.forget()
		e.dueNow()
		e.settleDown()
	}
	if to > e.now {
		e.now = to
		e.forget()
	}
}

// dueNow lets the first thing that is due happen.
func (e *Engine) dueNow() {
	for i := range e.markets {
		m := &e.markets[i]
		if m.until == 0 || m.until > e.due {
			continue
		}
		switch {
		case m.state == Auction:
			e.uncross(m)
			e.turn(m, m.next, Closed, 0, CodeAuctionEnd)
		case m.cfg.HaltFor != 0:
			e.turn(m, Auction, Open, e.later(m.cfg.HaltFor), CodeHaltEnd)
		default:
			e.uncross(m)
			e.turn(m, Open, Closed, 0, CodeHaltEnd)
		}
		return
	}
	e.cancel(e.ends[0], CodeExpired)
}

// earlier orders the heap of ends.
func (e *Engine) earlier(p, q uint32) bool {
	a, b := e.expiry(p), e.expiry(q)
	return a < b || a == b && e.rows[p].id(p) < e.rows[q].id(q)
}

func (e *Engine) setEnd(i int, p uint32) {
	e.ends[i] = p
	e.extras[e.rows[p].extra].heap = uint32(i) + 1
}

func (e *Engine) pushEnd(p uint32) {
	e.ends = append(e.ends, p)
	e.rise(len(e.ends)-1, p)
	e.due = min(e.timer, e.firstEnd())
}

// rise moves p, to be set at i, up to where it belongs.
func (e *Engine) rise(i int, p uint32) {
	for i > 0 {
		up := (i - 1) / 2
		if !e.earlier(p, e.ends[up]) {
			break
		}
		e.setEnd(i, e.ends[up])
		i = up
	}
	e.setEnd(i, p)
}

// sink moves p, to be set at i, down to where it belongs.
func (e *Engine) sink(i int, p uint32) {
	n := len(e.ends)
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && e.earlier(e.ends[down+1], e.ends[down]) {
			down++
		}
		if !e.earlier(e.ends[down], p) {
			break
		}
		e.setEnd(i, e.ends[down])
		i = down
	}
	e.setEnd(i, p)
}

func (e *Engine) removeEnd(at uint32) {
	i := int(at)
	e.extras[e.rows[e.ends[i]].extra].heap = 0
	last := len(e.ends) - 1
	p := e.ends[last]
	e.ends = e.ends[:last]
	if i != last {
		if i > 0 && e.earlier(p, e.ends[(i-1)/2]) {
			e.rise(i, p)
		} else {
			e.sink(i, p)
		}
	}
	if i == 0 {
		e.due = min(e.timer, e.firstEnd())
	}
}
