package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/matching/engine"
	"strongroom/matching/history"
	"strongroom/matching/journal"
	"strongroom/matching/server"
)

// Config says what a node is and with whom.
type Config struct {
	// Dir holds all of the node: the journal's folder and the history's.
	Dir string
	// Journal is the journal's configuration but for Dir, Clock and Log.
	Journal journal.Config
	// Engine bounds the shard. All nodes must have the same, for ever.
	Engine engine.Config
	// HistoryBytes is how many bytes of events are kept; zero is the default.
	HistoryBytes int64
	// TLS is of mtls.ServerConfig; Peers are the rights of callers by certificate name.
	TLS   *tls.Config
	Peers map[string]server.Rights
	// Grace is how long a session may be without a stream.
	Grace   time.Duration
	Metrics prometheus.Registerer
	Log     *slog.Logger
	Clock   func() time.Time
}

// Node is a running node. It follows or leads as the journal decides.
type Node struct {
	machine *machine
	journal *journal.Log
	events  *history.Store
	server  *server.Server
}

// Folders in Config.Dir.
const (
	journalFolder = "journal"
	historyFolder = "events"
)

// Open opens or, where the journal's configuration says so, creates a node.
func Open(cfg Config) (*Node, error) {
	if cfg.Dir == "" || cfg.Log == nil || cfg.Clock == nil || cfg.Metrics == nil || cfg.TLS == nil {
		return nil, errors.New("node of matching: folder, logger, clock, metrics or TLS is missing")
	}
	metrics, err := server.NewMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if !cfg.Journal.Create && !Exists(cfg.Dir) {
		return nil, fmt.Errorf("open journal: no node in %s: %w", cfg.Dir, os.ErrNotExist)
	}
	events, err := history.Open(history.Config{Dir: filepath.Join(cfg.Dir, historyFolder), MaxBytes: cfg.HistoryBytes, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	n, err := open(cfg, metrics, events)
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return n, nil
}

func open(cfg Config, metrics *server.Metrics, events *history.Store) (*Node, error) {
	m, err := newMachine(cfg, events, metrics)
	if err != nil {
		return nil, err
	}
	j := cfg.Journal
	j.Dir, j.Clock, j.Log = filepath.Join(cfg.Dir, journalFolder), cfg.Clock, cfg.Log
	log, err := journal.Open(j, m)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	m.running.Store(true)
	srv, err := server.New(server.Config{
		Machine: m.state, Log: entries{log}, History: events, TLS: cfg.TLS, Peers: cfg.Peers,
		Metrics: metrics, Logger: cfg.Log, Clock: cfg.Clock, Grace: cfg.Grace,
	})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &Node{machine: m, journal: log, events: events, server: srv}, nil
}

// Exists reports whether a node was created in a folder, whatever became of it.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, journalFolder))
	return !errors.Is(err, os.ErrNotExist)
}

// entries gives the server the journal as its log.
type entries struct{ log *journal.Log }

func (e entries) Begin(ctx context.Context, entry []byte) (server.Ticket, error) {
	t, err := e.log.Begin(ctx, entry)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (e entries) Leading() (uint64, bool) {
	s := e.log.Status()
	return s.Epoch, s.Leading
}

// Status tells where the node stands.
func (n *Node) Status() journal.Status { return n.journal.Status() }

// Digest is the machine's checksum.
func (n *Node) Digest() uint64 { return n.machine.Digest() }

// Serve answers on l until ctx ends or the node halts, and closes the node. The error
// says why it halted.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-n.journal.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := n.server.Serve(ctx, l)
	halted := n.journal.Status().Err
	return errors.Join(err, halted, n.Close())
}

// Close ends a node that does not serve.
func (n *Node) Close() error {
	err := n.journal.Close()
	n.machine.state.Settle()
	return errors.Join(err, n.events.Close())
}
