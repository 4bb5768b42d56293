package ledger

// undoLog remembers what a batch changed, oldest first.
type undoLog struct {
	accounts  []savedAccount
	positions []savedPosition
	resolved  []*pending
	opened    []TransferID
	ids       []TransferID
	booked    []string
}

type savedAccount struct {
	account *account
	state   state
}

type savedPosition struct {
	position *position
	total    totals
}

// mark is a point to return to.
type mark struct {
	accounts, positions, resolved, opened, ids, booked, rows, heads int
	seq                                                             int64
}

func (u *undoLog) reset() {
	clear(u.accounts)
	u.accounts, u.positions, u.resolved = u.accounts[:0], u.positions[:0], u.resolved[:0]
	u.opened, u.ids, u.booked = u.opened[:0], u.ids[:0], u.booked[:0]
}

func (b *book) mark() mark {
	u := &b.undo
	return mark{
		accounts: len(u.accounts), positions: len(u.positions), resolved: len(u.resolved),
		opened: len(u.opened), ids: len(u.ids), booked: len(u.booked),
		rows: len(b.rows), heads: len(b.heads), seq: b.seq,
	}
}

// rollback returns the book to m. Newest changes go first, so that an account
// touched twice ends at its oldest state.
func (b *book) rollback(m mark) {
	u := &b.undo
	for i := len(u.accounts) - 1; i >= m.accounts; i-- {
		u.accounts[i].account.state = u.accounts[i].state
	}
	for i := len(u.positions) - 1; i >= m.positions; i-- {
		u.positions[i].position.total = u.positions[i].total
	}
	for _, p := range u.resolved[m.resolved:] {
		p.resolved = 0
	}
	for _, id := range u.opened[m.opened:] {
		b.pendings.remove(id)
	}
	for _, id := range u.ids[m.ids:] {
		delete(b.ids, id)
	}
	for _, id := range u.booked[m.booked:] {
		b.booked.remove(id)
	}
	u.accounts, u.positions = u.accounts[:m.accounts], u.positions[:m.positions]
	u.resolved, u.opened = u.resolved[:m.resolved], u.opened[:m.opened]
	u.ids, u.booked = u.ids[:m.ids], u.booked[:m.booked]
	b.rows, b.heads, b.seq = b.rows[:m.rows], b.heads[:m.heads], m.seq
}
