package floor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/ledger/ledgertest"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
)

// Said is what a shard says that happened.
type Said struct {
	Head                uint64 // the newest event
	Trades, Checkpoints int
	Epochs              int // in which any of it happened
}

// Said reads all events of the shard again, and counts those before a sequence.
func (f *Floor) Said(ctx context.Context, before uint64) (Said, error) {
	var out Said
	epochs := map[uint64]bool{}
	for b, err := range f.cfg.Client.Events(ctx, 0, 1) {
		if err != nil {
			return out, fmt.Errorf("read events: %w", err)
		}
		for i := range b.Events {
			if e := &b.Events[i]; e.Seq < before {
				epochs[b.Epoch] = true
				out.count(e)
			}
		}
		if out.Head = b.Events[len(b.Events)-1].Seq; out.Head >= b.Head {
			break
		}
	}
	out.Epochs = len(epochs)
	return out, ctx.Err() //nolint:wrapcheck // the caller's own
}

func (s *Said) count(e *engine.Event) {
	switch e.Kind { //nolint:exhaustive // of two kinds there are rows
	case engine.EventTrade:
		s.Trades++
	case engine.EventCheckpoint:
		s.Checkpoints++
	}
}

// Judge holds everything that was settled against what the shard says, when nobody
// trades, all is settled and all transfers are finished: rows of trades and checkpoints,
// balances, and the ledger's own rules. It returns what is wrong.
func (f *Floor) Judge(ctx context.Context, pool *pgxpool.Pool) (Said, []string, error) {
	cursor, err := settle.LoadCursor(ctx, pool, 0)
	if err != nil {
		return Said{}, nil, err
	}
	said, err := f.Said(ctx, cursor.Next)
	if err != nil {
		return said, nil, err
	}
	found, err := f.Differences(ctx)
	if err != nil {
		return said, nil, err
	}
	violations, err := ledgertest.Check(ctx, pool)
	if err != nil {
		return said, nil, fmt.Errorf("check the book: %w", err)
	}
	for _, v := range violations {
		found = append(found, fmt.Sprint(v))
	}
	var trades, agreed int
	err = pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM trading.trade), (SELECT count(*) FROM trading.checkpoint WHERE agrees)`).Scan(&trades, &agreed)
	if err != nil {
		return said, nil, fmt.Errorf("count rows: %w", err)
	}
	if trades != said.Trades || agreed != said.Checkpoints || cursor.Halted != "" {
		found = append(found, fmt.Sprintf("%d trades of %d are kept, %d checkpoints of %d agree %s", trades, said.Trades, agreed, said.Checkpoints, cursor.Halted))
	}
	return said, found, nil
}
