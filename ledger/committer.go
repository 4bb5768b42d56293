package ledger

import (
	"errors"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// committer is the one goroutine of a Ledger that judges. It takes whatever
// waits and books it in one SQL transaction, under the lock of the head row, so
// that committers of several processes take turns. While the server writes and
// commits one batch, the next is judged on top of it; see flight.
type committer struct {
	cfg      Config
	book     *book
	spare    []*writer // of batches that are certainly over
	flying   *flight   // nil while nothing is on its way
	boarding []*flight // each stands on the one before, the first on flying
	next     *prepared // stands on all of them
	held     *request
	landed   int64 // round of the last batch that landed
	// undisturbed counts batches since another process booked in between.
	undisturbed int
	boards      boarding
}

func newCommitter(cfg Config) *committer {
	c := &committer{cfg: cfg, book: newBook(cfg.CacheEntries), boards: usualBoarding()}
	c.book.forget()
	return c
}

// run books until the queue is closed and empty.
func (c *committer) run(queue <-chan *request) {
	for first := range queue {
		// Callers of the last batch have just been woken: let them queue up, so
		// that the next batch is not cut short at one.
		runtime.Gosched()
		if first.taken.CompareAndSwap(false, true) {
			c.serve(c.fill(first, queue))
		}
		for c.flying != nil {
			c.follow(queue)
		}
	}
}

// fill adds to first, which is taken, what waits without waiting, and leaves out
// who has given up.
func (c *committer) fill(first *request, queue <-chan *request) []*request {
	batch := append(make([]*request, 0, 1+min(len(queue), c.cfg.BatchLimit)), first)
	attached := min(len(first.attachments), 1)
	for len(batch) < c.cfg.BatchLimit && attached < maxAttachedPerBatch {
		select {
		case r, open := <-queue:
			if !open {
				return batch
			}
			if r.taken.CompareAndSwap(false, true) {
				batch = append(batch, r)
				attached += min(len(r.attachments), 1)
			}
		default:
			return batch
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

// serve sends the batch off. It is answered when it has landed.
func (c *committer) serve(batch []*request) {
	if err := c.launch(batch, optimistic, nil); err != nil {
		c.retry(batch, err)
	}
}

// retry tries a batch that failed again where that is safe, and answers each
// caller. Nothing is in flight when it returns.
func (c *committer) retry(batch []*request, err error) {
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

// try books the batch and waits for its end.
func (c *committer) try(batch []*request, mode int) error {
	if err := c.launch(batch, mode, nil); err != nil {
		return err
	}
	return c.land(<-c.flying.result)
}

func (c *committer) takeWriter() *writer {
	last := len(c.spare) - 1
	if last < 0 {
		return newWriter()
	}
	w := c.spare[last]
	c.spare = c.spare[:last]
	return w
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

// beginQuery starts a batch. Its statements name the rows that they want by key;
// a planner that guesses wrong reads whole tables instead, and one that compiles
// takes longer than they do. A process that stops in the middle of a batch loses
// its connection, and with it the head, before others have waited for long.
const beginQuery = "begin isolation level read committed; set local idle_in_transaction_session_timeout = '20s'; " +
	"set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off"

// bookingTime never goes back, whatever the clocks of several machines say.
func (c *committer) bookingTime(before head) time.Time {
	now := c.cfg.Clock().UTC().Truncate(time.Microsecond)
	if now.Before(before.booked) {
		return before.booked.UTC()
	}
	return now
}
