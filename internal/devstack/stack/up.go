package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/faucet"
	"strongroom/internal/devstack/miner"
	"strongroom/internal/mtls"
)

// The nodes that can carry the Ethereum chain of development.
const (
	EVMAnvil = "anvil"
	EVMGeth  = "geth"
)

// Namespace is the Temporal namespace of the platform.
const Namespace = "strongroom"

const (
	nodeUser = "strongroom"
	database = "strongroom"
	// firstBlocks gives the faucet its first mature coins.
	firstBlocks = 120
)

// Child is one of the platform's own processes, or a task between two of them.
type Child struct {
	Name string
	// Task is done once, at its place in the order, given what all processes are told;
	// nil for a process. detail is for people.
	Task    func(ctx context.Context, env map[string]string) (detail string, err error)
	Command []string
	Env     map[string]string // beside what all are told
	// ReadyURL answers 200 when the process serves.
	ReadyURL string
	Endpoint string // for people
}

// Config says what to run and whom to tell.
type Config struct {
	Layout Layout
	Root   string // folder of the tools: the repository
	// EVM is the node of the Ethereum chain, EVMAnvil or EVMGeth. Empty: the one
	// that made the folder's chain, anvil for a new folder.
	EVM string
	// Trading has the processes told where matching is; Children says whether it runs.
	Trading bool
	// Treasury has people of the house asked: their keys are made, and processes are told
	// where they are. Children says who asks.
	Treasury bool
	// Env is what all processes are told beside what the stack knows.
	Env map[string]string
	// Migrate brings the platform's database up to date.
	Migrate func(ctx context.Context, databaseURL string) error
	// LoadAssets enters the assets of a file into the platform's registry.
	LoadAssets func(ctx context.Context, databaseURL, file string) error
	// Children returns the platform's own processes, in the order of their start.
	Children func(Ports) []Child
	// Step is told each finished step of the start; Note is told everything else
	// that people should know. Both may be called from several goroutines.
	Step  func(name string, took time.Duration, detail string)
	Note  func(line string)
	Clock func() time.Time
	// LongestPause bounds the wait before a service that ended is started again; the
	// supervisor's usual one where zero.
	LongestPause time.Duration
}

// Ports tells the children's ports.
type Ports struct {
	API, WorkerMetrics, Signer, SignerMetrics string // host:port
	Matching, MatchingMetrics, TradingMetrics string
	SimMetrics, Treasury, TreasuryMetrics     string
}

// Stack is a running platform.
type Stack struct {
	cfg        Config
	settings   Settings
	lock       *os.File
	claims     *devstack.Claims
	logFile    *os.File
	log        *slog.Logger // logs/up.log
	supervisor *devstack.Supervisor
	faucet     *faucet.Faucet
	env        map[string]string
	secrets    secrets
	ethRPC     devstack.RPC
	bitcoin    *miner.Bitcoin
	litecoin   *miner.Bitcoin
	logs       []*miner.BlockLog

	miners   map[string]*miner.Miner // by chain
	mines    sync.WaitGroup
	endMines context.CancelFunc
}

type secrets struct{ postgres, btcd, litecoin string }

// ErrConfig reports a Config that lacks something.
var ErrConfig = errors.New("stack is not configured")

func (c Config) check() error {
	if c.Migrate == nil || c.LoadAssets == nil || c.Children == nil || c.Step == nil || c.Note == nil ||
		c.Clock == nil || c.Root == "" {
		return ErrConfig
	}
	return nil
}

// Up starts everything and returns when it is ready. What it started before an
// error is stopped again. ErrRunning where another process has the folder.
func Up(ctx context.Context, cfg Config) (*Stack, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Stack{cfg: cfg, endMines: func() {}, miners: map[string]*miner.Miner{}, claims: devstack.NewClaims()}
	if err := cfg.Layout.create(); err != nil {
		return nil, err
	}
	lock, err := cfg.Layout.lock()
	if err != nil {
		return nil, err
	}
	s.lock = lock
	if s.logFile, err = s.openLog("up"); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.log = slog.New(slog.NewJSONHandler(s.logFile, nil))
	s.supervisor, err = devstack.NewSupervisor(devstack.SupervisorConfig{Clock: cfg.Clock, Record: s.record, Notify: s.notify, LongestPause: cfg.LongestPause})
	if err != nil {
		return nil, errors.Join(err, s.logFile.Close(), lock.Close())
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Down())
	}
	return s, nil
}

// Reset wipes a folder whose stack does not run, and says what goes.
func Reset(l Layout, note func(string)) error {
	if _, err := os.Stat(l.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := l.endOrphans(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	note("reset: removing databases, workflow histories, all chains, keys, certificates and logs in " + l.Dir)
	return l.wipe()
}

// start goes through the steps in order.
func (s *Stack) start(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) (detail string, err error)
	}{
		{"state folder", s.prepare},
		{"postgres", s.postgres},
		{"migrations", s.migrate},
		{"ethereum", s.ethereum},
		{"btcd", s.btcd},
		{"litecoind", s.litecoind},
		{"test token", s.token},
		{"cold vault", s.people},
		{"assets", s.assets},
		{"temporal", s.temporal},
	}
	for _, step := range steps {
		if err := s.step(ctx, step.name, step.run); err != nil {
			return err
		}
	}
	for _, child := range s.cfg.Children(s.childPorts()) {
		run := func(ctx context.Context) (string, error) { return child.Endpoint, s.child(ctx, child) }
		if child.Task != nil {
			run = func(ctx context.Context) (string, error) { return child.Task(ctx, s.env) }
		}
		if err := s.step(ctx, child.Name, run); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) step(ctx context.Context, name string, run func(context.Context) (string, error)) error {
	began := s.cfg.Clock()
	detail, err := run(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.cfg.Step(name, s.cfg.Clock().Sub(began), detail)
	return nil
}

// prepare makes secrets, certificates and ports.
func (s *Stack) prepare(context.Context) (string, error) {
	l := s.cfg.Layout
	if err := l.endOrphans(); err != nil {
		return "", err
	}
	if err := l.create(); err != nil {
		return "", err
	}
	var err error
	if s.settings, err = l.ReadSettings(); err != nil {
		return "", err
	}
	if err := s.chooseEVM(); err != nil {
		return "", err
	}
	moved, err := l.claimPorts(&s.settings, s.claims)
	if err != nil {
		return "", err
	}
	for _, m := range moved {
		s.cfg.Note(fmt.Sprintf("port %d is taken: %s moves to %d", m.From, m.Name, m.To))
	}
	for name, into := range map[string]*string{
		postgresSecret: &s.secrets.postgres, btcdSecret: &s.secrets.btcd, litecoinSecret: &s.secrets.litecoin, payloadSecret: nil, passphraseSecret: nil,
	} {
		text, err := l.secret(name)
		if err != nil {
			return "", err
		}
		if into != nil {
			*into = text
		}
	}
	if err := mtls.EnsureDev(l.path("tls"), "signer", "worker", "api", "cli", "matching", "trading", "treasury"); err != nil {
		return "", fmt.Errorf("issue certificates: %w", err)
	}
	return l.Dir, nil
}

// Down stops everything in reverse order and gives the folder back.
func (s *Stack) Down() error {
	s.endMines()
	s.mines.Wait()
	err := s.supervisor.Stop()
	for _, log := range s.logs {
		err = errors.Join(err, log.Close())
	}
	return errors.Join(err, s.claims.Release(), s.logFile.Close(), s.lock.Close())
}

// notify tells people in one line, and the log in full.
func (s *Stack) notify(h devstack.Happening) {
	s.log.Info("service changed", "service", h.Service, "what", h.What, "error", h.Err)
	s.cfg.Note(h.Service + " " + h.What)
}

// Status says what is running.
func (s *Stack) Status() Status {
	return Status{
		Dir: s.cfg.Layout.Dir, Running: true, PID: os.Getpid(), Ports: s.settings.Ports,
		Services: s.supervisor.States(), URLs: urls(s.settings.Ports),
	}
}

// Faucet pays as the outside world.
func (s *Stack) Faucet() *faucet.Faucet { return s.faucet }

// Env returns the settings that the platform's processes run with.
func (s *Stack) Env() map[string]string { return s.env }

// record keeps a service's state for status and for the next start.
func (s *Stack) record(state devstack.State) {
	if err := s.cfg.Layout.writeRecord(state); err != nil {
		s.log.Error("state is not recorded", "service", state.Name, "error", err)
	}
}

func (s *Stack) childPorts() Ports {
	at := func(port string) string { return devstack.Loopback(s.settings.Ports[port]) }
	return Ports{
		API: at(portAPI), WorkerMetrics: at(portWorkerMetrics),
		Signer: at(portSigner), SignerMetrics: at(portSignerMetrics),
		Matching: at(portMatching), MatchingMetrics: at(portMatchingMetrics), TradingMetrics: at(portTradingMetrics),
		SimMetrics: at(portSimMetrics), Treasury: at(portTreasury), TreasuryMetrics: at(portTreasuryMetrics),
	}
}
