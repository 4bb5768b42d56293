package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// Bounds of a shard that all of its nodes must share: they decide what an entry does.
const (
	// Window is how many results of a session are kept.
	Window = 4096
	// MaxBatchEvents is how many events a batch has at most.
	MaxBatchEvents = 1024

	maxSessions      = 1024
	maxOwnerSessions = 64
)

// Bounds of one node.
const (
	// MaxEntryCommands is how many commands an entry is filled up to; the last frame
	// in it may go beyond.
	MaxEntryCommands = 1024
	maxEntryBytes    = 256 << 10
	maxQueued        = 1024 // commands of a session that wait; then it is not read from
	maxFlights       = 4    // entries under way to the log
	maxControls      = 256  // sessions and markets that wait to be made
	maxAccounts      = 64   // that a session listens to
	maxFrameBytes    = 256 << 10
	maxKeptFrames    = 4096    // of a session, sent or not
	maxKeptBytes     = 4 << 20 // of these
	maxRingBytes     = 16 << 20
	maxRingBatches   = 1 << 16
	maxLevels        = 1000
	maxOrders        = 10_000
	maxAssets        = 256
	maxRecvBytes     = wire.MaxFrameBytes + 4096
	maxStreams       = 256 // of a connection
)

// Defaults of Config.
const (
	DefaultGrace = 5 * time.Second
	DefaultTick  = 100 * time.Millisecond
)

// Engine is what a shard's engine does here; *engine.Engine is one.
type Engine interface {
	Apply(c *engine.Command, out []engine.Event) []engine.Event
	Configure(c *engine.Command, cfg *engine.MarketConfig, out []engine.Event) []engine.Event
	Digest() uint64
	Reader
}

// Reader reads an engine between two commands.
type Reader interface {
	Depth(id engine.MarketID, side engine.Side, n int, out []engine.DepthLevel) []engine.DepthLevel
	Orders(id engine.AccountID, out []engine.OrderRow) []engine.OrderRow
	Balance(id engine.AccountID, asset engine.AssetID) (available, reserved engine.Amount)
}

// Ticket is an entry on its way. Wait returns its index once it is committed and was
// applied here; with an error it may have been committed or not.
type Ticket interface {
	Wait(ctx context.Context) (uint64, error)
}

// Log puts entries into one order and gives those that are committed to the Machine.
// Package journal has one that lasts, Memory is one for tests.
type Log interface {
	// Begin proposes entry and copies it. Entries begun one after the other are
	// committed in that order, or from some point on not at all.
	Begin(ctx context.Context, entry []byte) (Ticket, error)
	// Leading tells the epoch, and whether this node decides in it.
	Leading() (epoch uint64, leading bool)
}

// Rights says what a process may do.
type Rights struct {
	// Any lets it trade for every account, otherwise only for Accounts.
	Any      bool
	Accounts []engine.AccountID
	// Operate lets it move balances, make accounts and markets, and set states.
	Operate bool
	// Events lets it read the stream of all events.
	Events bool
}

// Config is what a server needs. History may be nil: then only what is kept in memory
// can be streamed.
type Config struct {
	Machine *Machine
	Log     Log
	History History
	TLS     *tls.Config // of mtls.ServerConfig
	// Peers says by the name in a caller's certificate what it may do; others may nothing.
	Peers   map[string]Rights
	Metrics *Metrics
	Logger  *slog.Logger
	// Clock gives log time; it is never let go back.
	Clock func() time.Time
	// Grace is how long, in log time, a session may be without a stream before it ends.
	Grace time.Duration
	// Tick is how often log time goes on where nothing else happens.
	Tick time.Duration
}

var errConfig = errors.New("matching server lacks a collaborator")

func (c Config) withDefaults() (Config, error) {
	if c.Machine == nil || c.Log == nil || c.TLS == nil || c.Metrics == nil || c.Logger == nil || c.Clock == nil {
		return c, errConfig
	}
	if c.Grace < 0 || c.Tick < 0 {
		return c, fmt.Errorf("%w: grace %s, tick %s", errConfig, c.Grace, c.Tick)
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Tick == 0 {
		c.Tick = DefaultTick
	}
	return c, nil
}
