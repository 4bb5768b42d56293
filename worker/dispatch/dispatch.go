// Package dispatch carries custody's outbox to Temporal: it begins workflows and
// tells running ones to look again. Each message arrives at least once; workflow
// ids make a start happen once, and a signal that comes twice does no harm. A
// message is marked as sent only after the server has accepted it. It reads no
// payload and decides nothing. While Temporal is down it waits; the outbox keeps.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/custody/custodydb"
	"strongroom/internal/crash"
	"strongroom/internal/temporalx"
)

// Outbox is where the messages wait.
type Outbox interface {
	Outbox(ctx context.Context, limit int) ([]custodydb.OutboxRow, error)
	OutboxSent(ctx context.Context, seqs []int64) error
	OutboxWait(ctx context.Context, atMost time.Duration) error
}

// Temporal is what the dispatcher needs of a Temporal client.
type Temporal interface {
	temporalx.Starter
	temporalx.Signaller
}

// Lock lets one dispatcher of many work.
type Lock interface {
	// Try takes the lock, or answers nil where somebody else has it.
	Try(ctx context.Context) (Lease, error)
}

// Lease is a lock that was taken.
type Lease interface {
	// Held fails once the lock may be gone.
	Held(ctx context.Context) error
	// Release gives it up.
	Release()
}

// Bounds of a dispatcher.
const (
	batchRows   = 256              // read at once
	lanes       = 16               // subjects served at once
	markRows    = 32               // accepted messages that are marked together
	callTimeout = 10 * time.Second // one call to Temporal
	markTimeout = 10 * time.Second // marking after the process was told to stop
	longestIdle = 2 * time.Second  // wait for a notification, then look all the same
	takeOver    = time.Second      // between tries for the lock
	firstPause  = 100 * time.Millisecond
	longPause   = 5 * time.Second
)

// Config holds a dispatcher's collaborators; all are needed but Label.
type Config struct {
	Outbox   Outbox
	Lock     Lock
	Temporal Temporal
	Queue    string // Temporal task queue
	// Label returns the search attributes with which a subject's workflow begins.
	Label   func(ctx context.Context, topic, subject string) (temporalx.Labels, error)
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Dispatcher carries messages. Any number may run; the lock lets one work.
type Dispatcher struct {
	cfg     Config
	sent    *prometheus.CounterVec
	failed  prometheus.Counter
	leading prometheus.Gauge
}

// New returns a Dispatcher. Its metrics are registered once per registry.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Outbox == nil || cfg.Lock == nil || cfg.Temporal == nil || cfg.Queue == "" || cfg.Metrics == nil || cfg.Log == nil {
		return nil, errors.New("dispatch: config is incomplete")
	}
	if cfg.Label == nil {
		cfg.Label = func(context.Context, string, string) (temporalx.Labels, error) { return temporalx.Labels{}, nil }
	}
	return &Dispatcher{
		cfg: cfg,
		sent: registered(cfg.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_outbox_sent_total", Help: "Messages that Temporal has accepted.",
		}, []string{"topic", "kind"})),
		failed: registered(cfg.Metrics, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "strongroom_outbox_failures_total", Help: "Deliveries that failed and are tried again.",
		})),
		leading: registered(cfg.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "strongroom_outbox_leader", Help: "1 while this process carries the outbox.",
		})),
	}, nil
}

// registered registers fresh, or returns what a dispatcher before it registered.
func registered[C prometheus.Collector](r prometheus.Registerer, fresh C) C {
	if before, is := errors.AsType[prometheus.AlreadyRegisteredError](r.Register(fresh)); is {
		if have, same := before.ExistingCollector.(C); same {
			return have
		}
	}
	return fresh
}

// Run works until ctx ends. It returns nil then, and never for another reason.
func (d *Dispatcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := d.lead(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.WarnContext(ctx, "dispatcher lost its place", "error", err)
		}
		pause(ctx, takeOver)
	}
	return nil
}

// lead carries messages for as long as this process has the lock.
func (d *Dispatcher) lead(ctx context.Context) error {
	lease, err := d.cfg.Lock.Try(ctx)
	if err != nil || lease == nil {
		return err
	}
	defer lease.Release()
	d.leading.Set(1)
	defer d.leading.Set(0)
	d.cfg.Log.InfoContext(ctx, "dispatcher leads")
	for failures := 0; ctx.Err() == nil; {
		if err := lease.Held(ctx); err != nil {
			return fmt.Errorf("keep lock: %w", err)
		}
		moved, err := d.batch(ctx)
		switch {
		case err == nil:
			failures = 0
		case moved:
			failures = 0 // others pass while one is stuck
		default:
			if failures == 0 && ctx.Err() == nil {
				d.cfg.Log.WarnContext(ctx, "outbox is stuck, trying again", "error", err)
			}
			pause(ctx, min(firstPause<<min(failures, 10), longPause))
			failures++
		}
	}
	return nil
}

// batch carries the oldest messages, or waits for some. moved tells whether any
// was accepted.
func (d *Dispatcher) batch(ctx context.Context) (moved bool, err error) {
	rows, err := d.cfg.Outbox.Outbox(ctx, batchRows)
	if err != nil {
		return false, fmt.Errorf("read outbox: %w", err)
	}
	if len(rows) == 0 {
		if err := d.cfg.Outbox.OutboxWait(ctx, longestIdle); err != nil {
			return false, fmt.Errorf("wait for outbox: %w", err)
		}
		return false, nil
	}
	return d.deliver(ctx, rows)
}

// lane sends one subject's messages up to the first that fails. Signals in a row
// become one: each only says that there is something to look at.
func (d *Dispatcher) lane(ctx context.Context, rows []custodydb.OutboxRow) ([]int64, error) {
	var done, waiting []int64
	for i, row := range rows {
		waiting = append(waiting, row.Seq)
		if row.Kind == custodydb.KindSignal && i+1 < len(rows) && rows[i+1].Kind == custodydb.KindSignal {
			continue
		}
		crash.At(crash.OutboxBeforeSend)
		if err := d.send(ctx, row); err != nil {
			return done, fmt.Errorf("send %s: %w", row.Key, err)
		}
		d.sent.WithLabelValues(row.Topic, row.Kind).Add(float64(len(waiting)))
		done, waiting = append(done, waiting...), nil
	}
	return done, nil
}

// bySubject splits rows into one list per workflow, each in order.
func bySubject(rows []custodydb.OutboxRow) [][]custodydb.OutboxRow {
	place := map[string]int{}
	var lists [][]custodydb.OutboxRow
	for _, row := range rows {
		key := row.Topic + "/" + row.Subject
		at, known := place[key]
		if !known {
			at = len(lists)
			place[key] = at
			lists = append(lists, nil)
		}
		lists[at] = append(lists[at], row)
	}
	return lists
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
