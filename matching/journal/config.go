package journal

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Defaults and bounds of Config. Sizes are bytes.
const (
	DefaultSegmentBytes    = 64 << 20
	DefaultSnapshotEntries = 1 << 20
	DefaultSnapshotBytes   = 256 << 20
	DefaultCheckEvery      = 1 << 12
	DefaultKeepEntries     = 1 << 12
	DefaultTick            = 20 * time.Millisecond
	// MaxEntryBytes is the largest entry that Propose takes.
	MaxEntryBytes = 1 << 20

	minSegmentBytes = 16 << 10
	maxNodes        = 7
	maxNameBytes    = 64
)

// Entry is a committed batch as the machine sees it. Data belongs to the journal
// and must not be changed or kept after Apply returns.
type Entry struct {
	// Index is the place in the log. It rises, and not always by one: the journal
	// has entries of its own.
	Index uint64
	// Epoch is the Raft term in which the entry was accepted. It never falls.
	Epoch uint64
	// Leading says that this node led in Epoch when it applied the entry; false on
	// followers and in a replay.
	Leading bool
	// Data is the batch as it was proposed.
	Data []byte
}

// Machine is the state that the log drives. All calls come from one goroutine;
// what a Snapshot returned is written by another.
type Machine interface {
	// Apply takes the next entry. It must be a function of the state and of Data. An
	// error halts the node: the state is not to be used.
	Apply(e Entry) error
	// Snapshot returns a writer of a copy of the state: the copy is made before it
	// returns, so that applying goes on while the copy is written.
	Snapshot() (io.WriterTo, error)
	// Restore replaces the state by what a Snapshot wrote.
	Restore(r io.Reader) error
	// Digest is a checksum of the state, equal on nodes that applied the same.
	Digest() uint64
}

// Peer is a node of the shard.
type Peer struct {
	// ID is the node's number, above zero and never given to another machine.
	ID uint64
	// Name is the common name of the node's certificate.
	Name string
	// Address is host:port of the node's journal listener.
	Address string
}

// Config says which log to open and how.
type Config struct {
	// Dir is the data folder. Cluster and Shard are the log's identity, at most 64
	// bytes each; a folder of another identity is refused.
	Dir, Cluster, Shard string
	// Node is this node's number.
	Node uint64
	// Peers lists all nodes of the shard, this one too; empty for a node alone.
	Peers []Peer
	// Wire connects the nodes; nil for a node alone.
	Wire Wire
	// Create makes a new log where the folder is missing or empty, and refuses any
	// other; without it a missing or empty folder is refused.
	Create bool
	// UseOlderSnapshot starts from the older of the two snapshots where the newest
	// is damaged. The log between them is still required.
	UseOlderSnapshot bool
	// SegmentBytes is the size of a log file. Zero values mean the defaults.
	SegmentBytes int64
	// SnapshotEntries and SnapshotBytes: a snapshot is taken when as much was
	// applied since the last one, whichever comes first.
	SnapshotEntries, SnapshotBytes uint64
	// CheckEvery is the distance in entries between digests that nodes compare.
	CheckEvery uint64
	// KeepEntries is how many entries before a snapshot stay in memory for followers
	// that are behind; who is further behind gets the snapshot.
	KeepEntries uint64
	// Tick is Raft's unit of time: heartbeats every 2, elections after 10 to 20.
	Tick time.Duration
	// Clock sets deadlines on connections.
	Clock func() time.Time
	// Log takes what an operator should know.
	Log *slog.Logger
}

// Status is what a node knows of itself and of the shard.
type Status struct {
	// Node, Leader are node numbers; Leader is zero while there is none.
	Node, Leader uint64
	// Epoch is the present Raft term.
	Epoch uint64
	// Leading says that this node leads, and has applied all that was acknowledged
	// in earlier epochs.
	Leading bool
	// Applied and Snapshot are the indices of the last applied entry and of the last
	// durable snapshot.
	Applied, Snapshot uint64
	// Err is why the node halted, nil while it runs.
	Err error
}

// withDefaults checks c and fills what is zero.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" || c.Node == 0 || c.Clock == nil || c.Log == nil {
		return c, fmt.Errorf("%w: folder, node, clock or logger is missing", ErrConfig)
	}
	if !nameable(c.Cluster) || !nameable(c.Shard) {
		return c, fmt.Errorf("%w: cluster %.70q, shard %.70q", ErrConfig, c.Cluster, c.Shard)
	}
	if len(c.Peers) == 0 {
		c.Peers = []Peer{{ID: c.Node}}
	}
	if err := c.checkPeers(); err != nil {
		return c, err
	}
	c.SegmentBytes = orDefault(c.SegmentBytes, DefaultSegmentBytes)
	c.SnapshotEntries = orDefault(c.SnapshotEntries, DefaultSnapshotEntries)
	c.SnapshotBytes = orDefault(c.SnapshotBytes, DefaultSnapshotBytes)
	c.CheckEvery = orDefault(c.CheckEvery, DefaultCheckEvery)
	c.KeepEntries = orDefault(c.KeepEntries, DefaultKeepEntries)
	c.Tick = orDefault(c.Tick, DefaultTick)
	if c.SegmentBytes < minSegmentBytes || c.SegmentBytes%sector != 0 || c.Tick < time.Millisecond {
		return c, fmt.Errorf("%w: segment of %d bytes or tick of %s", ErrConfig, c.SegmentBytes, c.Tick)
	}
	return c, nil
}

func nameable(s string) bool { return s != "" && len(s) <= maxNameBytes }

func (c Config) checkPeers() error {
	seen := make(map[uint64]bool, len(c.Peers))
	for _, p := range c.Peers {
		if p.ID == 0 || seen[p.ID] {
			return fmt.Errorf("%w: node number %d is zero or given twice", ErrConfig, p.ID)
		}
		seen[p.ID] = true
	}
	if !seen[c.Node] || len(c.Peers) > maxNodes || (len(c.Peers) > 1) != (c.Wire != nil) {
		return fmt.Errorf("%w: node %d among %d peers", ErrConfig, c.Node, len(c.Peers))
	}
	return nil
}

func orDefault[T int64 | uint64 | time.Duration](value, other T) T {
	if value == 0 {
		return other
	}
	return value
}
