package funding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/trading"
)

const (
	// endedChannel is the NOTIFY channel of transfers that ended.
	endedChannel = "strongroom_transfer_ended"
	// endingsQueue is how many ends may wait for a reader.
	endingsQueue = 64
	// maxReaders bounds the readers of one customer.
	maxReaders = 64
	// quiet is how long nothing may come before the connection is asked whether it lives.
	quiet = 30 * time.Second
	// listenPause is between a connection that is lost and the next.
	listenPause = time.Second
)

// notifyEnded tells all who listen, in the statement that ends a transfer and only where
// it does.
const notifyEnded = `SELECT pg_notify('` + endedChannel + `', customer || ' ' || id) FROM ended`

// Endings tells owners when their transfers end, whichever process ended them. It is safe
// for concurrent use. Nothing is told unless Run runs.
type Endings struct {
	store  *Store
	logger *slog.Logger

	mu      sync.Mutex
	readers map[string]map[chan trading.TransferNews]func() bool // by customer; what keeps one from being closed with its context
}

var _ trading.Endings = (*Endings)(nil)

// NewEndings returns what tells of a store's transfers.
func NewEndings(store *Store, logger *slog.Logger) (*Endings, error) {
	if store == nil || logger == nil {
		return nil, errors.New("endings of transfers need a store and a logger")
	}
	return &Endings{store: store, logger: logger, readers: map[string]map[chan trading.TransferNews]func() bool{}}, nil
}

// Watch implements trading.Endings.
func (e *Endings) Watch(ctx context.Context, customer string) (<-chan trading.TransferNews, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.readers[customer]) >= maxReaders {
		return nil, fmt.Errorf("watch transfers: %w: there are %d readers of %s", trading.ErrUnavailable, maxReaders, customer)
	}
	if e.readers[customer] == nil {
		e.readers[customer] = map[chan trading.TransferNews]func() bool{}
	}
	ch := make(chan trading.TransferNews, endingsQueue)
	e.readers[customer][ch] = context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.remove(customer, ch)
	})
	return ch, nil
}

// remove closes a reader's channel, once. The lock is held.
func (e *Endings) remove(customer string, ch chan trading.TransferNews) {
	stop, ok := e.readers[customer][ch]
	if !ok {
		return
	}
	stop()
	close(ch)
	if delete(e.readers[customer], ch); len(e.readers[customer]) == 0 {
		delete(e.readers, customer)
	}
}

// send gives news to the readers of a customer; whose queue is full is dropped.
func (e *Endings) send(customer string, news trading.TransferNews) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.readers[customer] {
		select {
		case ch <- news:
		default:
			e.remove(customer, ch)
		}
	}
}

// watched are the customers somebody reads for.
func (e *Endings) watched() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for customer := range e.readers {
		list = append(list, customer)
	}
	return list
}

func (e *Endings) reads(customer string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.readers[customer]) > 0
}

// Run listens until ctx ends, and returns nil then. A connection that is lost is told to
// the logger, and made anew; readers are told that ends may have been missed.
func (e *Endings) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := e.listen(ctx); err != nil && ctx.Err() == nil {
			e.logger.WarnContext(ctx, "listen to transfers that end", slog.Any("error", err))
		}
		pause(ctx, listenPause)
	}
	return nil
}

// listen tells what it hears until the connection fails. The connection is not given
// back: what it collects is nobody else's.
func (e *Endings) listen(ctx context.Context) error {
	conn, err := e.store.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		_ = conn.Conn().Close(context.WithoutCancel(ctx)) // the pool drops closed connections
		conn.Release()
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+endedChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, customer := range e.watched() { // what ended before this was not heard
		e.send(customer, trading.TransferNews{Lost: true})
	}
	for {
		if err := e.hear(ctx, conn); err != nil {
			return err
		}
	}
}

// hear waits for one end and tells it, or finds out that the connection lives.
func (e *Endings) hear(ctx context.Context, conn *pgxpool.Conn) error {
	limited, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	n, err := conn.Conn().WaitForNotification(limited)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() //nolint:wrapcheck // the caller's own
	case errors.Is(err, context.DeadlineExceeded):
		alive, stop := context.WithTimeout(ctx, quiet)
		defer stop()
		if err := conn.Ping(alive); err != nil {
			return fmt.Errorf("ask whether the connection lives: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("wait for an end: %w", err)
	}
	customer, id, _ := strings.Cut(n.Payload, " ")
	if !e.reads(customer) {
		return nil
	}
	t, err := e.store.Transfer(ctx, customer, id)
	if err != nil { // the reader looks for itself
		e.send(customer, trading.TransferNews{Lost: true})
		return fmt.Errorf("read a transfer that ended: %w", err)
	}
	e.send(customer, trading.TransferNews{Transfer: &t})
	return nil
}
