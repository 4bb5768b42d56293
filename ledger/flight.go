package ledger

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// flight is a batch that has been judged under the lock of the head and is being
// written and committed. Nobody of it is answered before the outcome is known.
// Whatever is judged meanwhile stands on the head that it leaves behind; where it
// fails, all of that is forgotten and judged again.
type flight struct {
	batch  []*request
	after  head
	writer *writer
	result chan error // gets one value
}

// prepared is a batch judged on top of a flight.
type prepared struct {
	batch   []*request
	sitting *sitting
	on      head
	err     error // the flight's outcome
}

// launch judges the batch under the head lock, unless ready says that it has been
// judged for this very head, and lets it fly. A batch that changes nothing is
// answered at once. After an error nothing was kept or the outcome is unknown,
// and the caches are empty. No caller's context ends a batch; the first one's
// values, such as a trace, go along.
func (c *committer) launch(batch []*request, mode int, ready *prepared) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), c.cfg.BatchTime)
	flying := false
	defer func() {
		if err != nil {
			c.book.forget()
		}
		if !flying {
			cancel()
		}
	}()
	conn, err := c.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take connection: %w", err)
	}
	defer func() {
		if !flying {
			conn.Release()
		}
	}()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginQuery})
	if err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	defer func() {
		if !flying {
			_ = tx.Rollback(ctx)
		}
	}()
	f, err := c.judge(ctx, tx, batch, mode, ready)
	if err != nil {
		return err
	}
	c.flying = f
	if f.writer == nil {
		f.result <- nil // nothing to write; what was read is true at this head
		return nil
	}
	flying = true
	go func() {
		defer cancel()
		f.result <- f.fly(ctx, conn, tx)
	}()
	return nil
}

// fly writes and commits. It touches nothing that the committer still changes.
func (f *flight) fly(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) error {
	defer conn.Release()
	defer func() { _ = tx.Rollback(ctx) }() // after a commit this does nothing
	if err := f.writer.send(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	return nil
}

// judge takes the head and leaves the batch judged and encoded. From then on the
// book counts it as booked, which land takes back where it fails.
func (c *committer) judge(ctx context.Context, tx pgx.Tx, batch []*request, mode int, ready *prepared) (*flight, error) {
	before, err := lockHead(ctx, tx)
	if err != nil {
		return nil, err
	}
	b := c.book
	var s *sitting
	if ready != nil && ready.on.same(before) {
		s = ready.sitting
		s.tx = tx
		err = s.settleDoubts(ctx)
	} else {
		if ready != nil { // another process has booked in between
			b.forget()
		}
		b.begin(before)
		if err := b.load(ctx, tx, batch); err != nil {
			return nil, err
		}
		s = &sitting{book: b, tx: tx, now: c.bookingTime(before)}
		err = s.judge(ctx, batch, mode)
	}
	if err != nil {
		return nil, err
	}
	f := &flight{batch: batch, after: before, result: make(chan error, 1)}
	if len(b.heads) > 0 || len(b.attestations) > 0 {
		f.writer, c.spare = c.spare, nil
		if f.writer == nil {
			f.writer = newWriter()
		}
		f.after = f.writer.encode(b, before, s.now)
	}
	b.confirm(f.after)
	return f, nil
}

// land waits for the end of the flight, unless ended already tells its outcome.
func (c *committer) land(ended *prepared) (err error) {
	f := c.flying
	c.flying = nil
	if ended != nil {
		err = ended.err
	} else {
		err = <-f.result
	}
	if err != nil {
		// What is left of a broken connection may still read the writer's buffers.
		c.book.forget()
		return err
	}
	if f.writer != nil {
		c.spare = f.writer
	}
	return nil
}

// follow judges what comes in while a batch flies, answers that one when it has
// landed, and sends the next.
func (c *committer) follow(queue <-chan *request) {
	f := c.flying
	next := c.prepare(queue)
	ready := next
	answered := func() {}
	if err := c.land(next); err != nil {
		c.retry(f.batch, err)
		ready = nil // what it stood on is not there
	} else {
		answered = c.answerSoon(f.batch)
	}
	var err error
	if len(next.batch) > 0 {
		err = c.launch(next.batch, optimistic, ready)
		runtime.Gosched() // to the flight, which has something to send
	}
	answered()
	if err != nil {
		c.retry(next.batch, err)
	}
	if r := c.held; r != nil && c.flying == nil {
		c.held = nil
		c.serve(c.fill(r, queue))
	}
}

// answerWithin is how long callers may wait for the start of the next flight.
const answerWithin = 4 * time.Millisecond

// answerSoon answers the batch, which was booked, when the returned function is
// called, or after answerWithin. Hundreds of callers who are woken at once keep
// the processors busy, and the server idle, while the next batch waits for its
// turn to take the head; so they are woken after that, unless the head is taken.
func (c *committer) answerSoon(batch []*request) (now func()) {
	once := sync.OnceFunc(func() { c.answer(batch, nil) })
	timer := time.AfterFunc(answerWithin, once)
	return func() {
		timer.Stop()
		once()
	}
}

// prepare judges what comes in until the flight has ended. One request that needs
// the database before it can be judged is held, and nobody overtakes it.
func (c *committer) prepare(queue <-chan *request) *prepared {
	f, b := c.flying, c.book
	b.begin(f.after)
	s := &sitting{book: b, now: c.bookingTime(f.after)}
	p := &prepared{sitting: s, on: f.after}
	for {
		if c.held != nil || len(p.batch) == c.cfg.BatchLimit {
			queue = nil // a nil channel never delivers
		}
		select {
		case p.err = <-f.result:
			return p
		case r, open := <-queue:
			switch {
			case !open:
				queue = nil
			case !r.taken.CompareAndSwap(false, true): // the caller gave up
			case !b.covers(r):
				c.held = r
			default:
				p.batch = append(p.batch, r)
				s.judgeKnown(r)
			}
		}
	}
}
