package journal

import "errors"

// Why a log does not open.
var (
	// ErrConfig reports settings that make no log.
	ErrConfig = errors.New("journal settings are not usable")
	// ErrNoLog reports a missing or empty folder that was not to be created.
	ErrNoLog = errors.New("no journal in the folder")
	// ErrNotEmpty reports a folder that holds something where a log was to be made.
	ErrNotEmpty = errors.New("folder of a new journal is not empty")
	// ErrForeign reports a folder, file or peer of another cluster, shard or node.
	ErrForeign = errors.New("journal belongs to another cluster, shard or node")
	// ErrLocked reports a folder that another process has open.
	ErrLocked = errors.New("journal is open elsewhere")
	// ErrCorrupt reports damage that is not a torn last write.
	ErrCorrupt = errors.New("journal is damaged")
)

// What becomes of a proposal, and why a node halts.
var (
	// ErrNotLeader reports a proposal to a node that does not lead; nothing was done.
	ErrNotLeader = errors.New("node does not lead")
	// ErrTooLarge reports an empty entry or one above MaxEntryBytes; nothing was done.
	ErrTooLarge = errors.New("entry is empty or too large")
	// ErrDropped reports an entry that will never be applied: another leader's log
	// went on without it.
	ErrDropped = errors.New("entry was not committed and never will be")
	// ErrUnknown reports an entry whose outcome this node cannot tell: it may be
	// committed or not.
	ErrUnknown = errors.New("outcome of the entry is unknown")
	// ErrClosed reports a log that was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrDiverged halts a node whose state differs from the leader's at a checkpoint.
	ErrDiverged = errors.New("state differs from the leader's")
	// ErrHalted halts a node on a failure that it must not go on from.
	ErrHalted = errors.New("journal halted")
)
