package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// committer is the one goroutine of a Ledger that writes. It takes whatever
// waits and books it in one SQL transaction, under the lock of the head row, so
// that committers of several processes take turns.
type committer struct {
	cfg    Config
	book   *book
	writer *writer
}

func newCommitter(cfg Config) *committer {
	c := &committer{cfg: cfg, book: newBook(cfg.CacheEntries), writer: newWriter()}
	c.book.forget()
	return c
}

// run books until the queue is closed and empty.
func (c *committer) run(queue <-chan *request) {
	batch := make([]*request, 0, c.cfg.BatchLimit)
	for first := range queue {
		// Callers of the last batch have just been woken: let them queue up, so
		// that the next batch is not cut short at one.
		runtime.Gosched()
		batch = c.fill(append(batch[:0], first), queue)
		if len(batch) > 0 {
			c.serve(batch)
		}
		clear(batch)
	}
}

// fill adds what waits without waiting, and leaves out who has given up.
func (c *committer) fill(batch []*request, queue <-chan *request) []*request {
	first := batch[0]
	batch = batch[:0]
	attached := 0
	for r, more := first, true; more; {
		if r.taken.CompareAndSwap(false, true) {
			batch = append(batch, r)
			attached += min(len(r.attachments), 1)
		}
		if len(batch) == c.cfg.BatchLimit || attached == maxAttachedPerBatch {
			break
		}
		select {
		case r, more = <-queue:
		default:
			more = false
		}
	}
	return batch
}

// How a batch is tried. A unique key that is violated says only that some id was
// used before; the second try looks all of them up, and the third, for faults
// that nobody foresaw, gives each transaction a batch of its own.
const (
	optimistic = iota
	probing
)

// serve books the batch and answers each caller.
func (c *committer) serve(batch []*request) {
	err := c.try(batch, optimistic)
	if isIntegrity(err) {
		err = c.try(batch, probing)
	}
	if isIntegrity(err) && len(batch) > 1 {
		for _, r := range batch {
			one := []*request{r}
			c.answer(one, c.try(one, probing))
		}
		return
	}
	c.answer(batch, err)
}

func (c *committer) answer(batch []*request, err error) {
	for _, r := range batch {
		if err != nil {
			r.receipt, r.err = Receipt{}, err
		}
		close(r.done)
	}
}

// isIntegrity reports a violated constraint, a class of errors that leaves no
// doubt about the outcome: nothing was kept.
func isIntegrity(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && len(pe.Code) == 5 && pe.Code[:2] == "23"
}

// try books the batch in one SQL transaction. It fills in each request's outcome
// and returns an error where the batch failed as a whole; the caches are then
// empty, for what the database holds is no longer known. No
// caller's context ends a batch; the first one's values, such as a trace, go
// along.
func (c *committer) try(batch []*request, mode int) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), c.cfg.BatchTime)
	defer cancel()
	defer func() {
		if err != nil {
			c.book.forget()
			// What is left of a broken connection may still read the old buffers.
			c.writer = newWriter()
		}
	}()
	conn, err := c.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take connection: %w", err)
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginQuery})
	if err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit this does nothing
	after, dirty, err := c.bookAll(ctx, tx, batch, mode)
	if err != nil {
		return err
	}
	if !dirty {
		c.book.confirm(after) // nothing was written; what was read is true at this head
		return nil
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	c.book.confirm(after)
	return nil
}

// beginQuery starts a batch. Its statements name the rows that they want by key;
// a planner that guesses wrong reads whole tables instead, and one that compiles
// takes longer than they do. A process that stops in the middle of a batch loses
// its connection, and with it the head, before others have waited for long.
const beginQuery = "begin isolation level read committed; set local idle_in_transaction_session_timeout = '20s'; " +
	"set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off"

// bookAll books the batch within tx and reports whether there is something to
// commit.
func (c *committer) bookAll(ctx context.Context, tx pgx.Tx, batch []*request, mode int) (head, bool, error) {
	before, err := lockHead(ctx, tx)
	if err != nil {
		return head{}, false, err
	}
	b := c.book
	b.begin(before)
	if err := b.load(ctx, tx, batch); err != nil {
		return head{}, false, err
	}
	s := sitting{book: b, tx: tx, now: c.bookingTime(before)}
	if err := s.judge(ctx, batch, mode); err != nil {
		return head{}, false, err
	}
	if len(b.heads) == 0 && len(b.attestations) == 0 {
		return before, false, nil
	}
	after, err := c.writer.write(ctx, tx, b, before, s.now)
	return after, true, err
}

// bookingTime never goes back, whatever the clocks of several machines say.
func (c *committer) bookingTime(before head) time.Time {
	now := c.cfg.Clock().UTC().Truncate(time.Microsecond)
	if now.Before(before.booked) {
		return before.booked.UTC()
	}
	return now
}
