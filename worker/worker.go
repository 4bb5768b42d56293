package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"strongroom/internal/temporalx"
	"strongroom/worker/dispatch"
)

// Queue is the Temporal task queue of custody.
const Queue = "custody"

// Bounds of one worker, chosen for two cores: activities mostly wait for nodes.
const (
	maxActivities      = 64
	maxLocalActivities = 32
	maxWorkflowTasks   = 64
	activityPollers    = 4
	workflowPollers    = 4
	drain              = 20 * time.Second // activities under way may finish
)

// Config holds a worker's collaborators; all are needed but Label and Tracer.
type Config struct {
	Address   string // host:port of Temporal's frontend
	Namespace string
	Identity  string // who we are in histories: host and process
	Keys      *temporalx.Keyring

	Activities Activities
	Outbox     dispatch.Outbox
	Lock       dispatch.Lock // one dispatcher of many works
	// Label returns the search attributes with which a subject's workflow begins.
	Label func(ctx context.Context, topic, subject string) (temporalx.Labels, error)

	Metrics    prometheus.Registerer
	Tracer     trace.Tracer // nil: no spans
	Propagator propagation.TextMapPropagator
	Log        *slog.Logger
}

// Worker keeps the workflows going.
type Worker struct {
	cfg Config

	mu     sync.Mutex
	client client.Client // nil while Temporal is not there
}

// ErrNotReady reports a worker that takes no tasks at present.
var ErrNotReady = errors.New("worker takes no tasks")

// New returns a worker; Run makes it work.
func New(cfg Config) (*Worker, error) {
	switch {
	case cfg.Address == "" || cfg.Namespace == "" || cfg.Identity == "":
		return nil, errors.New("worker: config lacks address, namespace or identity")
	case cfg.Keys == nil:
		return nil, errors.New("worker: config lacks payload keys")
	case cfg.Activities.Outgoing == nil || cfg.Activities.Deposit == nil:
		return nil, errors.New("worker: config lacks activities")
	case cfg.Outbox == nil || cfg.Lock == nil || cfg.Metrics == nil || cfg.Log == nil:
		return nil, errors.New("worker: config lacks outbox, lock, metrics or log")
	}
	return &Worker{cfg: cfg}, nil
}

// Reconnection bounds.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Run works until ctx ends, and lets activities under way finish. Temporal may
// come and go: Run only ends with ctx, and then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; failures++ {
		started, failed := w.session(ctx)
		if started {
			failures = 0
		}
		if failures == 0 && ctx.Err() == nil {
			w.cfg.Log.WarnContext(ctx, "Temporal is not usable, trying again", "address", w.cfg.Address, "error", failed)
		}
		wait(ctx, min(firstRetry<<min(failures, 10), lastRetry))
	}
	return nil
}

// session connects, works until ctx ends or Temporal refuses us, and disconnects.
// started tells whether it took tasks.
func (w *Worker) session(ctx context.Context) (started bool, err error) {
	c, err := w.dial(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if err := temporalx.EnsureKeywords(ctx, c.OperatorService(), w.cfg.Namespace); err != nil {
		return false, err
	}
	fatal := make(chan error, 1)
	tasks := sdkworker.New(c, Queue, options(fatal))
	Register(tasks, w.cfg.Activities)
	if err := tasks.Start(); err != nil {
		return false, fmt.Errorf("start worker: %w", err)
	}
	defer tasks.Stop()
	if err := probeOnce(ctx, c, w.cfg.Identity); err != nil {
		return false, err
	}
	messages, err := w.dispatcher(c)
	if err != nil {
		return false, err
	}
	return true, w.work(ctx, c, messages, fatal)
}

// work carries messages while the SDK takes tasks.
func (w *Worker) work(ctx context.Context, c client.Client, messages *dispatch.Dispatcher, fatal <-chan error) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- messages.Run(ctx) }()
	w.present(c)
	w.cfg.Log.InfoContext(ctx, "worker takes tasks", "queue", Queue, "namespace", w.cfg.Namespace)
	var err error
	select {
	case <-ctx.Done():
		w.cfg.Log.InfoContext(ctx, "worker stops", "queue", Queue)
	case err = <-fatal:
		err = fmt.Errorf("worker was refused: %w", err)
	}
	w.present(nil)
	stop()
	return errors.Join(err, <-ended)
}

// present records through which client we work; nil for none.
func (w *Worker) present(c client.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.client = c
}

// Ready returns nil while tasks are taken and Temporal answers.
func (w *Worker) Ready(ctx context.Context) error {
	w.mu.Lock()
	c := w.client
	w.mu.Unlock()
	if c == nil {
		return ErrNotReady
	}
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("reach Temporal: %w", err)
	}
	return nil
}

func (w *Worker) dial(ctx context.Context) (client.Client, error) {
	data, failures := temporalx.Converters(w.cfg.Keys)
	o := client.Options{
		HostPort: w.cfg.Address, Namespace: w.cfg.Namespace, Identity: w.cfg.Identity,
		Logger: sdklog.NewStructuredLogger(slog.New(loud{w.cfg.Log.Handler()})), MetricsHandler: temporalx.NewMetrics(w.cfg.Metrics),
		DataConverter: data, FailureConverter: failures,
	}
	if w.cfg.Tracer != nil {
		tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
			Tracer: w.cfg.Tracer, TextMapPropagator: w.cfg.Propagator,
		})
		if err != nil {
			return nil, fmt.Errorf("trace Temporal: %w", err)
		}
		o.Interceptors = []interceptor.ClientInterceptor{tracing}
	}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal: %w", err)
	}
	return c, nil
}

// loud lets through what is wrong. What the SDK says beside that repeats, payloads
// included, what our own lines say of the same steps.
type loud struct{ slog.Handler }

// Enabled implements slog.Handler.
func (l loud) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && l.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (l loud) WithAttrs(attrs []slog.Attr) slog.Handler { return loud{l.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (l loud) WithGroup(name string) slog.Handler { return loud{l.Handler.WithGroup(name)} }

func (w *Worker) dispatcher(c client.Client) (*dispatch.Dispatcher, error) {
	return dispatch.New(dispatch.Config{
		Outbox: w.cfg.Outbox, Lock: w.cfg.Lock, Temporal: c, Queue: Queue,
		Label: w.cfg.Label, Metrics: w.cfg.Metrics, Log: w.cfg.Log,
	})
}

func options(fatal chan<- error) sdkworker.Options {
	return sdkworker.Options{
		MaxConcurrentActivityExecutionSize:      maxActivities,
		MaxConcurrentLocalActivityExecutionSize: maxLocalActivities,
		MaxConcurrentWorkflowTaskExecutionSize:  maxWorkflowTasks,
		MaxConcurrentActivityTaskPollers:        activityPollers,
		MaxConcurrentWorkflowTaskPollers:        workflowPollers,
		WorkerStopTimeout:                       drain,
		// A workflow whose code does not match its history is kept, not failed: it
		// goes on once the right release runs.
		WorkflowPanicPolicy: sdkworker.BlockWorkflow,
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default: // one reason is enough
			}
		},
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
