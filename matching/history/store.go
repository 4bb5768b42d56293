package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// Defaults and bounds of Config.
const (
	DefaultSegmentBytes = 64 << 20
	DefaultMaxBytes     = 64 << 30

	queueBatches = 1024
	writeBuffer  = 1 << 20
	suffix       = ".events"
	nameDigits   = 16
	folderMode   = 0o750
	fileMode     = 0o640
)

var (
	// ErrNotKept reports an event that is older than what is kept, or that this node
	// never saw because it took another's state.
	ErrNotKept = errors.New("events are not kept")
	// ErrDiverged reports a batch that is not the one kept under its numbers.
	ErrDiverged = errors.New("batch differs from the one that is kept")
	// ErrDamaged reports a file that does not check.
	ErrDamaged = errors.New("history is damaged")
	// ErrClosed reports a store that was closed.
	ErrClosed = errors.New("history is closed")
)

// Config says where batches are kept and how many.
type Config struct {
	Dir string // made where it is missing
	// SegmentBytes is when a new file begins; whole files are removed while all of
	// them are larger than MaxBytes. Zero means the defaults.
	SegmentBytes, MaxBytes int64
	Log                    *slog.Logger
}

// Store is a history in files. Append and Skip are for one goroutine; all else is safe
// for concurrent use.
type Store struct {
	cfg   Config
	queue chan item
	stop  func()
	ends  chan struct{} // closed by stop
	done  chan struct{}

	mu       sync.Mutex
	segments []segment // by first event; the last one is written to
	flushed  uint64    // event behind what a reader finds in the files
	failed   error

	// Of the writer alone.
	file *os.File
	out  *bufio.Writer
	next uint64 // event of the next batch, zero where the first one is to say
	hash []byte // of the last batch
}

// segment is a file. Its batches follow each other without a gap.
type segment struct {
	first uint64
	bytes int64
}

// item is a batch, a place to go on from, or the wish to know when all before it is
// written.
type item struct {
	batch *matchingv1.EventBatch
	skip  uint64
	sync  bool
	done  chan error
}

// Open opens the history in a folder. What does not check at its end is cut: a crash
// left it, and a replay of the log brings it again. Where that replay begins behind the
// cut, events are missing that had been flushed, and Append refuses.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" || cfg.Log == nil || cfg.SegmentBytes < 0 || cfg.MaxBytes < 0 {
		return nil, errors.New("history needs a folder and a logger, and sizes above zero")
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = DefaultSegmentBytes
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	s := &Store{cfg: cfg, queue: make(chan item, queueBatches), ends: make(chan struct{}), done: make(chan struct{})}
	s.stop = sync.OnceFunc(func() { close(s.ends) })
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	go s.run()
	return s, nil
}

// Append hands over the next batch. Batches that are kept already are compared.
func (s *Store) Append(b *matchingv1.EventBatch) error { return s.put(item{batch: b}) }

// Skip says that the next batch begins with event next: those before it will not come.
func (s *Store) Skip(next uint64) error { return s.put(item{skip: next}) }

// Sync returns when all that was appended before is on the disk.
func (s *Store) Sync(ctx context.Context) error { return s.ask(ctx, item{sync: true}) }

// ask puts an item and waits for its answer.
func (s *Store) ask(ctx context.Context, i item) error {
	i.done = make(chan error, 1)
	if err := s.put(i); err != nil {
		return err
	}
	select {
	case err := <-i.done:
		return err
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("wait for history: %w", ctx.Err())
	}
}

// put queues an item. It waits while the disk is behind.
func (s *Store) put(i item) error {
	if err := s.fault(); err != nil {
		return err
	}
	select {
	case <-s.ends:
		return ErrClosed
	default:
	}
	select {
	case <-s.ends:
		return ErrClosed
	case s.queue <- i:
		return nil
	}
}

// fault is why nothing is written any more, nil while it is.
func (s *Store) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Close writes what is queued and closes the files.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	return s.fault()
}

// path names the file whose first event is given.
func (s *Store) path(first uint64) string {
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("%0*x%s", nameDigits, first, suffix))
}

// load finds the files and where the last one ends.
func (s *Store) load() error {
	if err := os.MkdirAll(s.cfg.Dir, folderMode); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("read folder: %w", err)
	}
	for _, e := range entries {
		var first uint64
		name, ours := strings.CutSuffix(e.Name(), suffix)
		if _, err := fmt.Sscanf(name, "%016x", &first); !ours || len(name) != nameDigits || err != nil || first == 0 {
			return fmt.Errorf("%w: %s is not a file of it", ErrDamaged, e.Name())
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("look at %s: %w", e.Name(), err)
		}
		s.segments = append(s.segments, segment{first: first, bytes: info.Size()})
	}
	slices.SortFunc(s.segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	if len(s.segments) == 0 {
		return nil
	}
	return s.resume(&s.segments[len(s.segments)-1])
}

// resume finds the end of the last file, cuts what is behind it, and writes on there.
func (s *Store) resume(last *segment) error {
	file, err := os.OpenFile(s.path(last.first), os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("open the last file: %w", err)
	}
	s.next = last.first
	end, err := scan(file, last.first, func(b *matchingv1.EventBatch) error {
		s.next, s.hash = after(b), b.GetHash()
		return nil
	})
	if errors.Is(err, ErrDamaged) {
		s.cfg.Log.Warn("cut the end of the history off", "file", file.Name(), "at", end, "reason", err)
		err = file.Truncate(end)
	}
	if err == nil {
		_, err = file.Seek(end, 0)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("read the last file: %w", err), file.Close())
	}
	last.bytes = end
	s.file, s.out = file, bufio.NewWriterSize(file, writeBuffer)
	return nil
}

// after is the number of the event behind b.
func after(b *matchingv1.EventBatch) uint64 { return b.GetFirst() + uint64(b.GetCount()) }
