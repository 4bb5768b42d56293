package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/crash"
)

// flight is a batch that has been judged and is being written and committed.
// Nobody of it is answered before the outcome is known. Whatever is judged
// meanwhile stands on the head that it leaves behind; where it fails, all of that
// is forgotten and judged again.
type flight struct {
	batch  []*request
	round  int64 // of the book that judged it
	after  head
	writer *writer    // nil where there is nothing to write
	result chan error // gets one value
	clear  chan bool  // of a batch that boarded; see board
}

func newFlight(batch []*request, round int64, after head) *flight {
	return &flight{batch: batch, round: round, after: after, result: make(chan error, 1), clear: make(chan bool, 1)}
}

// prepared is a batch judged on top of a flight.
type prepared struct {
	batch   []*request
	sitting *sitting
	on      head
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
	if err := f.writer.sendRows(ctx, conn.Conn().PgConn()); err != nil {
		return err
	}
	totals, err := f.writer.script(ctx, conn.Conn(), nil)
	if err != nil {
		return err
	}
	if err := totals.run(ctx, conn.Conn().PgConn()); err != nil {
		return err
	}
	return f.commit(ctx, tx)
}

func (f *flight) commit(ctx context.Context, tx pgx.Tx) error {
	crash.At(crash.LedgerBefore)
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	crash.At(crash.LedgerAfter)
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
		c.undisturbed++
		s = ready.sitting
		err = s.settleDoubts(ctx, tx)
	} else {
		if ready != nil { // another process has booked in between
			c.undisturbed = 0
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
	f := newFlight(batch, b.round, before)
	if len(b.heads) > 0 || len(b.attestations) > 0 {
		f.writer = c.takeWriter()
		f.after = f.writer.encode(b, before, s.now, allLate)
	}
	b.confirm(f.after)
	return f, nil
}

// land takes note of how the flight ended.
func (c *committer) land(err error) error {
	f := c.flying
	c.flying = nil
	if err != nil {
		// What is left of a broken connection may still read the writer's buffers.
		c.book.forget()
		return err
	}
	c.landed = f.round
	if f.writer != nil {
		c.spare = append(c.spare, f.writer)
	}
	return nil
}

// follow judges what comes in while a batch flies, answers that one when it has
// landed, and sends the next.
func (c *committer) follow(queue <-chan *request) {
	f := c.flying
	ended := c.gather(queue)
	switch err := c.land(ended); {
	case err != nil:
		c.startOver(f, err)
	case len(c.boarding) > 0:
		c.depart()
		c.answer(f.batch, nil)
	default:
		c.launchNext(f)
	}
	if r := c.held; r != nil && c.flying == nil {
		c.held = nil
		c.serve(c.fill(r, queue))
	}
}

// launchNext sends what was judged on top of f, which has landed.
func (c *committer) launchNext(f *flight) {
	next := c.next
	c.next = nil
	answered := c.answerSoon(f.batch)
	var err error
	if len(next.batch) > 0 {
		err = c.launch(next.batch, optimistic, next)
		runtime.Gosched() // to the flight, which has something to send
	}
	answered()
	if err != nil {
		c.retry(next.batch, err)
	}
}

// startOver books f, which failed, again where that is safe, and everything that
// was judged on top of it.
func (c *committer) startOver(f *flight, err error) {
	void := c.ground()
	if errors.Is(err, errOvertaken) {
		c.undisturbed = 0
		void = append([][]*request{f.batch}, void...)
	} else {
		c.retry(f.batch, err)
	}
	for i, batch := range void {
		if i == len(void)-1 {
			c.serve(batch)
		} else {
			c.retry(batch, c.try(batch, optimistic))
		}
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

// gather judges what comes in until the flight has ended, and returns how. One
// request that needs the database before it can be judged is held, and nobody
// overtakes it.
func (c *committer) gather(queue <-chan *request) error {
	f := c.flying
	if c.next == nil {
		c.prepare(f.after)
	}
	for {
		if c.worthBoarding() {
			c.board()
		}
		from := queue
		if c.held != nil || len(c.next.batch) == c.cfg.BatchLimit {
			from = nil // a nil channel never delivers
		}
		select {
		case err := <-f.result:
			return err
		case r, open := <-from:
			if !open {
				queue = nil
				continue
			}
			c.take(r)
		}
	}
}

// prepare begins a batch on top of one that is under way.
func (c *committer) prepare(on head) {
	c.book.begin(on)
	c.next = &prepared{sitting: &sitting{book: c.book, now: c.bookingTime(on)}, on: on}
}

func (c *committer) take(r *request) {
	switch {
	case !r.taken.CompareAndSwap(false, true): // the caller gave up
	case c.next.sitting.judgeKnown(r):
		c.next.batch = append(c.next.batch, r)
	default:
		c.held = r
	}
}
