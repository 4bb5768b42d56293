package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A batch boards when it is judged on top of one that is still flying: what needs
// no lock of the head is done on a connection of its own while those below work
// on their totals and commit. That is its rows, which are only ever added, and the
// balances of accounts that none of those below touches; most of the work, and
// the server does it for several batches at once. The rest waits until the batch
// below is committed, and the head is still where it left it. The head is never
// waited for: whoever holds it may be waiting for rows of this batch.
var (
	errOvertaken = errors.New("another process booked in between")
	errGrounded  = errors.New("the batch below failed")
)

// boarding says when batches board.
type boarding struct {
	// after is how many batches nobody else must have disturbed: what was written
	// for nothing is waste that the server has to clean up.
	after int
	// least is the least batch for which another connection pays.
	least int
	// most is how many batches may board at once.
	most int
}

func usualBoarding() boarding { return boarding{after: 8, least: 32, most: 2} }

// allLate is a round before every other: no balance is written early.
const allLate = -1

// worthBoarding reports whether what is judged should set off: it is a fair share
// of everything that is under way, so whoever asks again after an answer goes with
// a batch of that size again.
func (c *committer) worthBoarding() bool {
	n, under := len(c.next.batch), len(c.flying.batch)
	for _, f := range c.boarding {
		under += len(f.batch)
	}
	return len(c.boarding) < c.boards.most && n >= c.boards.least && c.boards.most*n >= under &&
		len(c.book.heads) > 0 && c.undisturbed >= c.boards.after
}

// board sends off what is judged, and begins the batch after it.
func (c *committer) board() {
	p := c.next
	f := newFlight(p.batch, c.book.round, p.on)
	f.writer = c.takeWriter()
	f.after = f.writer.encode(c.book, p.on, p.sitting.now, c.landed)
	c.book.confirm(f.after)
	c.boarding = append(c.boarding, f)
	c.prepare(f.after)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.batch[0].ctx), c.cfg.BatchTime)
	pool := c.cfg.Pool
	go func() {
		defer cancel()
		f.result <- flyBoarded(ctx, pool, f, p)
	}()
}

// depart lets the batch go that boarded first, on top of one that is committed.
func (c *committer) depart() {
	c.flying, c.boarding = c.boarding[0], c.boarding[1:]
	c.undisturbed++
	c.flying.clear <- true
}

// ground gives up whatever was judged on top of a batch that failed, and returns
// it, to be judged again.
func (c *committer) ground() (void [][]*request) {
	for _, f := range c.boarding {
		f.clear <- false
	}
	for _, f := range c.boarding {
		<-f.result //nolint:errcheck // whatever it was, nothing of it is kept
		void = append(void, f.batch)
	}
	c.boarding = nil
	if p := c.next; p != nil && len(p.batch) > 0 {
		void = append(void, p.batch)
	}
	c.next = nil
	return void
}

// boardQuery begins a batch that boards. Nobody of this process changes the rows
// that it changes early; where somebody of another does, it gives way.
const boardQuery = beginQuery + "; set local lock_timeout = '500ms'"

// flyBoarded does what can be done early, waits for the batch below, and does the
// rest under the lock of the head. It touches nothing that the committer still
// changes.
func flyBoarded(ctx context.Context, pool *pgxpool.Pool, f *flight, p *prepared) error {
	conn, tx, err := beginBoarded(ctx, pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	defer func() { _ = tx.Rollback(ctx) }() // after a commit this does nothing
	early := f.writer.goAhead(ctx, conn.Conn())
	if !<-f.clear {
		return errGrounded
	}
	totals, err := f.writer.script(ctx, conn.Conn(), &p.on)
	switch {
	case isLockTimeout(early):
		return errOvertaken
	case early != nil && !errors.Is(early, errLostUpdate):
		return early
	case err != nil:
		return err
	case early != nil:
		totals = totals[:1] // was it another process, which has moved the head?
	}
	if err := errors.Join(totals.run(ctx, conn.Conn().PgConn()), early); err != nil {
		return err
	}
	if err := p.sitting.settleDoubts(ctx, tx); err != nil {
		return err
	}
	return f.commit(ctx, tx)
}

func beginBoarded(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, pgx.Tx, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("take connection: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: boardQuery})
	if err != nil {
		conn.Release()
		return nil, nil, fmt.Errorf("begin batch: %w", err)
	}
	return conn, tx, nil
}

// goAhead does what needs no lock of the head.
func (w *writer) goAhead(ctx context.Context, conn *pgx.Conn) error {
	if err := w.sendRows(ctx, conn.PgConn()); err != nil {
		return err
	}
	early, err := w.ahead(ctx, conn)
	if err != nil {
		return err
	}
	return early.run(ctx, conn.PgConn())
}

func isLockTimeout(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == lockNotAvailable
}
