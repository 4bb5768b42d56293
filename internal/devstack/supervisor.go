package devstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Service is a server that a Supervisor keeps running.
type Service struct {
	// Name is the server's short name.
	Name string
	// Spec describes the next start; it is asked again before each one, for a
	// start may depend on what the last run left behind.
	Spec func(ctx context.Context) (Spec, error)
	// Restore runs after each start, before the service counts as ready: it
	// gives back what the server lost. May be nil.
	Restore func(ctx context.Context) error
	// Endpoint is what users of the service connect to, for status.
	Endpoint string
}

// Happening is something that became of a service.
type Happening struct {
	Service string
	What    string // one line for people: "ended (signal: killed); starting it again in 200ms"
	Err     error  // nil: good news
}

// State is how a service is doing.
type State struct {
	Name     string    `json:"name"`
	Order    int       `json:"order"` // of the start, from 1
	PID      int       `json:"pid"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since"`
	Endpoint string    `json:"endpoint,omitempty"`
}

// SupervisorConfig holds the collaborators of a Supervisor.
type SupervisorConfig struct {
	Clock func() time.Time
	// Notify is told what happens, from several goroutines. May be nil.
	Notify func(Happening)
	// LongestPause bounds the wait before another start; 10 s where zero.
	LongestPause time.Duration
	// Record is told each change of a service's state; Ready is false and PID is
	// 0 when the service has ended. May be nil.
	Record func(State)
}

// Supervisor keeps services running: one that dies is started again, with a
// growing pause, for ever; services stop in the reverse order of their start.
type Supervisor struct {
	cfg      SupervisorConfig
	mu       sync.Mutex
	services []*supervised
	stopping bool
}

type supervised struct {
	service Service
	order   int
	stop    context.CancelFunc
	gone    chan struct{} // closed when nothing of the service runs any more

	mu    sync.Mutex
	state State
	err   error
}

const (
	firstPause = 200 * time.Millisecond
	longPause  = 10 * time.Second
	// steadyAfter is how long a service runs before its pauses start over.
	steadyAfter = 30 * time.Second
)

// NewSupervisor returns a supervisor without services.
func NewSupervisor(cfg SupervisorConfig) (*Supervisor, error) {
	if cfg.Clock == nil {
		return nil, errors.New("supervisor needs a clock")
	}
	if cfg.Notify == nil {
		cfg.Notify = func(Happening) {}
	}
	if cfg.Record == nil {
		cfg.Record = func(State) {}
	}
	if cfg.LongestPause <= 0 {
		cfg.LongestPause = longPause
	}
	return &Supervisor{cfg: cfg}, nil
}

// Start starts a service and returns when it is ready; from then on it is kept
// running until Stop. A first start that fails is an error, not a retry.
func (s *Supervisor) Start(ctx context.Context, service Service) error {
	process, err := s.launch(ctx, service)
	if err != nil {
		return err
	}
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	run := &supervised{service: service, order: len(s.services) + 1, stop: cancel, gone: make(chan struct{})}
	if s.stopping {
		cancel()
		return errors.Join(errors.New("supervisor is stopping"), process.Stop())
	}
	s.services = append(s.services, run)
	run.set(s, process, 0)
	go s.keep(alive, run, process)
	return nil
}

// Stop ends all services, last started first.
func (s *Supervisor) Stop() error {
	s.mu.Lock()
	s.stopping = true
	services := slices.Clone(s.services)
	s.mu.Unlock()
	slices.Reverse(services)
	var errs []error
	for _, run := range services {
		run.stop()
		<-run.gone
		errs = append(errs, run.err)
		s.cfg.Notify(Happening{Service: run.service.Name, What: "stopped", Err: run.err})
	}
	return errors.Join(errs...)
}

// States returns how each service is doing, in the order of start.
func (s *Supervisor) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]State, 0, len(s.services))
	for _, run := range s.services {
		run.mu.Lock()
		states = append(states, run.state)
		run.mu.Unlock()
	}
	return states
}

// launch starts a service once.
func (s *Supervisor) launch(ctx context.Context, service Service) (*Process, error) {
	spec, err := service.Spec(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", service.Name, err)
	}
	process, err := Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	if service.Restore != nil {
		if err := service.Restore(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("restore %s: %w", service.Name, err), process.Stop())
		}
	}
	return process, nil
}

// keep watches one service until ctx ends.
func (s *Supervisor) keep(ctx context.Context, run *supervised, process *Process) {
	defer close(run.gone)
	pause, restarts := firstPause, 0
	for {
		started := s.cfg.Clock()
		select {
		case <-ctx.Done():
			run.err = process.Stop()
			run.set(s, nil, restarts)
			return
		case <-process.Done():
		}
		run.set(s, nil, restarts)
		if s.cfg.Clock().Sub(started) > steadyAfter {
			pause = firstPause
		}
		process = s.again(ctx, run, ended(process), &pause)
		if process == nil {
			return
		}
		restarts++
		run.set(s, process, restarts)
		s.cfg.Notify(Happening{Service: run.service.Name, What: "runs again"})
	}
}

// again starts a service that ended, as often as it takes. It returns nil when
// ctx ends first.
func (s *Supervisor) again(ctx context.Context, run *supervised, why error, pause *time.Duration) *Process {
	for {
		reason, _, _ := strings.Cut(why.Error(), "\n")
		s.cfg.Notify(Happening{
			Service: run.service.Name, Err: why,
			What: fmt.Sprintf("%s; starting it again in %s", reason, *pause),
		})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(*pause): //nolint:forbidigo // a pause before another attempt
		}
		*pause = min(*pause*2, s.cfg.LongestPause)
		process, err := s.launch(ctx, run.service)
		if err == nil {
			return process
		}
		if ctx.Err() != nil {
			return nil
		}
		why = err
	}
}

func ended(p *Process) error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("ended (%w)", err)
	}
	return errors.New("ended by itself")
}

// set notes what runs now; nil for nothing.
func (r *supervised) set(s *Supervisor, process *Process, restarts int) {
	state := State{
		Name: r.service.Name, Order: r.order, Restarts: restarts, Since: s.cfg.Clock(), Endpoint: r.service.Endpoint,
	}
	if process != nil {
		state.PID, state.Ready = process.PID(), true
	}
	r.mu.Lock()
	r.state = state
	r.mu.Unlock()
	s.cfg.Record(state)
}
