package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A batch boards when it is judged on top of one that is still flying: its rows
// go to the server on a second connection while the first one works on its
// totals and commits. Rows are only ever added, so they need no lock; the totals
// wait until the batch below is committed, and the head is still where it left
// it. The head is never waited for: whoever holds it may be waiting for rows of
// this batch that have the same numbers.
var (
	errOvertaken = errors.New("another process booked in between")
	errGrounded  = errors.New("the batch below failed")
)

// boarding says when batches board.
type boarding struct {
	// after is how many batches nobody else must have disturbed: rows that were
	// written for nothing are waste that the server has to clean up.
	after int
	// least is the least batch for which a second connection pays.
	least int
}

func usualBoarding() boarding { return boarding{after: 8, least: 32} }

// worthBoarding reports whether what is judged should set off: as much waits as
// flies, so whoever asks again after an answer goes with the batch after it.
func (c *committer) worthBoarding() bool {
	n := len(c.next.batch)
	return c.boarding == nil && n >= c.boards.least && 4*n >= 3*len(c.flying.batch) &&
		len(c.book.heads) > 0 && c.undisturbed >= c.boards.after
}

// board sends off what is judged, and begins the batch after it.
func (c *committer) board() {
	p := c.next
	f := newFlight(p.batch, p.on)
	f.writer = c.takeWriter()
	f.after = f.writer.encode(c.book, p.on, p.sitting.now)
	c.book.confirm(f.after)
	c.boarding = f
	c.prepare(f.after)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.batch[0].ctx), c.cfg.BatchTime)
	pool := c.cfg.Pool
	go func() {
		defer cancel()
		f.result <- flyBoarded(ctx, pool, f, p)
	}()
}

// depart lets the batch go that boarded, on top of one that is committed.
func (c *committer) depart() {
	c.flying, c.boarding = c.boarding, nil
	c.undisturbed++
	c.flying.clear <- true
}

// ground gives up whatever was judged on top of a batch that failed, and returns
// it, to be judged again.
func (c *committer) ground() (void [][]*request) {
	if f := c.boarding; f != nil {
		c.boarding = nil
		f.clear <- false
		<-f.result //nolint:errcheck // whatever it was, its rows are gone
		void = append(void, f.batch)
	}
	if p := c.next; p != nil && len(p.batch) > 0 {
		void = append(void, p.batch)
	}
	c.next = nil
	return void
}

// flyBoarded writes the rows, waits for the batch below, and does the rest under
// the lock of the head. It touches nothing that the committer still changes.
func flyBoarded(ctx context.Context, pool *pgxpool.Pool, f *flight, p *prepared) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		close(f.written)
		return fmt.Errorf("take connection: %w", err)
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginQuery})
	if err != nil {
		close(f.written)
		return fmt.Errorf("begin batch: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit this does nothing
	totals, err := f.writer.script(ctx, conn.Conn(), &p.on)
	if err != nil {
		close(f.written)
		return err
	}
	if err := f.write(ctx, tx); err != nil {
		return err
	}
	if !<-f.clear {
		return errGrounded
	}
	if err := totals.run(ctx, conn.Conn().PgConn()); err != nil {
		return err
	}
	if err := p.sitting.settleDoubts(ctx, tx); err != nil {
		return err
	}
	return f.commit(ctx, tx)
}
