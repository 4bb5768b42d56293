//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"strongroom/api/client"
	"strongroom/money"
)

// Outside is the world that pays in and is paid out to.
type Outside interface {
	Pay(ctx context.Context, asset, to string, units money.Units) (txid string, err error)
	Address(asset, label string) (string, error)
	Balance(ctx context.Context, asset, at string) (money.Units, error)
}

// Customer is one who uses the platform over its REST interface.
type Customer struct {
	Client    *client.Client
	Addresses map[string]string // deposit address by asset
}

// Asset is what moves, and how much at a time.
type Asset struct {
	money.Asset

	Share           int // of ten operations
	Deposit, Payout string
}

// The kinds of operation.
const (
	opDeposit  = "deposit"
	opWithdraw = "withdrawal"
	opRepeat   = "repeated POST"
	opCancel   = "cancel"
)

// Per hundred draws. A POST is repeated far more often than customers would: it costs
// the platform little and must never have an effect, while a movement takes a workflow
// of some twenty steps through processes that die.
const (
	deposits    = 10
	withdrawals = 16
	cancels     = 4 // of the withdrawals; each is an operation beside it
)

// order is one withdrawal as its customer knows it.
type order struct {
	customer int
	asset    Asset
	key, to  string
	id       string // as first answered; empty while nobody answered
}

// load does operations and remembers what was promised.
type load struct {
	cfg   Config
	rng   *rand.Rand
	mu    sync.Mutex
	all   []*order
	count map[string]int
	wrong []string // answers that must not be
}

// Bounds of the load.
const (
	callers   = 24
	asks      = 12 // of one request while parts are down
	askPause  = 700 * time.Millisecond
	payWithin = 45 * time.Second
)

// run spreads the operations over the time of the load.
func (l *load) run(ctx context.Context, operations int, length time.Duration) {
	var all sync.WaitGroup
	free := make(chan struct{}, callers)
	begun := l.cfg.Clock()
	for n := 0; n < operations && ctx.Err() == nil; {
		due := begun.Add(length * time.Duration(n) / time.Duration(operations))
		if !sleep(ctx, due.Sub(l.cfg.Clock())) {
			break
		}
		kinds := l.pick(n)
		n += len(kinds)
		work := l.prepare(n, kinds)
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			work(ctx)
		})
	}
	all.Wait()
}

// pick chooses what the next operations are; a cancel comes with its withdrawal.
func (l *load) pick(n int) []string {
	if n == 0 {
		return []string{opWithdraw} // there is something to repeat
	}
	switch roll := l.rng.IntN(100); {
	case roll < deposits:
		return []string{opDeposit}
	case roll < deposits+withdrawals-cancels:
		return []string{opWithdraw}
	case roll < deposits+withdrawals:
		return []string{opWithdraw, opCancel}
	}
	return []string{opRepeat}
}

// prepare draws all chance before the work runs, so that the seed decides it.
func (l *load) prepare(n int, kinds []string) func(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	customer, asset := l.rng.IntN(len(l.cfg.Customers)), l.asset()
	switch kinds[0] {
	case opDeposit:
		return func(ctx context.Context) { l.deposit(ctx, customer, asset) }
	case opRepeat:
		again := l.all[l.rng.IntN(len(l.all))]
		return func(ctx context.Context) { l.repeat(ctx, again) }
	}
	o := &order{customer: customer, asset: asset, key: fmt.Sprintf("chaos-%d-%d", l.cfg.Seed, n)}
	l.all = append(l.all, o)
	wait := time.Duration(l.rng.IntN(1500)) * time.Millisecond
	return func(ctx context.Context) {
		l.withdraw(ctx, o)
		if len(kinds) > 1 {
			sleep(ctx, wait)
			l.cancel(ctx, o)
		}
	}
}

func (l *load) asset() Asset {
	roll := l.rng.IntN(10)
	for _, a := range l.cfg.Assets {
		if roll -= a.Share; roll < 0 {
			return a
		}
	}
	return l.cfg.Assets[0]
}

func (l *load) counted(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[kind]++
}

func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// deposit pays from outside. A payment that a reorganisation or a dead node took
// away is no deposit: the chain decides what was.
func (l *load) deposit(ctx context.Context, customer int, a Asset) {
	units, err := a.Parse(a.Deposit)
	if err != nil {
		l.fault("amount of %s: %v", a.Code, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, payWithin)
	defer cancel()
	if _, err := l.cfg.Outside.Pay(ctx, a.Code, l.cfg.Customers[customer].Addresses[a.Code], units); err != nil {
		l.counted(opDeposit + " (payment never seen in a block)")
		return
	}
	l.counted(opDeposit)
}

// answer is what the load reads of a withdrawal.
type answer struct{ ID string }

// post asks for an order's withdrawal once.
func (l *load) post(ctx context.Context, o *order) error {
	var got answer
	err := l.cfg.Customers[o.customer].Client.Do(ctx, http.MethodPost, "/v1/withdrawals",
		map[string]string{"asset": o.asset.Code, "to": o.to, "amount": o.asset.Payout}, &got, client.IdempotencyKey(o.key))
	if err == nil {
		l.answered(o, got.ID)
	}
	return err
}

// answered holds each answer to a key against the first one.
func (l *load) answered(o *order, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch o.id {
	case "", id:
		o.id = id
	default:
		l.wrong = append(l.wrong, fmt.Sprintf("key %s was answered with %s and with %s", o.key, o.id, id))
	}
}

func (l *load) withdraw(ctx context.Context, o *order) {
	to, err := l.cfg.Outside.Address(o.asset.Code, o.key)
	if err != nil {
		l.fault("address of %s: %v", o.key, err)
		return
	}
	l.mu.Lock()
	o.to = to
	l.mu.Unlock()
	l.persist(ctx, opWithdraw, func() error { return l.post(ctx, o) })
}

// repeat asks again with a key that was used.
func (l *load) repeat(ctx context.Context, o *order) {
	l.mu.Lock()
	known := o.to != ""
	l.mu.Unlock()
	if !known { // its first request is on its way: nothing to repeat yet
		l.counted(opRepeat + " (too early)")
		return
	}
	l.persist(ctx, opRepeat, func() error { return l.post(ctx, o) })
}

func (l *load) cancel(ctx context.Context, o *order) {
	l.mu.Lock()
	id := o.id
	l.mu.Unlock()
	if id == "" {
		l.counted(opCancel + " (no withdrawal)")
		return
	}
	l.persist(ctx, opCancel, func() error {
		return l.cfg.Customers[o.customer].Client.Do(ctx, http.MethodPost, "/v1/withdrawals/"+id+"/cancel", nil, nil)
	})
}

// persist asks until there is an answer that stands, as a careful client does.
func (l *load) persist(ctx context.Context, kind string, ask func() error) {
	for range asks {
		err := ask()
		var p *client.Problem
		switch {
		case err == nil:
			l.counted(kind)
			return
		case errors.As(err, &p) && p.Status != http.StatusTooManyRequests && p.Status < http.StatusInternalServerError:
			l.counted(kind + fmt.Sprintf(" (refused, %d)", p.Status))
			return
		}
		if !sleep(ctx, askPause) {
			break
		}
	}
	l.counted(kind + " (nobody answered)")
}
