package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrClosed reports a ledger that takes nothing more.
var ErrClosed = errors.New("ledger is closed")

// Defaults and bounds of Config.
const (
	defaultQueue        = 16_384
	defaultBatch        = 2_048
	defaultBatchTime    = 15 * time.Second
	defaultCacheEntries = 1 << 20
	// maxAttachedPerBatch bounds how long one batch can hold the head: each
	// attachment costs round trips of its own.
	maxAttachedPerBatch = 128
)

// Config holds what a Ledger works with.
type Config struct {
	// Pool is a pool made by internal/pg on the primary. At least two
	// connections: one books while the others read.
	Pool *pgxpool.Pool
	// Clock tells booking time. Required.
	Clock func() time.Time
	// QueueLimit is how many callers may wait; more get ErrOverloaded.
	// 16,384 where zero.
	QueueLimit int
	// BatchLimit is the most transactions that share one SQL transaction.
	// 2,048 where zero.
	BatchLimit int
	// BatchTime bounds one SQL transaction, attachments included. 15 s where
	// zero.
	BatchTime time.Duration
	// CacheEntries bounds the cache of accounts, at about 300 bytes each; those of
	// pending transfers and of recent transactions have an eighth of it. About a
	// million where zero.
	CacheEntries int
}

func (c Config) withDefaults() (Config, error) {
	if c.Pool == nil || c.Clock == nil {
		return c, errors.New("ledger needs a pool and a clock")
	}
	if c.Pool.Config().MaxConns < 2 {
		return c, errors.New("ledger needs a pool of at least two connections")
	}
	for _, setting := range []struct {
		value    *int
		standard int
	}{{&c.QueueLimit, defaultQueue}, {&c.BatchLimit, defaultBatch}, {&c.CacheEntries, defaultCacheEntries}} {
		if *setting.value < 0 {
			return c, errors.New("a limit of the ledger is negative")
		}
		if *setting.value == 0 {
			*setting.value = setting.standard
		}
	}
	if c.BatchTime <= 0 {
		c.BatchTime = defaultBatchTime
	}
	return c, nil
}

// Ledger books transactions and answers questions about them. It is safe for
// concurrent use, and several Ledgers, in one process or in many, may work on
// one database.
type Ledger struct {
	cfg       Config
	committer *committer
	queue     chan *request
	gate      sync.RWMutex // held for reading while a request enters the queue
	closed    bool
	stopped   chan struct{}
}

// New starts a ledger on a migrated database.
func New(cfg Config) (*Ledger, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start ledger: %w", err)
	}
	l := &Ledger{cfg: cfg, queue: make(chan *request, cfg.QueueLimit), stopped: make(chan struct{})}
	l.committer = newCommitter(cfg)
	go func() {
		defer close(l.stopped)
		l.committer.run(l.queue)
	}()
	return l, nil
}

// Close takes nothing more, books what is waiting, and returns when that is
// done or ctx ends. The pool stays open.
func (l *Ledger) Close(ctx context.Context) error {
	l.gate.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.gate.Unlock()
	select {
	case <-l.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close ledger: %w", ctx.Err())
	}
}

// enqueue hands r to the committer.
func (l *Ledger) enqueue(r *request) error {
	l.gate.RLock()
	defer l.gate.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- r:
		return nil
	default:
		return ErrOverloaded
	}
}
