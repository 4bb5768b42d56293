package naive

import "strongroom/matching/engine"

// hasPages reports whether n more orders may stand at prices of their own: pages in use,
// one more for each stop and peg, and two for what a bracket will place.
func (e *Engine) hasPages(n int) bool {
	if e.cfg.Pages == 0 || n == 0 {
		return true
	}
	type page struct {
		market *market
		side   engine.Side
		stop   bool
		prices int64
	}
	used := map[page]bool{}
	for _, o := range e.orders {
		if o.place() != 0 {
			used[page{o.market, o.side, o.waitsForPrice(), o.place() / engine.PageTicks}] = true
		}
		if o.waitsForPrice() || o.isPeg() {
			n++
		}
		if o.flags&engine.Bracket != 0 {
			n += 2
		}
	}
	return n+len(used) <= int(e.cfg.Pages)
}

// pages is how many pages o may come to need, with its sibling.
func (o *order) pages() (n int) {
	if o.mayRest() {
		n = 1
	}
	if o.sibling != nil {
		n++
	}
	if o.flags&engine.Bracket != 0 {
		n += 2
	}
	return n
}
