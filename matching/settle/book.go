package settle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/crash"
	"strongroom/internal/planted"
	"strongroom/ledger"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
)

// settle settles one part, which begins at the cursor, and moves the cursor.
func (s *Settler) settle(ctx context.Context, epoch uint64, p *part) error {
	after, marks := s.extend(p)
	to := Cursor{Epoch: max(epoch, s.cursor.Epoch), Next: p.events[len(p.events)-1].Seq + 1, Hash: after}
	attach := s.attachment(s.cursor, to, p, marks)
	tx, err := s.transaction(ctx, p)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, tx, attach); err != nil {
		return err
	}
	crash.At(crash.TradesAfter)
	s.cursor = to
	s.gauges.settled(p, s.cfg.Clock())
	return nil
}

func (s *Settler) commit(ctx context.Context, tx ledger.Transaction, attach ledger.Attachment) error {
	if len(tx.Legs) == 0 { // nothing moved: the book has nothing to say
		if err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error { return attach(ctx, tx) }); err != nil {
			return fmt.Errorf("settle what moves nothing: %w", err)
		}
		return nil
	}
	receipt, err := s.cfg.Ledger.Post(ctx, tx, attach)
	switch {
	case errors.Is(err, ledger.ErrConflict), err == nil && receipt.Repeated:
		return fmt.Errorf("%s is booked: %w", tx.ID, ErrContended)
	case errors.Is(err, ledger.ErrInsufficient), errors.Is(err, ledger.ErrLimit):
		return halting("%s: %s", tx.ID, err)
	}
	return err
}

// extend continues the chain over a part.
func (s *Settler) extend(p *part) (after chain.Hash, marks []byte) {
	after, marks = s.cursor.Hash, make([]byte, 0, 8*len(p.events))
	for i := range p.events {
		h := chain.Of(&p.events[i])
		after = after.Next(&p.events[i])
		marks = binary.LittleEndian.AppendUint64(marks, h.Mark())
	}
	return after, marks
}

// transaction is what a part moves, and has the accounts opened that it needs.
func (s *Settler) transaction(ctx context.Context, p *part) (ledger.Transaction, error) {
	nets := p.netted()
	if err := s.open(ctx, nets); err != nil {
		return ledger.Transaction{}, err
	}
	id := "trd/" + strconv.Itoa(int(s.cfg.Shard)) + "/" + strconv.FormatUint(p.events[0].Seq, 10)
	tx := ledger.Transaction{ID: id, Legs: make([]ledger.Transfer, len(nets))}
	for i, n := range nets {
		leg := &tx.Legs[i]
		*leg = ledger.Transfer{
			ID:   ledger.TransferID(id + "/" + strconv.FormatUint(uint64(n.account), 10) + "/" + strconv.Itoa(int(n.asset))),
			Kind: ledger.Single, Amount: n.amount, Debit: s.ledgerAccount(n.purse), Credit: ClearingAccount(s.cfg.Shard, s.names.assets[n.asset]),
		}
		if n.in {
			leg.Debit, leg.Credit = leg.Credit, leg.Debit
		}
	}
	return tx, nil
}

// attachment writes the rows of a part and moves the cursor, if it is still where it was.
func (s *Settler) attachment(from, to Cursor, p *part, marks []byte) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error {
		if err := lockCursor(ctx, tx, s.cfg.Shard, from); err != nil {
			return err
		}
		if e := p.checkpoint(); e != nil {
			if err := s.checkpoint(ctx, tx, e); err != nil {
				return err
			}
		}
		if err := s.note(ctx, tx, p.transfers); err != nil {
			return err
		}
		if err := s.copyTrades(ctx, tx, p.trades); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO trading.batch (shard, first_seq, last_seq, epoch, hash, marks) VALUES ($1, $2, $3, $4, $5, $6)`,
			s.cfg.Shard, int64(p.events[0].Seq), int64(to.Next-1), int64(to.Epoch), to.Hash[:], marks) //nolint:gosec // below 2^63 for ever
		if err != nil {
			return fmt.Errorf("write batch: %w", err)
		}
		if err := moveCursor(ctx, tx, s.cfg.Shard, to); err != nil {
			return err
		}
		crash.At(crash.TradesBefore)
		return nil
	}
}

func (s *Settler) copyTrades(ctx context.Context, tx pgx.Tx, trades []*engine.Event) error {
	if len(trades) == 0 {
		return nil
	}
	columns := []string{
		"shard", "seq", "market", "price", "qty", "taker_side", "taker_order", "taker_account", "taker_fee",
		"maker_order", "maker_account", "maker_fee", "time",
	}
	row := make([]any, len(columns))
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"trading", "trade"}, columns, pgx.CopyFromSlice(len(trades), func(i int) ([]any, error) {
		e := trades[i]
		row = append(row[:0], int32(s.cfg.Shard), int64(e.Seq), int32(e.Market), e.Price, e.Qty, int16(e.Side), //nolint:gosec // below 2^63 for ever
			int64(e.Order), int64(e.Account), UnitsOf(e.Amount), int64(e.Maker), int64(e.MakerAccount), UnitsOf(e.Balance), e.Time) //nolint:gosec // bits as they are
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("write trades: %w", err)
	}
	return nil
}

// compare holds events against what was settled under their sequences.
func (s *Settler) compare(ctx context.Context, events []engine.Event) error {
	if planted.Live(planted.NoDedupe) {
		return nil
	}
	first, last := events[0].Seq, events[len(events)-1].Seq
	rows, err := s.cfg.Pool.Query(ctx, `SELECT first_seq, marks FROM trading.batch WHERE shard = $1 AND first_seq <= $3
		AND first_seq >= (SELECT max(first_seq) FROM trading.batch WHERE shard = $1 AND first_seq <= $2) ORDER BY first_seq`,
		s.cfg.Shard, int64(first), int64(last)) //nolint:gosec // below 2^63 for ever
	if err != nil {
		return fmt.Errorf("read what was settled: %w", err)
	}
	var start int64
	var marks []byte
	compared := 0
	_, err = pgx.ForEachRow(rows, []any{&start, &marks}, func() error {
		for i := range len(marks) / 8 {
			seq := uint64(start) + uint64(i) //nolint:gosec // never negative
			if seq < first || seq > last {
				continue
			}
			compared++
			if chain.Of(&events[seq-first]).Mark() != binary.LittleEndian.Uint64(marks[8*i:]) {
				return halting("event %d differs from the one that was settled", seq)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("compare with what was settled: %w", err)
	}
	if compared != len(events) {
		return halting("of events %d to %d only %d are among what was settled", first, last, compared)
	}
	return nil
}
