package funding

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/trading"
)

// Tell has the engine do its part of a transfer, for whom it makes an account where there
// is none. Whether it did or refused, its event will tell: Conclude goes by that. It can
// be taken again at any time. Errors: trading.ErrNotFound; trading.ErrUnavailable where
// it is not known what became of it; ErrNotTaken where the engine does not even remember
// that it was asked.
func (s *Store) Tell(ctx context.Context, id string) (trading.Transfer, error) {
	t, err := s.load(ctx, id)
	if err != nil || t.State != trading.TransferPending {
		return t, err
	}
	m, done, err := s.transfers.Load(ctx, id)
	if err != nil || done.Settled {
		return t, err
	}
	c, err := s.command(ctx, m, done.Inward)
	if err != nil {
		return t, err
	}
	code, err := s.ask(ctx, c)
	if err != nil {
		return t, fmt.Errorf("tell the engine of %s: %w", id, err)
	}
	if !answered(code) {
		return t, fmt.Errorf("%s of account %d: %w (%s)", id, c.Account, ErrNotTaken, trading.CodeName(code))
	}
	return t, nil
}

// answered tells whether the engine keeps this answer to a transfer for ever.
func answered(code engine.Code) bool {
	switch code { //nolint:exhaustive // the others leave no entry
	case engine.CodeNone, engine.CodeDuplicate, engine.CodeInsufficient, engine.CodeOverflow:
		return true
	}
	return false
}

// command is what the engine is told of a transfer.
func (s *Store) command(ctx context.Context, m settle.Transfer, inward bool) (engine.Command, error) {
	c := engine.Command{Op: engine.OpDebit}
	if inward {
		c.Op = engine.OpCredit
	}
	var err error
	if c.Key, err = settle.TransferKey(m.ID); err != nil {
		return c, err
	}
	if c.Amount, err = settle.AmountOf(m.Amount); err != nil {
		return c, err
	}
	if c.Account, err = s.registry.Account(ctx, m.Customer); err != nil {
		return c, err
	}
	c.Asset, err = s.registry.Asset(ctx, m.Asset)
	return c, err
}

// ask gives a transfer's command.
func (s *Store) ask(ctx context.Context, c engine.Command) (engine.Code, error) {
	code, err := s.do(ctx, c)
	if err != nil || code != engine.CodeUnknownAccount {
		return code, err
	}
	return s.introduce(ctx, c)
}

// introduce makes an account and gives the command then. Whoever makes accounts takes
// turns, and asks again before: one that is there is never made anew, since that would
// take back a tier that it was given since.
func (s *Store) introduce(ctx context.Context, c engine.Command) (code engine.Code, err error) {
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, fmt.Sprintf("funding.account/%d/%d", s.cfg.Shard, c.Account))
		if err != nil {
			return fmt.Errorf("lock account %d: %w", c.Account, err)
		}
		if code, err = s.do(ctx, c); err != nil || code != engine.CodeUnknownAccount {
			return err
		}
		if code, err = s.do(ctx, engine.Command{Op: engine.OpAccount, Account: c.Account}); err != nil || code != engine.CodeNone {
			return err
		}
		code, err = s.do(ctx, c)
		return err
	})
	if err != nil {
		return code, fmt.Errorf("make account %d: %w", c.Account, err)
	}
	return code, nil
}

// do gives one command and returns the code of its answer.
func (s *Store) do(ctx context.Context, c engine.Command) (engine.Code, error) {
	if s.cfg.Engine == nil {
		return 0, fmt.Errorf("%w: this process is not connected", trading.ErrUnavailable)
	}
	results, err := s.cfg.Engine.Do(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", trading.ErrUnavailable, err)
	}
	if len(results) != 1 {
		return 0, fmt.Errorf("%w: %d answers to one command", trading.ErrUnavailable, len(results))
	}
	return results[0].Code, nil
}

// Conclude books what the engine's answer calls for, once the settler has settled it, and
// ends the transfer; a refusal's reason is the engine's code. Before that it is
// settle.ErrNotSettled: to be asked again soon. It can be taken again at any time. Other
// errors: trading.ErrNotFound, those of the ledger.
func (s *Store) Conclude(ctx context.Context, id string) (trading.Transfer, error) {
	t, err := s.load(ctx, id)
	if err != nil || t.State != trading.TransferPending {
		return t, err
	}
	_, done, err := s.transfers.Load(ctx, id)
	if err != nil {
		return t, err
	}
	if !done.Settled {
		return t, fmt.Errorf("conclude %s: %w", id, settle.ErrNotSettled)
	}
	state, reason := trading.TransferDone, ""
	if done.Code != engine.CodeNone {
		state, reason = trading.TransferRefused, trading.CodeName(done.Code)
	}
	switch {
	case done.Inward && state == trading.TransferRefused:
		err = s.transfers.Return(ctx, id)
	case !done.Inward && state == trading.TransferDone:
		err = s.transfers.Debit(ctx, id)
	}
	if err != nil {
		return t, fmt.Errorf("conclude %s: %w", id, err)
	}
	return s.end(ctx, id, state, reason)
}

// end notes how a transfer ended, once, and tells who listens.
func (s *Store) end(ctx context.Context, id string, state trading.TransferState, reason string) (trading.Transfer, error) {
	_, err := s.cfg.Pool.Exec(ctx, `WITH ended AS (UPDATE funding.request SET state = $2, reason = $3, updated_at = $4 WHERE id = $1 AND state = 'pending'
		RETURNING id, customer) `+notifyEnded,
		id, state, reason, s.cfg.Clock())
	if err != nil {
		return trading.Transfer{}, fmt.Errorf("end transfer %s: %w", id, err)
	}
	return s.load(ctx, id)
}
