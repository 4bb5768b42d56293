package ledger_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/ledger"
)

// slowCommit makes a commit that inserted into domain_row wait for an advisory
// lock, and fail where the row says so.
const slowCommit = `
CREATE TABLE domain_row (outcome text);
CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    IF NEW.outcome = 'breaks' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END IF;
    IF NEW.outcome = 'faults' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'disk_full'; END IF;
    IF NEW.outcome = 'dies' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON domain_row DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow_commit()`

// flying is a ledger of which one batch, with the transaction "first", is stuck
// in its commit.
type flying struct {
	t       *testing.T
	ledger  *ledger.Ledger
	pool    *pgxpool.Pool
	release func()
	wg      sync.WaitGroup
	mu      sync.Mutex
	got     map[string]error
}

func takeOff(t *testing.T, outcome string, boards bool) *flying {
	t.Helper()
	l, pool := fresh(t)
	if boards {
		ledger.AlwaysBoard(l, 0)
	}
	bank(t, l)
	other, _ := start(t, ledger.Database(l))
	mustPost(t, other, single("elsewhere", hot, bob, 1)) // l does not remember it
	mustPost(t, l, hold("held", 10))
	mustPost(t, l, single("acquaint", hot, bob, 1)) // bob is cached from here on
	if _, err := pool.Exec(t.Context(), slowCommit); err != nil {
		t.Fatal(err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock(4711)"); err != nil {
		t.Fatal(err)
	}
	f := &flying{t: t, ledger: l, pool: pool, got: map[string]error{}}
	f.release = func() { _ = tx.Rollback(context.Background()) }
	f.post(l, single("first", hot, ann, 100), exec("INSERT INTO domain_row VALUES ('"+outcome+"')"))
	waitFor(t, func() bool { return waitsForHead(t, pool) })
	return f
}

// post returns when tx is in the queue.
func (f *flying) post(l *ledger.Ledger, tx ledger.Transaction, with ...ledger.Attachment) {
	f.t.Helper()
	outcome, err := ledger.Enqueue(f.t.Context(), l, tx, with...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.wg.Go(func() {
		_, err := outcome()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.got[tx.ID] = err
	})
}

// taken waits until the committer has taken all but n of the queue.
func (f *flying) taken(n int) {
	f.t.Helper()
	waitFor(f.t, func() bool { return ledger.Queued(f.ledger) == n })
}

// prepare posts what the committer judges while the first batch hangs.
func (f *flying) prepare(txs ...ledger.Transaction) {
	f.t.Helper()
	for _, tx := range txs {
		f.post(f.ledger, tx)
	}
	f.taken(0)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) != 0 {
		f.t.Errorf("answered before the commit: %v", f.got)
	}
}

func (f *flying) land() {
	f.release()
	f.wg.Wait()
}

// onTop is one transaction of each sort; "needs-first" is covered only where
// "first" is booked.
func onTop() []ledger.Transaction {
	return []ledger.Transaction{
		single("needs-first", ann, bob, 1_050), single("plain", hot, bob, 1), single("too-much", ann, bob, 1_000_000),
		resolve("held/post", ledger.Post, "held", 0), hold("another", 5),
	}
}

// TestPreparedBatch lets the batch under a prepared one end in every way.
func TestPreparedBatch(t *testing.T) {
	type expected struct {
		first, needsFirst bool
		ann               uint64
	}
	inEachWay(t, map[string]expected{
		"good":   {first: true, needsFirst: true, ann: 1_000 + 100 - 10 - 1_050},
		"breaks": {ann: 1_000 - 10},
		"faults": {ann: 1_000 - 10},
		"dies":   {ann: 1_000 - 10},
	}, func(t *testing.T, f *flying, c expected) {
		t.Helper()
		f.prepare(onTop()...)
		f.land()
		if (f.got["first"] == nil) != c.first {
			t.Errorf("first: %v", f.got["first"])
		}
		for _, id := range []string{"plain", "held/post", "another"} {
			wantErr(t, id, f.got[id], nil)
		}
		wantErr(t, "too-much", f.got["too-much"], ledger.ErrInsufficient)
		if c.needsFirst {
			wantErr(t, "needs-first", f.got["needs-first"], nil)
		} else {
			wantErr(t, "needs-first", f.got["needs-first"], ledger.ErrInsufficient)
		}
		wantKept(t, f.ledger, f.got)
		wantBalance(t, f.ledger, ann, c.ann, c.ann-5)
		wantSound(t, f.ledger)
		wantClean(t, f.pool)
	})
}

// inEachWay runs test on a batch that ends as the keys say, with and without a
// batch that boards on top of it.
func inEachWay[C any](t *testing.T, cases map[string]C, test func(*testing.T, *flying, C)) {
	t.Helper()
	for outcome, c := range cases {
		t.Run(outcome, func(t *testing.T) { test(t, takeOff(t, outcome, false), c) })
		t.Run(outcome+" with boarding", func(t *testing.T) { test(t, takeOff(t, outcome, true), c) })
	}
}

// wantKept holds the answers against what the book has.
func wantKept(tb testing.TB, l *ledger.Ledger, got map[string]error) {
	tb.Helper()
	for id, err := range got {
		_, found := l.Transaction(tb.Context(), id)
		if (err == nil) != (found == nil) || found != nil && !errors.Is(found, ledger.ErrTransactionUnknown) {
			tb.Errorf("%s was answered with %v, the book says %v", id, err, found)
		}
	}
}

// TestPreparedRepetition asks again for what is in flight: the answer must wait
// for the flight, and follow its outcome.
func TestPreparedRepetition(t *testing.T) {
	inEachWay(t, map[string]bool{"good": true, "faults": false}, func(t *testing.T, f *flying, repeated bool) {
		t.Helper()
		again, err := ledger.Enqueue(t.Context(), f.ledger, single("first", hot, ann, 100))
		if err != nil {
			t.Fatal(err)
		}
		f.taken(0)
		f.land()
		if r, err := again(); err != nil || r.Repeated != repeated {
			t.Errorf("repeated %v, %v", r.Repeated, err)
		}
		wantBalance(t, f.ledger, ann, 1_100, 1_090)
		wantClean(t, f.pool)
	})
}

// TestAnotherProcessBetweenTwoBatches lets a second ledger, which waits for the
// head, book between a batch and the one prepared on top of it.
func TestAnotherProcessBetweenTwoBatches(t *testing.T) {
	inEachWay(t, map[string]bool{"good": true}, func(t *testing.T, f *flying, _ bool) {
		t.Helper()
		other, _ := start(t, ledger.Database(f.ledger))
		f.post(other, single("other", ann, bob, 60))
		waitFor(t, func() bool { return waiting(t, f.pool) == 2 })
		f.prepare(onTop()...)
		f.land()
		wantErr(t, "first", f.got["first"], nil)
		if (f.got["other"] == nil) == (f.got["needs-first"] == nil) {
			t.Errorf("of two that exclude each other: other %v, needs-first %v", f.got["other"], f.got["needs-first"])
		}
		wantKept(t, f.ledger, f.got)
		wantSound(t, f.ledger)
		wantClean(t, f.pool)
	})
}

// TestCloseDrainsPrepared closes while one batch hangs and another is prepared.
func TestCloseDrainsPrepared(t *testing.T) {
	inEachWay(t, map[string]bool{"good": true}, func(t *testing.T, f *flying, _ bool) {
		t.Helper()
		f.prepare(onTop()...)
		f.post(f.ledger, single("attached", hot, ann, 1), func(context.Context, pgx.Tx) error { return nil })
		f.taken(0)
		f.post(f.ledger, single("queued", hot, ann, 1))
		f.taken(1)
		closed := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			closed <- f.ledger.Close(ctx)
		}()
		f.land()
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"first", "plain", "needs-first", "held/post", "another", "attached", "queued"} {
			wantErr(t, id, f.got[id], nil)
		}
		wantKept(t, f.ledger, f.got)
		wantClean(t, f.pool)
	})
}

// TestBoarding follows two batches onto connections of their own: their rows are
// with the server while the one below still commits, they hold no lock that others
// wait for, and each lands after the one below, or not at all.
func TestBoarding(t *testing.T) {
	inEachWay(t, map[string]bool{"good": true, "dies": false}, func(t *testing.T, f *flying, lands bool) {
		t.Helper()
		boards := strings.HasSuffix(t.Name(), "boarding")
		f.prepare(onTop()...)
		if boards {
			waitFor(t, func() bool { return inTransaction(t, f.pool) == 2 })
		}
		f.post(f.ledger, single("last", ann, bob, 1)) // on top of both
		f.taken(0)
		f.land()
		wantErr(t, "plain", f.got["plain"], nil)
		if lands {
			var first, plain, last uint64
			for id, into := range map[string]*uint64{"first": &first, "plain": &plain, "last": &last} {
				booked, err := f.ledger.Transaction(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				*into = booked.Receipt.Batch
			}
			if first >= plain || plain > last {
				t.Errorf("batches %d, %d, %d", first, plain, last)
			}
		}
		wantKept(t, f.ledger, f.got)
		wantSound(t, f.ledger)
		wantClean(t, f.pool)
	})
}

// TestBoardedRepetition sends on top of a flight what was booked long ago and is
// no longer known: the database refuses the batch, and the answers are right.
func TestBoardedRepetition(t *testing.T) {
	f := takeOff(t, "good", true)
	f.prepare(single("elsewhere", hot, bob, 1), single("plain", hot, bob, 1))
	f.land()
	wantErr(t, "plain", f.got["plain"], nil)
	wantErr(t, "elsewhere", f.got["elsewhere"], nil)
	wantBalance(t, f.ledger, bob, 3, 3)
	wantClean(t, f.pool)
}

// inTransaction counts connections that have something uncommitted and wait to
// be told to go on.
func inTransaction(tb testing.TB, pool *pgxpool.Pool) (n int) {
	tb.Helper()
	if err := pool.QueryRow(tb.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND backend_xid IS NOT NULL").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// waiting counts who waits for a lock.
func waiting(tb testing.TB, pool *pgxpool.Pool) (n int) {
	tb.Helper()
	if err := pool.QueryRow(tb.Context(), "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}
