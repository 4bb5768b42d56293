package engine

import (
	"math"
	"math/bits"
)

// settleDown does what a step has left to do, in each market that it touched.
func (e *Engine) settleDown() {
	for len(e.dirty) != 0 {
		m := &e.markets[e.dirty[0]]
		e.finish(m)
		m.touched = false
		e.dirty = append(e.dirty[:0], e.dirty[1:]...)
	}
}

// finish is the end of a step in one market: protection, brackets, stops, pegs.
func (e *Engine) finish(m *market) {
	for {
		if len(e.tripped) != 0 {
			id := e.tripped[0]
			e.tripped = append(e.tripped[:0], e.tripped[1:]...)
			e.protect(id)
			continue
		}
		if len(e.finished) != 0 {
			if f, ok := e.nextAfter(m); ok {
				e.placeAfter(m, &f)
				continue
			}
		}
		if m.state != Open {
			break
		}
		if len(m.trails) != 0 {
			e.moveTrails(m)
		}
		p := m.nextStop()
		if p == 0 {
			break
		}
		e.trigger(m, p)
	}
	if len(m.pegs) != 0 && (m.state == Open || m.state == PostOnlyState) {
		e.movePegs(m)
	}
	if m.ref != m.last {
		m.refer()
	}
}

// refer makes the last trade the centre of the dynamic band.
func (m *market) refer() {
	m.ref = m.last
	m.low, m.high = math.MinInt64, math.MaxInt64
	if m.ref == 0 || m.cfg.DynamicPPM == 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(m.ref), uint64(m.cfg.DynamicPPM))
	by, _ := Amount{hi, lo}.over(Amount{0, PPM}, math.MaxInt64)
	m.low = m.ref - by
	if m.ref <= math.MaxInt64-by {
		m.high = m.ref + by
	}
}

// halt stops matching in a market because of a price.
func (e *Engine) halt(m *market, code Code) {
	to, until := Auction, int64(0)
	if m.cfg.HaltFor != 0 {
		until = e.later(m.cfg.HaltFor)
	}
	if code == CodeBreaker || m.cfg.HaltFor == 0 {
		to = Halted
	}
	e.turn(m, to, Open, until, code)
}

// later returns the time that lies by after now.
func (e *Engine) later(by int64) int64 {
	if e.now > never-by {
		return never
	}
	return e.now + by
}

// turn gives a market a state.
func (e *Engine) turn(m *market, to, next State, until int64, code Code) {
	m.state, m.next, m.until = to, next, until
	if to != Auction {
		m.next = Closed
	}
	e.clock()
	e.touch(m)
	ev := e.emit(EventState)
	ev.Market, ev.State, ev.Code, ev.Until = m.id, to, code, until
}
