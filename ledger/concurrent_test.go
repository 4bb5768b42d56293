package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
)

// several starts ledgers that share one database, as processes would.
func several(tb testing.TB, n int) ([]*ledger.Ledger, *pgxpool.Pool) {
	tb.Helper()
	url := testenv.Postgres(tb, ledger.Migrations())
	ledgers := make([]*ledger.Ledger, n)
	var pool *pgxpool.Pool
	for i := range ledgers {
		ledgers[i], pool = start(tb, url)
	}
	return ledgers, pool
}

// wantClean runs the checker. Random attestations may well state too little, and
// that is reported, so the rule is left out where a test says so.
func wantClean(tb testing.TB, pool *pgxpool.Pool, except ...string) {
	tb.Helper()
	found, err := ledgertest.Check(tb.Context(), pool)
	if err != nil {
		tb.Fatal(err)
	}
	for _, v := range found {
		if len(except) == 0 || v.Rule != except[0] {
			tb.Error(v)
		}
	}
}

// TestDatabaseAgreesWithModel lets callers work at the same time, each in a
// universe of its own with a model of its own, through whichever of the
// ledgers comes up.
func TestDatabaseAgreesWithModel(t *testing.T) {
	for name, c := range map[string]struct {
		ledgers int
		boards  bool
	}{"one": {1, true}, "three": {3, false}, "three boarding": {3, true}} {
		t.Run(name, func(t *testing.T) {
			ledgers, pool := several(t, c.ledgers)
			for _, l := range ledgers {
				if c.boards {
					ledger.AlwaysBoard(l, 0)
				}
			}
			agreeWithModel(t, ledgers, pool)
		})
	}
}

func agreeWithModel(t *testing.T, ledgers []*ledger.Ledger, pool *pgxpool.Pool) {
	t.Helper()
	callers, commands := 24, 200
	if testing.Short() {
		commands = 40
	}
	seed := rand.Uint64()
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			c := seededChooser{rand.New(rand.NewPCG(seed, uint64(n)))}
			if err := liveEpisode(t.Context(), ledgers, fmt.Sprintf("u%d", n), c, commands); err != nil {
				t.Errorf("seed %d, caller %d: %v", seed, n, err)
			}
		})
	}
	wg.Wait()
	wantClean(t, pool, "liabilities-attested")
	if _, err := ledgers[0].VerifyChain(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

func liveEpisode(ctx context.Context, ledgers []*ledger.Ledger, name string, c chooser, commands int) error {
	un := newUniverse(name)
	model := ledgertest.NewModel()
	un.outflows = func(asset string) uint64 { return model.Position(asset).Outflows }
	if err := ledgers[0].Open(ctx, un.accounts...); err != nil {
		return err
	}
	for _, a := range un.accounts {
		model.Open(a)
	}
	for i := range commands {
		cmd := un.draw(c)
		un.now = testNow // the ledgers' clock stands still
		if err := liveStep(ctx, ledgers[c.pick(len(ledgers))], un, model, cmd); err != nil {
			return fmt.Errorf("command %d, %s: %w", i, cmd, err)
		}
	}
	return sameState(ctx, ledgers[c.pick(len(ledgers))], un, model)
}

func liveStep(ctx context.Context, l *ledger.Ledger, un *universe, model *ledgertest.Model, cmd command) error {
	switch {
	case cmd.tx != nil:
		receipt, got := l.Post(ctx, *cmd.tx)
		if errors.Is(got, ledger.ErrInvalid) {
			return nil
		}
		repeated, want := model.Post(*cmd.tx, un.now)
		if !errors.Is(got, want) || receipt.Repeated != repeated {
			return fmt.Errorf("ledger says %w (repeated %v), model %w (%v)", got, receipt.Repeated, want, repeated)
		}
	case cmd.attest != nil:
		if got, want := l.Attest(ctx, *cmd.attest), model.Attest(*cmd.attest); !errors.Is(got, want) {
			return fmt.Errorf("ledger says %w, model %w", got, want)
		}
	}
	return nil
}

func sameState(ctx context.Context, l *ledger.Ledger, un *universe, model *ledgertest.Model) error {
	for _, a := range un.accounts {
		got, err := l.Balance(ctx, a.ID)
		if want := model.Balance(a.ID); err != nil || got != want {
			return fmt.Errorf("ledger has %+v, model %+v, %w", got, want, err)
		}
	}
	for _, asset := range un.assets() {
		got, err := l.Position(ctx, asset)
		if want := model.Position(asset); err != nil || got != want {
			return fmt.Errorf("ledger has %+v, model %+v, %w", got, want, err)
		}
	}
	return nil
}

func TestSameTransactionHundredTimesAtOnce(t *testing.T) {
	ledgers, pool := several(t, 2)
	bank(t, ledgers[0])
	if _, err := pool.Exec(t.Context(), "CREATE TABLE domain_row (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	insert := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO domain_row VALUES (1)")
		return err
	}
	var firsts atomic.Int32
	var batches sync.Map
	var wg sync.WaitGroup
	for n := range 100 {
		wg.Go(func() {
			r, err := ledgers[n%2].Post(t.Context(), hold("wdr/7/hold", 10), insert)
			if err != nil {
				t.Error(err)
			}
			if !r.Repeated {
				firsts.Add(1)
			}
			batches.Store(r.Batch, r.Booked.UnixMicro())
		})
	}
	wg.Wait()
	kinds := 0
	batches.Range(func(_, _ any) bool { kinds++; return true })
	if firsts.Load() != 1 || kinds != 1 {
		t.Errorf("%d first receipts, %d different ones", firsts.Load(), kinds)
	}
	wantBalance(t, ledgers[1], ann, 1_000, 990)
	wantClean(t, pool)
}

func TestTwoHundredHoldsOfTheFullBalance(t *testing.T) {
	ledgers, pool := several(t, 3)
	bank(t, ledgers[0])
	var succeeded atomic.Int32
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			_, err := ledgers[n%3].Post(t.Context(), hold(fmt.Sprintf("wdr/%d/hold", n), 1_000))
			switch {
			case err == nil:
				succeeded.Add(1)
			case !errors.Is(err, ledger.ErrInsufficient):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%d holds of the full balance", succeeded.Load())
	}
	wantBalance(t, ledgers[0], ann, 1_000, 0)
	wantClean(t, pool)
}

// TestKilledConnections cuts every connection of the database again and again
// while callers book, each asking again with the same id until it has an answer.
func TestKilledConnections(t *testing.T) {
	ledgers, _ := several(t, 2)
	bank(t, ledgers[0])
	url := testenv.Postgres(t) // the killer looks on from another database
	killer := openPool(t, url)
	ctx, stop := context.WithCancel(t.Context())
	var kills sync.WaitGroup
	kills.Go(func() {
		for ctx.Err() == nil {
			_, _ = killer.Exec(ctx, "SELECT pg_terminate_backend(pid), pg_sleep(0.01) FROM pg_stat_activity WHERE datname <> current_database() AND backend_type = 'client backend'")
		}
	})
	const callers, each = 20, 40
	var errorsSeen atomic.Int32
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			for i := range each {
				tx := single(fmt.Sprintf("move/%d/%d", n, i), hot, ann, 1)
				for {
					if _, err := ledgers[(n+i)%2].Post(t.Context(), tx); err == nil {
						break
					}
					errorsSeen.Add(1)
				}
			}
		})
	}
	wg.Wait()
	stop()
	kills.Wait()
	if errorsSeen.Load() == 0 {
		t.Error("no call met a killed connection: the test proves nothing")
	}
	t.Logf("%d calls failed and were repeated", errorsSeen.Load())
	waitFor(t, func() bool { // the pool may still hold dead connections
		_, err := ledgers[0].Balance(t.Context(), ann)
		return err == nil
	})
	wantBalance(t, ledgers[0], ann, 1_000+callers*each, 1_000+callers*each)
	l, pool := ledgers[0], openPool(t, ledger.Database(ledgers[0]))
	wantSound(t, l)
	wantClean(t, pool)
}
