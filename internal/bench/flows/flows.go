// Package flowsbench measures how many deposits and withdrawals the whole platform
// completes per second - node, watcher, outbox, Temporal, worker, signer, ledger,
// PostgreSQL - and says what bounds them. It pays from the development chains'
// outside world and reads the rows that the platform writes. It is never part of
// production.
package flowsbench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/custody"
	"strongroom/money"
)

// House is the platform as a customer uses it.
type House interface {
	DepositAddress(ctx context.Context, customer, asset string) (custody.DepositAddress, error)
	CreateWithdrawal(ctx context.Context, r custody.WithdrawalRequest) (custody.Withdrawal, bool, error)
}

// Outside is the world that pays in and is paid out to.
type Outside interface {
	Pay(ctx context.Context, asset, to string, units money.Units) (txid string, err error)
	Address(asset, label string) (string, error)
}

// Config says what to measure and on what; all fields but the counts are needed.
type Config struct {
	Pool    *pgxpool.Pool // the platform's database
	House   House
	Outside Outside
	// Collect plans one round of collections of what was deposited.
	Collect func(ctx context.Context) error
	// Asset is what moves, and Amount how much of it each deposit brings. A
	// withdrawal pays Payout; together with its fee it must be less.
	Asset          string
	Amount, Payout money.Units
	// Count is how many deposits, and then withdrawals, are made; 200 where zero.
	Count int
	// Customers share them; 200 where zero. Each has an address, and what is on an
	// address is collected at once.
	Customers int
	// Callers is how many of them are asked for at once; 32 where zero.
	Callers int
	// Patience bounds the wait for the last one; 3 minutes where zero.
	Patience time.Duration
	// Processes returns the process ids of the platform's servers, by name.
	Processes func() map[string]int
	Clock     func() time.Time
	Progress  func(line string)
}

func (c Config) withDefaults() (Config, error) {
	if c.Pool == nil || c.House == nil || c.Outside == nil || c.Collect == nil || c.Asset == "" || c.Processes == nil || c.Clock == nil || c.Progress == nil {
		return c, errors.New("flows benchmark: config is incomplete")
	}
	for _, d := range []struct {
		value *int
		usual int
	}{{&c.Count, 200}, {&c.Customers, 200}, {&c.Callers, 32}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	if c.Patience <= 0 {
		c.Patience = 3 * time.Minute
	}
	return c, nil
}

// Run makes Count deposits and waits until all can be withdrawn, then makes Count
// withdrawals and waits until all are booked, and at last has the deposits collected.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Report{}, err
	}
	b := &bench{Config: cfg, run: fmt.Sprintf("%x", cfg.Clock().UnixNano())}
	var r Report
	paid, err := b.measure(ctx, "deposits", b.each(b.deposit), depositsDone, &r.Deposits)
	if err != nil {
		return r, fmt.Errorf("measure deposits: %w", err)
	}
	var seconds []float64
	if err := b.Pool.QueryRow(ctx, minedToBalance, paid).Scan(&seconds); err != nil {
		return r, fmt.Errorf("read when deposits were credited: %w", err)
	}
	r.Credited = len(seconds)
	r.Credited50, r.Credited99 = percentiles(seconds)
	if _, err = b.measure(ctx, "withdrawals", b.each(b.withdraw), withdrawalsDone, &r.Withdrawals); err != nil {
		return r, fmt.Errorf("measure withdrawals: %w", err)
	}
	if _, err = b.measure(ctx, "collections", b.collect, collectionsDone, &r.Collections); err != nil {
		return r, fmt.Errorf("measure collections: %w", err)
	}
	return r, nil
}

type bench struct {
	Config

	run string // tells this run's rows from others
}

// customer returns who the n-th movement belongs to. Custody does not ask who a
// customer is.
func (b *bench) customer(n int) string { return fmt.Sprintf("cus_bench%s_%d", b.run, n%b.Customers) }

// deposit pays one deposit and returns its transaction.
func (b *bench) deposit(ctx context.Context, n int) (string, error) {
	to, err := b.House.DepositAddress(ctx, b.customer(n), b.Asset)
	if err != nil {
		return "", fmt.Errorf("ask deposit address: %w", err)
	}
	return b.Outside.Pay(ctx, b.Asset, to.Address, b.Amount)
}

// withdraw asks for one withdrawal and returns its id.
func (b *bench) withdraw(ctx context.Context, n int) (string, error) {
	to, err := b.Outside.Address(b.Asset, fmt.Sprintf("bench %s %d", b.run, n))
	if err != nil {
		return "", fmt.Errorf("make address: %w", err)
	}
	w, _, err := b.House.CreateWithdrawal(ctx, custody.WithdrawalRequest{
		Customer: b.customer(n), IdempotencyKey: fmt.Sprintf("bench-%s-%d", b.run, n),
		Asset: b.Asset, To: to, Amount: b.Payout,
	})
	if err != nil {
		return "", fmt.Errorf("ask withdrawal: %w", err)
	}
	return w.ID, nil
}

// collect has all collections planned that are due and returns their ids.
func (b *bench) collect(ctx context.Context) ([]string, error) {
	if err := b.Collect(ctx); err != nil {
		return nil, fmt.Errorf("plan collections: %w", err)
	}
	rows, err := b.Pool.Query(ctx, `SELECT id FROM custody.house_intent WHERE kind = 'collect' AND asset = $1`, b.Asset)
	if err != nil {
		return nil, fmt.Errorf("read collections: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read collections: %w", err)
	}
	if len(ids) == 0 {
		return nil, errNothingToCollect
	}
	return ids, nil
}

// errNothingToCollect reports deposits that nobody means to collect.
var errNothingToCollect = errors.New("no collection was planned")

// The time of each movement is taken where it counts for a customer: from the block
// that holds a deposit, or from the request for a withdrawal, to the row's end. A
// collection counts from its plan.
const (
	depositsDone = `SELECT count(*) FILTER (WHERE d.state = 'withdrawable'),
		coalesce(min(d.seen_at), now()), coalesce(max(d.updated_at), now()),
		coalesce(array_agg(extract(epoch FROM d.updated_at - d.seen_at)::float8) FILTER (WHERE d.state = 'withdrawable'), '{}')
		FROM custody.deposit d WHERE d.txid = ANY($1)`
	withdrawalsDone = `SELECT count(*) FILTER (WHERE w.state = 'posted'),
		coalesce(min(w.created_at), now()), coalesce(max(w.updated_at), now()),
		coalesce(array_agg(extract(epoch FROM w.updated_at - w.created_at)::float8) FILTER (WHERE w.state = 'posted'), '{}')
		FROM custody.withdrawal w WHERE w.id = ANY($1)`
	collectionsDone = `SELECT count(*) FILTER (WHERE i.state = 'posted'),
		coalesce(min(i.created_at), now()), coalesce(max(i.updated_at), now()),
		coalesce(array_agg(extract(epoch FROM i.updated_at - i.created_at)::float8) FILTER (WHERE i.state = 'posted'), '{}')
		FROM custody.house_intent i WHERE i.id = ANY($1)`
)

// minedToBalance reads how long each deposit took from the block that holds it to the
// customer's balance. A block's time is whole seconds and may be ahead of ours: what
// it says counts where it is earlier than the moment at which we saw the block.
const minedToBalance = `SELECT coalesce(array_agg(extract(epoch FROM e.at - least(b.at, d.seen_at))::float8), '{}')
	FROM custody.deposit d JOIN custody.event e ON e.subject = d.id AND e.kind = 'deposit.credited'
	JOIN custody.block b ON b.chain = d.chain AND b.hash = d.block_hash
	WHERE d.txid = ANY($1)`

// errUnfinished reports movements that did not end in time.
var errUnfinished = errors.New("not all are complete")

// look is how often rows are counted; it costs the database next to nothing.
const look = 250 * time.Millisecond

// measure starts movements, waits for all, and says what it took. It returns what
// they are known by, as start does.
func (b *bench) measure(ctx context.Context, name string, start func(context.Context) ([]string, error), done string, flow *Flow) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.Patience)
	defer cancel()
	before := usage(b.Processes())
	busy, idle := machine()
	begun := b.Clock()
	subjects, err := start(ctx)
	if err != nil {
		return nil, err
	}
	flow.Count, flow.Asked = len(subjects), b.Clock().Sub(begun)
	b.Progress(fmt.Sprintf("asked for %d %s in %s", flow.Count, name, flow.Asked.Round(time.Millisecond)))
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		var ended int
		var first, last time.Time
		var seconds []float64
		if err := b.Pool.QueryRow(ctx, done, subjects).Scan(&ended, &first, &last, &seconds); err != nil {
			return subjects, fmt.Errorf("count %s: %w", name, err)
		}
		if ended == flow.Count {
			flow.Took = last.Sub(first)
			flow.P50, flow.P99 = percentiles(seconds)
			flow.Machine = share(busy, idle)
			flow.CPU = since(before, usage(b.Processes()))
			flow.Watched = b.Clock().Sub(begun)
			return subjects, nil
		}
		select {
		case <-ctx.Done():
			return subjects, fmt.Errorf("%d of %d %s: %w: %w", ended, flow.Count, name, errUnfinished, ctx.Err())
		case <-ticks.C:
		}
	}
}

// each returns what starts Count movements one by one.
func (b *bench) each(one func(context.Context, int) (string, error)) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) { return b.begin(ctx, one) }
}

// begin starts Count movements, Callers at once.
func (b *bench) begin(ctx context.Context, one func(context.Context, int) (string, error)) ([]string, error) {
	var (
		all      sync.WaitGroup
		mu       sync.Mutex
		subjects []string
		errs     []error
		next     int
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= b.Count && len(errs) == 0
	}
	for range b.Callers {
		all.Go(func() {
			for n, more := take(); more; n, more = take() {
				subject, err := one(ctx, n)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					subjects = append(subjects, subject)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return subjects, errors.Join(errs...)
}
