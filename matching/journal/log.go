package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/semaphore"
)

// Bounds of what waits inside a Log.
const (
	proposalQueue = 1024
	inboxQueue    = 1024
	applyQueue    = 8
	controlQueue  = 64
	checkQueue    = 16

	// maxPendingBytes of entries may be proposed and not yet applied; Begin waits.
	maxPendingBytes = 64 << 20
	// maxBatchBytes of proposals go into one write.
	maxBatchBytes = 4 << 20
	// maxApplyBytes of entries go to the machine between two looks at the clock.
	maxApplyBytes = 1 << 20

	electionTicks  = 10
	heartbeatTicks = 2
	maxInflight    = 256
)

// Log is an open journal. All methods may be called from any goroutine.
type Log struct {
	cfg      Config
	identity uint64
	origin   uint64 // tells this process's entries from others'
	voters   []uint64
	machine  Machine
	folder   *os.File

	// The loop's own.
	rn       *raft.RawNode
	storage  *raft.MemoryStorage
	w        *wal
	hs       state
	sequence uint64
	peers    map[uint64]*peer
	incoming map[uint64]string // received snapshot files by index
	taken    int               // bytes of entries received since the last write
	backlog  []job             // what the machine's goroutine has no room for yet
	behind   int               // bytes of entries in it

	proposals chan *Ticket
	inbox     chan inbound
	control   chan func() error
	checks    chan []byte
	jobs      chan job
	budget    *semaphore.Weighted

	pending   pending
	leadTerm  atomic.Uint64 // the epoch in which this node leads, or zero
	readyTerm atomic.Uint64 // the epoch whose first entry was applied
	mu        sync.Mutex
	status    Status

	stop, done chan struct{}
	stopOnce   sync.Once
	doneOnce   sync.Once
	workers    sync.WaitGroup
	writing    sync.WaitGroup
	applying   chan struct{} // closed when the machine's goroutine has ended
}

// Open opens the log in cfg.Dir and brings m to the state of its newest snapshot; what
// was committed behind it is applied as soon as a leader is known, which on a node
// alone is at once. A damaged, foreign, empty or locked folder is refused, see errors.go.
func Open(cfg Config, m Machine) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	folder, err := lockFolder(cfg)
	if err != nil {
		return nil, err
	}
	l := &Log{
		cfg: cfg, identity: shardIdentity(cfg.Cluster, cfg.Shard), machine: m, folder: folder,
		storage: raft.NewMemoryStorage(), peers: map[uint64]*peer{}, incoming: map[uint64]string{},
		proposals: make(chan *Ticket, proposalQueue), inbox: make(chan inbound, inboxQueue),
		control: make(chan func() error, controlQueue), checks: make(chan []byte, checkQueue),
		jobs: make(chan job, applyQueue), budget: semaphore.NewWeighted(maxPendingBytes),
		stop: make(chan struct{}), done: make(chan struct{}), applying: make(chan struct{}),
	}
	mark, err := l.load()
	if err == nil {
		err = l.startRaft(mark)
	}
	if err != nil {
		if l.w != nil {
			err = errors.Join(err, l.w.close())
		}
		return nil, errors.Join(err, folder.Close())
	}
	l.status = Status{Node: cfg.Node, Epoch: l.hs.term, Applied: mark.index, Snapshot: mark.index}
	go l.applyLoop(mark)
	l.connect()
	go l.run()
	return l, nil
}

// load reads log and snapshot, restores the machine, and opens the log for writing.
func (l *Log) load() (snapMark, error) {
	r, err := readLog(l.cfg.Dir, l.identity)
	if err != nil {
		return snapMark{}, err
	}
	mark, err := l.restoreNewest(r.marks)
	if err != nil {
		return mark, err
	}
	if err := r.from(mark); err != nil {
		return mark, err
	}
	for _, p := range l.cfg.Peers {
		l.voters = append(l.voters, p.ID)
	}
	snap := &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		ConfState: &raftpb.ConfState{Voters: l.voters}, Index: &mark.index, Term: &mark.term,
	}}
	err = errors.Join(l.storage.ApplySnapshot(snap), l.storage.SetHardState(r.hs.proto()), l.storage.Append(r.entries))
	if err != nil {
		return mark, fmt.Errorf("load log: %w", err)
	}
	l.hs = r.hs
	l.w, err = openWAL(l.cfg.Dir, l.identity, l.cfg.SegmentBytes, r)
	if err != nil {
		return mark, err
	}
	leftovers, err := filepath.Glob(filepath.Join(l.cfg.Dir, snapFolder, "*.tmp"))
	for _, name := range leftovers {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return mark, fmt.Errorf("remove unfinished snapshots: %w", err)
	}
	return mark, sweepSnapshots(l.cfg.Dir, l.w.marks)
}

// restoreNewest restores the newest snapshot that the log names, or, where the settings
// allow it, the one before.
func (l *Log) restoreNewest(marks []snapMark) (snapMark, error) {
	if len(marks) == 0 {
		return snapMark{}, nil
	}
	newest := marks[len(marks)-1]
	err := restore(l.machine, snapName(l.cfg.Dir, newest.index), l.identity, newest)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err == nil || !l.cfg.UseOlderSnapshot || len(marks) < keepSnaps {
		return newest, err
	}
	older := marks[len(marks)-keepSnaps]
	l.cfg.Log.Warn("newest snapshot is damaged, starting from the one before",
		"newest", newest.index, "older", older.index, "error", err)
	return older, restore(l.machine, snapName(l.cfg.Dir, older.index), l.identity, older)
}

func (l *Log) startRaft(mark snapMark) error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw a number for this process: %w", err)
	}
	l.origin = binary.LittleEndian.Uint64(random[:])
	rn, err := raft.NewRawNode(&raft.Config{
		ID: l.cfg.Node, ElectionTick: electionTicks, HeartbeatTick: heartbeatTicks,
		Storage: l.storage, Applied: mark.index,
		MaxSizePerMsg: maxApplyBytes, MaxCommittedSizePerReady: maxApplyBytes, MaxInflightMsgs: maxInflight,
		MaxInflightBytes: maxReceived, CheckQuorum: true, PreVote: true, DisableProposalForwarding: true,
		Logger: raftLogger{l.cfg.Log},
	})
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	l.rn = rn
	return nil
}

// Status tells where the node stands.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	lead := l.leadTerm.Load()
	s.Leading = s.Err == nil && lead != 0 && lead == l.readyTerm.Load()
	return s
}

// Done is closed when the log has stopped; Status says why.
func (l *Log) Done() <-chan struct{} { return l.done }

// Close stops the log and gives up the folder. What was proposed and not yet applied
// ends as unknown.
func (l *Log) Close() error {
	l.halt(ErrClosed)
	<-l.done
	return errors.Join(l.w.close(), l.folder.Close())
}

// halt stops the loop; the first reason stays.
func (l *Log) halt(err error) {
	l.stopOnce.Do(func() {
		l.mu.Lock()
		l.status.Err = err
		l.mu.Unlock()
		if !errors.Is(err, ErrClosed) {
			l.cfg.Log.Error("journal halted", "node", l.cfg.Node, "error", err)
		}
		l.leadTerm.Store(0)
		close(l.stop)
	})
}
