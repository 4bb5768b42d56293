package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/treasury"
	"strongroom/treasury/treasurydb"
)

const (
	// changesQueue is how many ids may wait for a listener.
	changesQueue = 1024
	// maxListeners bounds those of one process.
	maxListeners = 4096
	// quiet is how long nothing may come before the connection is asked whether it lives.
	quiet = 30 * time.Second
	// listenPause is between a connection that is lost and the next.
	listenPause = time.Second
)

// listeners are those whom a process tells of changes.
type listeners struct {
	mu   sync.Mutex
	live chan struct{} // closed while the connection listens
	on   bool
	all  map[chan string]func() bool // what keeps one from being closed with its context
}

func newListeners() *listeners {
	return &listeners{live: make(chan struct{}), all: map[chan string]func() bool{}}
}

// Changes implements treasury.Requests. It waits until the process listens: what changes
// after it returns is told. A listener whose queue is full, and all of them when the
// connection is lost, are closed: they read again and listen anew. Nothing is told unless
// Run runs.
func (d *Desk) Changes(ctx context.Context) (<-chan string, error) {
	for {
		d.heard.mu.Lock()
		live := d.heard.live
		if d.heard.on {
			ch, err := d.heard.add(ctx)
			d.heard.mu.Unlock()
			return ch, err
		}
		d.heard.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("listen to requests: %w", ctx.Err())
		case <-live:
		}
	}
}

// add takes a listener in. The lock is held.
func (l *listeners) add(ctx context.Context) (<-chan string, error) {
	if len(l.all) >= maxListeners {
		return nil, fmt.Errorf("listen to requests: %w: there are %d listeners", treasury.ErrInvalid, maxListeners)
	}
	ch := make(chan string, changesQueue)
	l.all[ch] = context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remove(ch)
	})
	return ch, nil
}

// remove closes a listener's channel, once. The lock is held.
func (l *listeners) remove(ch chan string) {
	if stop, ok := l.all[ch]; ok {
		stop()
		close(ch)
		delete(l.all, ch)
	}
}

// tell gives an id to all.
func (l *listeners) tell(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.all {
		select {
		case ch <- id:
		default:
			l.remove(ch)
		}
	}
}

// set says whether changes are heard. Who listened while they were not has missed some.
func (l *listeners) set(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case on && !l.on:
		close(l.live)
	case !on && l.on:
		l.live = make(chan struct{})
		for ch := range l.all {
			l.remove(ch)
		}
	}
	l.on = on
}

// listen hears of changes until ctx ends, over one connection after another.
func (d *Desk) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := d.listenOnce(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.WarnContext(ctx, "listen to requests that change", slog.Any("error", err))
		}
		pause := time.NewTimer(listenPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// listenOnce tells what it hears until the connection fails. The connection is not given
// back: what it collects is nobody else's.
func (d *Desk) listenOnce(ctx context.Context) error {
	conn, err := d.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		d.heard.set(false)
		_ = conn.Conn().Close(context.WithoutCancel(ctx)) // the pool drops closed connections
		conn.Release()
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+treasurydb.RequestChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	d.heard.set(true)
	for {
		if err := d.hear(ctx, conn); err != nil {
			return err
		}
	}
}

// hear waits for one change and tells it, or finds out that the connection lives.
func (d *Desk) hear(ctx context.Context, conn *pgxpool.Conn) error {
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
		return fmt.Errorf("wait for a change: %w", err)
	}
	d.heard.tell(n.Payload)
	return nil
}
