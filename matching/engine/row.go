package engine

// order is the row of an order that waits or is being taken in: 64 bytes, one line of
// the cache, no pointer. Places are indices into Engine.rows; zero is none. What few
// orders have lies in an extra.
type order struct {
	price            int64 // where it stands: the limit; of a stop its trigger
	qty              int64 // what remains, hidden lots too
	age              uint64
	next, prev       uint32 // queue of its price; next is also the list of free places
	accNext, accPrev uint32 // orders of its account by age
	account          uint32
	gen              uint32 // how often the place was used before
	extra            uint32
	key              uint32 // entry of its client id
	market           uint16
	bits             uint16
	page             uint32 // of its price, where it is in a queue: place in Engine.made
}

// Bits of an order.
const (
	bitSell    = 1 << 0
	shiftType  = 1
	shiftSTP   = 4
	maskThree  = 7
	bitPost    = 1 << 7
	bitSlide   = 1 << 8
	bitMMP     = 1 << 9
	bitSession = 1 << 10
	bitMid     = 1 << 11
	bitBook    = 1 << 12 // stands in the book
	bitStop    = 1 << 13 // waits as a stop
	bitLive    = 1 << 15
)

func (o *order) side() Side { return Side(o.bits & bitSell) }
func (o *order) kind() Type { return Type(o.bits >> shiftType & maskThree) }
func (o *order) stp() STP   { return STP(o.bits >> shiftSTP & maskThree) }
func (o *order) setKind(t Type) {
	o.bits = o.bits&^(maskThree<<shiftType) | uint16(t)<<shiftType
}

// id is what others call the order at place p.
func (o *order) id(p uint32) OrderID { return OrderID(o.gen)<<32 | OrderID(p) }

// orderBits packs what a command says about an order.
func orderBits(c *Command, t Type) uint16 {
	b := uint16(c.Side) | uint16(t)<<shiftType | uint16(c.STP)<<shiftSTP | bitLive
	if c.Flags == 0 {
		return b
	}
	for _, f := range [...]struct {
		flag Flags
		bit  uint16
	}{{PostOnly, bitPost}, {Slide, bitSlide}, {MMP, bitMMP}, {OnDisconnect, bitSession}, {PegMid, bitMid}} {
		if c.Flags&f.flag != 0 {
			b |= f.bit
		}
	}
	return b
}

// extra is what icebergs, stops, pegs, halves of OCOs, brackets and orders with an end
// or a session have beside their row.
type extra struct {
	shown, display int64
	limit          int64 // of a peg; what a stop will have
	offset         int64
	hold           int64 // price at which a buy reserves
	expires        int64
	takeProfit     int64 // of a bracket; zero for none
	stopLoss       int64
	stopLossLimit  int64
	received       Amount
	heap           uint32 // place in the heap of ends, plus one
	sibling        uint32
	session        uint32
	sesNext        uint32 // orders of its session by age; sesNext is also the list of free extras
	sesPrev        uint32
	bare           bool // reserves nothing: its sibling does
}

// alloc takes a place: the one freed last, else the next never used. The caller has
// made sure that there is one.
func (e *Engine) alloc() uint32 {
	p := e.free
	if p != 0 {
		e.free = e.rows[p].next
	} else {
		e.fresh++
		p = e.fresh
	}
	e.live++
	return p
}

// release gives a place back.
func (e *Engine) freePlace(p uint32) {
	o := &e.rows[p]
	o.bits = 0
	o.gen++
	o.next = e.free
	e.free = p
	e.live--
}

// lend gives the order at p an extra and returns it. Extras move when their slab
// grows: nobody keeps a pointer to one over a call.
func (e *Engine) lend(p uint32) *extra {
	i := e.extraFree
	if i != 0 {
		e.extraFree = e.extras[i].sesNext
		e.extras[i] = extra{}
	} else {
		i = uint32(len(e.extras))
		e.extras = append(e.extras, extra{})
	}
	e.rows[p].extra = i
	return &e.extras[i]
}

// enlist appends an order to its account's.
func (e *Engine) enlist(p uint32, o *order) {
	a := &e.accounts[o.account]
	o.accNext, o.accPrev = 0, a.tail
	if a.tail != 0 {
		e.rows[a.tail].accNext = p
	} else {
		a.head = p
	}
	a.tail = p
}

func (e *Engine) delist(o *order) {
	a := &e.accounts[o.account]
	if o.accPrev != 0 {
		e.rows[o.accPrev].accNext = o.accNext
	} else {
		a.head = o.accNext
	}
	if o.accNext != 0 {
		e.rows[o.accNext].accPrev = o.accPrev
	} else {
		a.tail = o.accPrev
	}
}

// shown is what others may see of an order in the book.
func (e *Engine) shown(o *order) int64 {
	if o.extra != 0 {
		if x := &e.extras[o.extra]; x.display != 0 {
			return x.shown
		}
	}
	return o.qty
}
