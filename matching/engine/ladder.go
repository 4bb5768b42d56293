package engine

import (
	"math/bits"
	"slices"

	"strongroom/internal/hugepage"
)

// pageBits is the size of a page of prices.
const (
	pageBits  = 7
	pageTicks = 1 << pageBits
	// PageTicks is how many neighbouring prices share a page of memory.
	PageTicks = pageTicks
	pageWords = pageTicks / 64
)

// fewRefs is room for the pages of a ladder that is there from the beginning.
const fewRefs = 16

// Pages are made so many at once, twice as many each time: the largest piece takes 8 MiB.
const (
	fewPages  = 8
	manyPages = 4096
)

// level is the queue of one price; qty is what it shows.
type level struct {
	head, tail uint32
	qty        int64
}

// page holds the levels of 128 neighbouring prices, and which of them are in use: a
// bit each, and a bit for each word of bits.
type page struct {
	used   [pageWords]uint64
	words  uint8
	no     uint32 // its place in Engine.made
	levels [pageTicks]level
}

type pageRef struct {
	key int64
	*page
}

// ladder is one side of a book. It is kept by rank: a price, or for the side where the
// lowest is best its complement, so that the best has always the highest rank.
type ladder struct {
	refs []pageRef // ascending; pages without a level are given back
	best int64     // rank
	n    int       // levels in use
	flip int64     // 0 or -1
	hint int
}

func (l *ladder) price() int64 { return l.best ^ l.flip }

// find returns the place of the page with key in refs, or where it would be.
func (l *ladder) find(key int64) (int, bool) {
	if l.hint < len(l.refs) && l.refs[l.hint].key == key {
		return l.hint, true
	}
	lo, hi := 0, len(l.refs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if l.refs[mid].key < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(l.refs) && l.refs[lo].key == key {
		l.hint = lo
		return lo, true
	}
	return lo, false
}

// at returns the level of a rank that is in use.
func (l *ladder) at(rank int64) *level {
	i, _ := l.find(rank >> pageBits)
	return &l.refs[i].levels[rank&(pageTicks-1)]
}

// top returns the best level.
func (l *ladder) top() *level {
	return &l.refs[len(l.refs)-1].levels[l.best&(pageTicks-1)]
}

// push appends order o at place p, which shows so many lots, to the queue of price.
func (e *Engine) push(l *ladder, p uint32, o *order, price, shown int64) {
	rank := price ^ l.flip
	key := rank >> pageBits
	i, ok := l.find(key)
	if !ok {
		l.refs = slices.Insert(l.refs, i, pageRef{key, e.newPage()})
		l.hint = i
	}
	pg := l.refs[i].page
	slot := rank & (pageTicks - 1)
	lv := &pg.levels[slot]
	o.page, o.next, o.prev = pg.no, 0, lv.tail
	if lv.tail != 0 {
		e.rows[lv.tail].next = p
		lv.tail = p
		lv.qty += shown
		return
	}
	lv.head, lv.tail, lv.qty = p, p, shown
	pg.used[slot>>6] |= 1 << (slot & 63)
	pg.words |= 1 << (slot >> 6)
	if l.n == 0 || rank > l.best {
		l.best = rank
	}
	l.n++
}

// pull takes an order out of the queue of price.
func (e *Engine) pull(l *ladder, o *order, price, shown int64) {
	rank := price ^ l.flip
	pg := e.made[o.page]
	slot := rank & (pageTicks - 1)
	lv := &pg.levels[slot]
	lv.qty -= shown
	if o.prev != 0 {
		e.rows[o.prev].next = o.next
	} else {
		lv.head = o.next
	}
	if o.next != 0 {
		e.rows[o.next].prev = o.prev
	} else {
		lv.tail = o.prev
	}
	if lv.head == 0 {
		e.clear(l, pg, slot, rank)
	}
}

// clear marks a level unused that has become empty, and finds the best where it was.
func (e *Engine) clear(l *ladder, pg *page, slot, rank int64) {
	l.n--
	if pg.used[slot>>6] &^= 1 << (slot & 63); pg.used[slot>>6] == 0 {
		if pg.words &^= 1 << (slot >> 6); pg.words == 0 {
			e.pages = append(e.pages, pg)
			e.pagesUsed--
			i, _ := l.find(rank >> pageBits)
			l.refs = slices.Delete(l.refs, i, i+1)
		}
	}
	if rank == l.best && l.n != 0 {
		l.best = l.refs[len(l.refs)-1].highest()
	}
}

func (r pageRef) highest() int64 {
	w := bits.Len8(r.words) - 1
	return r.key<<pageBits | int64(w<<6+bits.Len64(r.used[w])-1)
}

func (r pageRef) lowest() int64 {
	w := bits.TrailingZeros8(r.words)
	return r.key<<pageBits | int64(w<<6|bits.TrailingZeros64(r.used[w]))
}

// below returns the next rank in use under rank.
func (l *ladder) below(rank int64) (int64, bool) {
	i, ok := l.find(rank >> pageBits)
	if ok {
		r := l.refs[i]
		slot := rank & (pageTicks - 1)
		w := int(slot >> 6)
		if rest := r.used[w] & (1<<(slot&63) - 1); rest != 0 {
			return r.key<<pageBits | int64(w<<6+bits.Len64(rest)-1), true
		}
		if words := r.words & (1<<w - 1); words != 0 {
			w = bits.Len8(words) - 1
			return r.key<<pageBits | int64(w<<6+bits.Len64(r.used[w])-1), true
		}
	}
	if i == 0 {
		return 0, false
	}
	return l.refs[i-1].highest(), true
}

// newPage takes a page that is not in use, and makes some where there is none.
func (e *Engine) newPage() *page {
	e.pagesUsed++
	if n := len(e.pages); n > 0 {
		pg := e.pages[n-1]
		e.pages = e.pages[:n-1]
		return pg
	}
	e.pagesMade = min(max(2*e.pagesMade, fewPages), manyPages)
	made := hugepage.Make[page](e.pagesMade)
	for i := range made {
		made[i].no = uint32(len(e.made))
		e.made = append(e.made, &made[i])
	}
	for i := range made[1:] {
		e.pages = append(e.pages, &made[len(made)-1-i])
	}
	return &made[0]
}

// over returns the next rank in use over rank in this page.
func (r pageRef) over(rank int64) (int64, bool) {
	slot := int(rank&(pageTicks-1)) + 1
	for w := slot >> 6; w < pageWords; w++ {
		rest := r.used[w]
		if w == slot>>6 {
			rest &= ^uint64(0) << (slot & 63)
		}
		if rest != 0 {
			return r.key<<pageBits | int64(w<<6|bits.TrailingZeros64(rest)), true
		}
	}
	return 0, false
}
