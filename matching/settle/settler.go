package settle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/planted"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
)

// Config holds the collaborators of a Settler; all are needed but Metrics.
type Config struct {
	Pool    *pgxpool.Pool
	Ledger  Ledger
	Source  Source
	Shard   ShardID
	Clock   func() time.Time
	Metrics prometheus.Registerer
}

// Settler settles one shard. Several may be told to; they take turns at the cursor,
// which costs time and harms nothing. Its methods are for one goroutine.
type Settler struct {
	cfg     Config
	cursor  Cursor
	markets map[engine.MarketID]marketTerms
	names   names
	opened  map[purse]struct{}
	gauges  *gauges
}

// New returns a Settler on a migrated database.
func New(cfg Config) (*Settler, error) {
	if cfg.Pool == nil || cfg.Ledger == nil || cfg.Source == nil || cfg.Clock == nil {
		return nil, errors.New("settle: config lacks a pool, a ledger, a source or a clock")
	}
	return &Settler{cfg: cfg, gauges: newGauges(cfg.Metrics, cfg.Shard), names: newNames()}, nil
}

// Cursor is how far this Settler knows the shard to be settled.
func (s *Settler) Cursor() Cursor { return s.cursor }

// Run settles what the source hands out, until ctx ends, the source does (nil), or
// something is wrong: then it can be run again, unless the error is ErrHalted.
func (s *Settler) Run(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for b, err := range s.gather(ctx, s.cfg.Source.Events(ctx, s.cfg.Shard, s.cursor.Epoch, s.cursor.Next)) {
		if err != nil {
			return fmt.Errorf("events of shard %d: %w", s.cfg.Shard, err)
		}
		if err := s.Take(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// load reads what the database knows.
func (s *Settler) load(ctx context.Context) (err error) {
	if s.cursor, err = LoadCursor(ctx, s.cfg.Pool, s.cfg.Shard); err != nil {
		return err
	}
	if s.markets, err = loadMarkets(ctx, s.cfg.Pool, s.cfg.Shard); err != nil {
		return err
	}
	if s.opened == nil {
		if err := s.loadPurses(ctx); err != nil {
			return err
		}
	}
	s.gauges.halted(s.cursor.Halted != "")
	if s.cursor.Halted != "" {
		return fmt.Errorf("shard %d: %w: %s", s.cfg.Shard, ErrHalted, s.cursor.Halted)
	}
	return nil
}

// maxTries bounds how often a batch is judged anew because the cursor was not where it
// was thought to be.
const maxTries = 5

// Take settles a batch, or what of it is new. It returns ErrHalted (for good), ErrGap,
// ErrContended, ErrInvalid for a malformed batch, or an error of the database that
// leaves the outcome unknown: the same batch can be taken again.
func (s *Settler) Take(ctx context.Context, b Batch) error {
	if s.opened == nil {
		if err := s.load(ctx); err != nil {
			return err
		}
	}
	err := ErrContended
	for try := 0; try < maxTries && errors.Is(err, ErrContended); try++ {
		if try > 0 {
			if err := s.load(ctx); err != nil {
				return err
			}
		}
		err = s.judge(ctx, b, true)
	}
	if halt, ok := errors.AsType[*haltError](err); ok {
		s.gauges.halted(true)
		s.cursor.Halted = halt.reason
		return errors.Join(err, keepHalt(ctx, s.cfg.Pool, s.cfg.Shard, halt))
	}
	if err != nil && !errors.Is(err, ErrGap) {
		s.opened = nil // what became of it, the database knows
	}
	s.gauges.head(b.Head, s.cursor.Next)
	return err
}

// judge decides what a batch is: old, known, new, or too new.
func (s *Settler) judge(ctx context.Context, b Batch, mayReplay bool) error {
	if s.cursor.Halted != "" {
		return fmt.Errorf("shard %d: %w: %s", s.cfg.Shard, ErrHalted, s.cursor.Halted)
	}
	if !b.valid() {
		return fmt.Errorf("batch of %d events: %w", len(b.Events), ErrInvalid)
	}
	if b.Epoch < s.cursor.Epoch && !planted.Live(planted.NoFence) {
		s.gauges.drop("epoch", len(b.Events))
		return nil
	}
	s.gauges.newest = max(s.gauges.newest, b.Head)
	hash, events, err := s.known(ctx, b)
	if err != nil || len(events) == 0 {
		return err
	}
	if events[0].Seq > s.cursor.Next && !planted.Live(planted.GapSkipped) {
		if !mayReplay {
			return fmt.Errorf("sequence %d after %d: %w", events[0].Seq, s.cursor.Next-1, ErrGap)
		}
		if err := s.replay(ctx, events[0].Seq-1); err != nil {
			return err
		}
		return s.judge(ctx, b, false)
	}
	if s.foreign(events[0].Seq, hash) {
		return halting("sequence %d of epoch %d continues another history than what was settled in epoch %d", events[0].Seq, b.Epoch, s.cursor.Epoch)
	}
	return s.settleAll(ctx, b.Epoch, events)
}

// foreign reports that a chain does not continue what was settled. Planted bugs let
// events pass that are not at the cursor, where there is nothing to compare with.
func (s *Settler) foreign(seq uint64, hash chain.Hash) bool {
	if seq != s.cursor.Next && (planted.Live(planted.GapSkipped) || planted.Live(planted.NoDedupe)) {
		return false
	}
	return hash != s.cursor.Hash
}

// known compares what was settled before, and returns what comes after it, with the
// chain's hash there.
func (s *Settler) known(ctx context.Context, b Batch) (chain.Hash, []engine.Event, error) {
	first := b.Events[0].Seq
	if first >= s.cursor.Next || planted.Live(planted.NoDedupe) {
		return b.Before, b.Events, nil
	}
	n := min(s.cursor.Next-first, uint64(len(b.Events)))
	if err := s.compare(ctx, b.Events[:n]); err != nil {
		return b.Before, nil, err
	}
	s.gauges.drop("repeated", int(n)) //nolint:gosec // at most MaxBatch
	if n == uint64(len(b.Events)) {
		return b.Before, nil, nil
	}
	return b.Before.Over(b.Events[:n]), b.Events[n:], nil
}

// replay settles from the log what is missing up to a sequence.
func (s *Settler) replay(ctx context.Context, upto uint64) error {
	s.gauges.replays.Inc()
	for b, err := range s.cfg.Source.Replay(ctx, s.cfg.Shard, s.cursor.Next, upto) {
		if err != nil {
			return fmt.Errorf("replay of shard %d: %w", s.cfg.Shard, err)
		}
		if err := s.judge(ctx, b, false); err != nil {
			return err
		}
		if s.cursor.Next > upto {
			break
		}
	}
	return nil
}

// settleAll settles events that begin at the cursor, part by part.
func (s *Settler) settleAll(ctx context.Context, epoch uint64, events []engine.Event) error {
	for len(events) > 0 {
		p, err := fold(events, s.markets)
		if errors.Is(err, ErrUnknown) { // a market that came since
			if s.markets, err = loadMarkets(ctx, s.cfg.Pool, s.cfg.Shard); err != nil {
				return err
			}
			p, err = fold(events, s.markets)
		}
		if err != nil {
			return halting("%s", err)
		}
		if err := s.settle(ctx, epoch, p); err != nil {
			return err
		}
		events = events[len(p.events):]
	}
	return nil
}
