package blotter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

// Bounds of what is done where no node keeps the events that come next.
const (
	// settleTries is how often settlement is looked at before the history goes on
	// without trades that it does not have; between two tries is a retryPause.
	settleTries  = 15
	accountsPage = 10_000
)

// Waiting tells what waits on a shard; *client.Client is one.
type Waiting interface {
	Resting(ctx context.Context, markets ...engine.MarketID) (client.Resting, error)
	Leader(ctx context.Context) (matchingv1.MatchingClient, error)
}

// errUnsettled reports that settlement has not come to the end of a gap yet.
var errUnsettled = errors.New("settlement has not come to the end of the gap")

// gap is events from first on that nobody has, up to a moment of the books.
type gap struct {
	first uint64
	books client.Resting
	tries int
}

// bridge goes on behind the events that no node keeps: orders that wait are taken from
// the shard, trades from settlement, and a row says what is missing. The moment is kept
// while settlement comes to it, since it would run away from it otherwise. Orders that
// came and ended unfilled within the gap, or in the moments in which what waits is read,
// are not in the history.
func (w *Writer) bridge(ctx context.Context, lost error) error {
	if w.gap == nil || w.gap.first != w.next {
		books, err := w.cfg.Waiting.Resting(ctx)
		if err != nil {
			return fmt.Errorf("%w; behind them: %w", lost, err)
		}
		if books.Seq < w.next { // nothing is behind them: the shard's log is shorter than ours
			return lost
		}
		w.gap = &gap{first: w.next, books: books}
	}
	g := w.gap
	settled, err := w.settled(ctx)
	if err != nil {
		return err
	}
	if g.tries++; settled < g.books.Seq && g.tries <= settleTries {
		return fmt.Errorf("%w: it is at event %d, not at %d: %w", errUnsettled, settled, g.books.Seq, lost)
	}
	standing, err := w.standing(ctx)
	if err != nil {
		return err
	}
	b := bridged{gap: g, tradedTo: min(settled, g.books.Seq), standing: standing}
	if err := pgx.BeginFunc(ctx, w.cfg.Pool, func(tx pgx.Tx) error { return w.leap(ctx, tx, &b) }); err != nil {
		return fmt.Errorf("write order history over events %d to %d: %w", g.first, g.books.Seq, err)
	}
	w.gap = nil
	w.figures.leapt(&b)
	w.cfg.Logger.ErrorContext(ctx, "no node keeps events: the history of orders has a gap",
		slog.Uint64("from", g.first), slog.Uint64("to", g.books.Seq), slog.Uint64("traded_to", b.tradedTo),
		slog.Int64("orders_entered", b.entered), slog.Int64("orders_ended", b.ended))
	return nil
}

// settled is the last event that settlement has passed.
func (w *Writer) settled(ctx context.Context) (uint64, error) {
	var next int64
	err := w.cfg.Pool.QueryRow(ctx, `SELECT coalesce(max(next_seq), 1) FROM trading.shard WHERE id = $1`, w.cfg.Shard).Scan(&next)
	if err != nil {
		return 0, fmt.Errorf("read how far the shard is settled: %w", err)
	}
	return uint64(max(next-1, 0)), nil
}

// stands is an order that waits, and whose it is.
type stands struct {
	account engine.AccountID
	order   *matchingv1.Order
}

// standing reads what waits of all accounts, at the gap's end or moments later: what
// happens between is among the events that follow. The shard's room for orders bounds it.
func (w *Writer) standing(ctx context.Context) ([]stands, error) {
	node, err := w.cfg.Waiting.Leader(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders that wait: %w", err)
	}
	var out []stands
	for after := int64(-1); ; { // the house, too
		rows, err := w.cfg.Pool.Query(ctx, `SELECT no FROM trading.account WHERE no > $1 ORDER BY no LIMIT $2`, after, accountsPage)
		var page []int64
		if err == nil {
			page, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		}
		if err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		for _, no := range page {
			list, err := node.Orders(ctx, &matchingv1.OrdersRequest{Account: uint32(no)}) //nolint:gosec // the table's bound
			if err != nil {
				return nil, fmt.Errorf("read orders of account %d that wait: %w", no, err)
			}
			for _, o := range list.GetOrders() {
				out = append(out, stands{engine.AccountID(no), o}) //nolint:gosec // as above
			}
		}
		if len(page) < accountsPage {
			return out, nil
		}
		after = page[len(page)-1]
	}
}
