package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/ledger"
)

// blocked holds the head of the ledger until the returned function is called,
// so that a test can decide what is queued together.
func blocked(tb testing.TB, pool *pgxpool.Pool) (release func()) {
	tb.Helper()
	tx, err := pool.Begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := tx.Exec(tb.Context(), "SELECT FROM ledger.head FOR UPDATE"); err != nil {
		tb.Fatal(err)
	}
	return func() { _ = tx.Rollback(context.Background()) }
}

// together posts all transactions in one batch of a ledger that has seen none of
// them, and returns their errors.
func together(tb testing.TB, l *ledger.Ledger, pool *pgxpool.Pool, txs []ledger.Transaction, with map[string]ledger.Attachment) map[string]error {
	tb.Helper()
	release := blocked(tb, pool)
	outcome := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	post := func(tx ledger.Transaction) {
		wg.Go(func() {
			var attachments []ledger.Attachment
			if a := with[tx.ID]; a != nil {
				attachments = append(attachments, a)
			}
			_, err := l.Post(tb.Context(), tx, attachments...)
			mu.Lock()
			defer mu.Unlock()
			outcome[tx.ID] = err
		})
	}
	post(single("plug", hot, ann, 1)) // occupies the committer while the rest queues up
	waitFor(tb, func() bool { return ledger.Queued(l) == 0 && waitsForHead(tb, pool) })
	for _, tx := range txs {
		post(tx)
	}
	waitFor(tb, func() bool { return ledger.Queued(l) == len(txs) })
	release()
	wg.Wait()
	return outcome
}

func waitsForHead(tb testing.TB, pool *pgxpool.Pool) bool {
	tb.Helper()
	var n int
	if err := pool.QueryRow(tb.Context(), "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n > 0
}

func waitFor(tb testing.TB, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatal("waited too long")
		}
	}
}

func exec(sql string) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}
}

var errDomain = errors.New("the domain says no")

func TestOneBadTransactionFailsAlone(t *testing.T) {
	first, pool := fresh(t)
	bank(t, first)
	mustPost(t, first, single("old", hot, ann, 1))
	if _, err := pool.Exec(t.Context(), "CREATE TABLE domain_row (id int PRIMARY KEY); INSERT INTO domain_row VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	second, _ := start(t, ledger.Database(first)) // its caches are empty
	reusedLeg := single("reuses a leg", hot, ann, 1)
	reusedLeg.ID, reusedLeg.Legs[0].ID = "reuses", "old"
	conflict := single("old", hot, ann, 2)
	txs := []ledger.Transaction{
		single("good/1", hot, ann, 1), reusedLeg, conflict, single("too-much", ann, bob, 1_000_000),
		single("panics", hot, ann, 1), single("refused", hot, ann, 1), single("breaks-sql", hot, ann, 1), single("good/2", hot, ann, 1),
		single("good/attached", hot, ann, 1),
	}
	got := together(t, second, pool, txs, map[string]ledger.Attachment{
		"panics": func(context.Context, pgx.Tx) error { panic("boom") },
		"refused": func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(exec("INSERT INTO domain_row VALUES (1)")(ctx, tx), errDomain)
		},
		"breaks-sql":    exec("INSERT INTO domain_row VALUES (7)"),
		"good/attached": exec("INSERT INTO domain_row VALUES (2)"),
	})
	for id, want := range map[string]error{
		"good/1": nil, "good/2": nil, "good/attached": nil, "plug": nil, "reuses": ledger.ErrConflict, "old": ledger.ErrConflict,
		"too-much": ledger.ErrInsufficient, "refused": errDomain,
	} {
		wantErr(t, id, got[id], want)
	}
	if got["panics"] == nil || got["breaks-sql"] == nil {
		t.Errorf("panics %v, breaks-sql %v", got["panics"], got["breaks-sql"])
	}
	var rows int
	if err := pool.QueryRow(t.Context(), "SELECT sum(id) FROM domain_row").Scan(&rows); err != nil || rows != 9 {
		t.Errorf("domain rows add up to %d, want 9: %v", rows, err)
	}
	wantBalance(t, first, ann, 1_005, 1_005)
	wantClean(t, pool)
}

// TestDeferredConstraintFailsAlone is the fault that shows only at the commit:
// the batch is then taken apart.
func TestDeferredConstraintFailsAlone(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE domain_row (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO domain_row VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	txs := []ledger.Transaction{single("good/1", hot, ann, 1), single("bad", hot, ann, 1), single("good/2", hot, ann, 1)}
	got := together(t, l, pool, txs, map[string]ledger.Attachment{
		"good/1": exec("SELECT 1"), "bad": exec("INSERT INTO domain_row VALUES (7)"), "good/2": exec("INSERT INTO domain_row VALUES (8)"),
	})
	if got["good/1"] != nil || got["good/2"] != nil || got["bad"] == nil {
		t.Errorf("%v", got)
	}
	wantBalance(t, l, ann, 1_003, 1_003)
	wantClean(t, pool)
}

// TestBackendDiesMidBatch cuts the connection after the book has been changed
// and domain rows were written.
func TestBackendDiesMidBatch(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE domain_row (id int)"); err != nil {
		t.Fatal(err)
	}
	die := exec("INSERT INTO domain_row VALUES (1); SELECT pg_terminate_backend(pg_backend_pid())")
	txs := []ledger.Transaction{single("with-it/1", hot, ann, 1), single("dies", hot, ann, 1), single("with-it/2", hot, ann, 1)}
	same := exec("SELECT 1") // with attachments, none is judged before the others
	got := together(t, l, pool, txs, map[string]ledger.Attachment{"dies": die, "with-it/1": same, "with-it/2": same})
	for _, tx := range txs {
		if got[tx.ID] == nil {
			t.Errorf("%s was answered as booked", tx.ID)
		}
		if _, err := l.Transaction(t.Context(), tx.ID); !errors.Is(err, ledger.ErrTransactionUnknown) {
			t.Errorf("%s: %v", tx.ID, err)
		}
	}
	for _, tx := range txs { // the same ids again
		if r := mustPost(t, l, tx); r.Repeated {
			t.Errorf("%s was kept", tx.ID)
		}
	}
	var rows int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM domain_row").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d domain rows kept, %v", rows, err)
	}
	wantClean(t, pool)
}

func TestFullQueueCancelAndClose(t *testing.T) {
	url := ledger.Database(func() *ledger.Ledger { l, _ := fresh(t); bank(t, l); return l }())
	pool := openPool(t, url)
	l, err := ledger.New(ledger.Config{Pool: pool, Clock: func() time.Time { return testNow }, QueueLimit: 2})
	if err != nil {
		t.Fatal(err)
	}
	release := blocked(t, pool)
	var wg sync.WaitGroup
	outcomes := make([]error, 3)
	base := t.Context()
	ctx, cancel := context.WithCancel(base)
	contexts := []context.Context{base, ctx, base}
	post := func(n int) {
		wg.Go(func() {
			_, outcomes[n] = l.Post(contexts[n], single(fmt.Sprintf("q/%d", n), hot, ann, 1))
		})
	}
	post(0)
	waitFor(t, func() bool { return ledger.Queued(l) == 0 && waitsForHead(t, pool) })
	post(1)
	post(2)
	waitFor(t, func() bool { return ledger.Queued(l) == 2 })
	_, err = l.Post(base, single("q/3", hot, ann, 1))
	wantErr(t, "third in a queue of two", err, ledger.ErrOverloaded)
	cancel()
	closed := make(chan error)
	go func() { closed <- l.Close(context.WithoutCancel(ctx)) }()
	waitFor(t, func() bool {
		_, err := l.Post(base, single("q/4", hot, ann, 1))
		return errors.Is(err, ledger.ErrClosed)
	})
	release()
	wg.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if outcomes[0] != nil || outcomes[2] != nil || !errors.Is(outcomes[1], context.Canceled) {
		t.Errorf("outcomes %v", outcomes)
	}
	other, _ := start(t, url)
	_, err = other.Transaction(base, "q/1")
	wantErr(t, "cancelled while waiting", err, ledger.ErrTransactionUnknown)
	wantBalance(t, other, ann, 1_002, 1_002)
}
