package funding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/ledger"
	"strongroom/money"
	"strongroom/trading"
)

// Deposits tells what deposits brought; *intake.Intake is one.
type Deposits interface {
	// Matured returns what a deposit brought its customer's funding account; nothing
	// where it may not be withdrawn.
	Matured(ctx context.Context, depositID string) (custody.Matured, error)
	// StillMatured fails with custody.ErrConflict where that is not so any more, and
	// keeps it so until the transaction ends.
	StillMatured(m custody.Matured) ledger.Attachment
}

// Forwarder lets deposits flow on to trading. It is safe for concurrent use.
type Forwarder struct {
	store    *Store
	deposits Deposits
}

// NewForwarder returns a Forwarder.
func NewForwarder(store *Store, deposits Deposits) (*Forwarder, error) {
	if store == nil || deposits == nil {
		return nil, errors.New("funding: a forwarder needs a store and deposits")
	}
	return &Forwarder{store: store, deposits: deposits}, nil
}

// maxForwards bounds how often a move is decided anew because funds or deposit moved.
const maxForwards = 8

// errDecided ends an attempt to decide what was decided meanwhile.
var errDecided = errors.New("it is decided already")

// Forward moves on to trading what a deposit has brought, or what is left of that, where
// its customer prefers so, and returns the transfer; empty where it stays. What was
// decided for a round of a deposit stands, whatever is preferred later. A deposit that
// may not be withdrawn, yet or any more, is left alone. Errors: custody.ErrNotFound; custody.ErrConflict
// where deposit or funds kept moving: ask again.
func (f *Forwarder) Forward(ctx context.Context, depositID string) (transferID string, err error) {
	for range maxForwards {
		m, err := f.deposits.Matured(ctx, depositID)
		if err != nil || m.Amount.IsZero() {
			return "", err
		}
		if id, decided, err := f.store.decided(ctx, m); err != nil || decided {
			return id, err
		}
		amount, err := f.amount(ctx, m)
		if err != nil {
			return "", err
		}
		if amount.IsZero() {
			err = f.store.decideAlone(ctx, m, nil)
		} else {
			err = f.move(ctx, m, amount)
		}
		if err != nil && !passing(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("forward deposit %s: %w", depositID, custody.ErrConflict)
}

// passing tells whether a move failed because something moved meanwhile.
func passing(err error) bool {
	return errors.Is(err, errDecided) || errors.Is(err, ledger.ErrInsufficient) || errors.Is(err, custody.ErrConflict)
}

// amount is what is to be moved on; zero for nothing.
func (f *Forwarder) amount(ctx context.Context, m custody.Matured) (money.Units, error) {
	onward, err := f.store.Preference(ctx, m.Customer)
	if err != nil || !onward || !slices.Contains(f.store.cfg.Assets, m.Asset) {
		return money.Units{}, err
	}
	b, err := f.store.cfg.Ledger.Balance(ctx, custody.FundingAccount(m.Customer, m.Asset))
	if err != nil {
		return money.Units{}, fmt.Errorf("read funds of %s: %w", m.Customer, err)
	}
	return money.Min(m.Amount, b.Available()), nil
}

// move makes the transfer, with the decision in the same transaction. Where its key
// stands for something else already, or its owner is frozen, the deposit stays.
func (f *Forwarder) move(ctx context.Context, m custody.Matured, amount money.Units) error {
	n := trading.NewTransfer{
		Customer: m.Customer, Key: "deposit/" + m.Deposit + "/" + strconv.Itoa(m.Round), Asset: m.Asset, Amount: amount, Direction: trading.ToTrading,
	}
	id := ID(n.Customer, n.Key)
	_, repeated, err := f.store.create(ctx, n, f.deposits.StillMatured(m), func(ctx context.Context, tx pgx.Tx) error {
		return f.store.decide(ctx, tx, m, &id)
	})
	_, refused := errors.AsType[*trading.Refusal](err)
	switch {
	case refused || errors.Is(err, trading.ErrIdempotency) || errors.Is(err, custody.ErrFrozen):
		return f.store.decideAlone(ctx, m, nil)
	case err == nil && repeated: // its owner made it, or somebody was faster
		return f.store.decideAlone(ctx, m, &id)
	}
	return err
}

// decided returns what was decided about a maturity.
func (s *Store) decided(ctx context.Context, m custody.Matured) (transfer string, decided bool, err error) {
	var id *string
	err = s.cfg.Pool.QueryRow(ctx, `SELECT transfer FROM funding.onward WHERE deposit = $1 AND round = $2`, m.Deposit, m.Round).Scan(&id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read what was decided about %s: %w", m.Deposit, err)
	case id == nil:
		return "", true, nil
	}
	return *id, true, nil
}

// decideAlone decides by itself that a maturity stays, or that a transfer that there is
// already has moved it on.
func (s *Store) decideAlone(ctx context.Context, m custody.Matured, transfer *string) error {
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error { return s.decide(ctx, tx, m, transfer) })
	if err != nil {
		return fmt.Errorf("decide about deposit %s: %w", m.Deposit, err)
	}
	return nil
}

// decide writes a decision; errDecided where there is one.
func (s *Store) decide(ctx context.Context, tx pgx.Tx, m custody.Matured, transfer *string) error {
	tag, err := tx.Exec(ctx, `INSERT INTO funding.onward (deposit, round, transfer, decided_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		m.Deposit, m.Round, transfer, s.cfg.Clock())
	if err != nil {
		return fmt.Errorf("decide about %s: %w", m.Deposit, err)
	}
	if tag.RowsAffected() != 1 {
		return errDecided
	}
	return nil
}
