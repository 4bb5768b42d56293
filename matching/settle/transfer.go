package settle

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/money"
)

// Transfer is a move of a customer's money between funding and trading.
type Transfer struct {
	ID       string // "fnd_" and 32 hexadecimal digits, which are the engine's key
	Shard    ShardID
	Customer string
	Asset    string
	Amount   money.Units // at least 1, below 2^128
}

// Progress is what was done of a transfer.
type Progress struct {
	Inward   bool // funding to trading
	Booked   bool // by the ledger
	Returned bool // by the ledger, after a refusal
	Settled  bool // the engine's answer
	Code     engine.Code
}

// Transfers is the ledger's half of moves between funding and trading, for the workflow
// that carries them out. Each step can be repeated. It is safe for concurrent use.
type Transfers struct {
	pool     *pgxpool.Pool
	ledger   Ledger
	registry *Registry
}

// NewTransfers returns a Transfers on a migrated database.
func NewTransfers(pool *pgxpool.Pool, book Ledger) *Transfers {
	return &Transfers{pool: pool, ledger: book, registry: NewRegistry(pool)}
}

// Credit books funding to trading; the engine is to be credited once it has returned.
// Rows that belong to it are written by attachments in the same SQL transaction; they do
// not run where it is booked already. ErrConflict where the id was used for something
// else; the ledger's errors, such as ledger.ErrInsufficient, where it is not covered.
func (t *Transfers) Credit(ctx context.Context, m Transfer, with ...ledger.Attachment) error {
	at, err := t.purse(ctx, m)
	if err != nil {
		return err
	}
	tx := move(m, "fnd/"+m.ID, fundingAccount(m.Customer, m.Asset), TradingAccount(m.Shard, m.Customer, m.Asset))
	note := func(ctx context.Context, tx pgx.Tx) error { return insertTransfer(ctx, tx, m, at, true) }
	_, err = t.ledger.Post(ctx, tx, append([]ledger.Attachment{note}, with...)...)
	if err != nil {
		return fmt.Errorf("credit %s: %w", m.ID, conflict(err))
	}
	return nil
}

// Announce notes a transfer from trading to funding, before the engine is debited, and
// runs the attachments in the same SQL transaction, where it was noted before too. It
// sees to it that there is an account to receive it. ErrConflict where the id was used
// for something else.
func (t *Transfers) Announce(ctx context.Context, m Transfer, with ...ledger.Attachment) error {
	at, err := t.purse(ctx, m)
	if err != nil {
		return err
	}
	// Who only ever traded an asset has never had any of it in funding.
	if err := t.ledger.Open(ctx, ledger.Account{ID: fundingAccount(m.Customer, m.Asset), Asset: m.Asset, Class: ledger.Liability}); err != nil {
		return fmt.Errorf("open funding account: %w", err)
	}
	err = pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		if err := insertTransfer(ctx, tx, m, at, false); err != nil {
			return err
		}
		for _, attach := range with {
			if err := attach(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("announce %s: %w", m.ID, err)
	}
	return nil
}

// Debit books trading to funding, once the engine's debit was settled: before that it
// returns ErrNotSettled; ErrConflict where the engine refused.
func (t *Transfers) Debit(ctx context.Context, id string) error {
	return t.outward(ctx, id, "fnd/"+id, `UPDATE trading.transfer SET booked = true WHERE id = $1 AND NOT inward AND code = 0 AND engine_seq IS NOT NULL`,
		func(p Progress) bool { return !p.Inward && p.Code == engine.CodeNone })
}

// Return books back what the engine refused to take; ErrNotSettled before its answer,
// ErrConflict where it took it.
func (t *Transfers) Return(ctx context.Context, id string) error {
	return t.outward(ctx, id, "fnd/"+id+"/back", `UPDATE trading.transfer SET returned = true WHERE id = $1 AND inward AND code <> 0`,
		func(p Progress) bool { return p.Inward && p.Code != engine.CodeNone })
}

// Load returns a transfer and what was done of it. It returns ErrUnknown.
func (t *Transfers) Load(ctx context.Context, id string) (Transfer, Progress, error) {
	m := Transfer{ID: id}
	var p Progress
	err := t.pool.QueryRow(ctx, `SELECT t.shard, a.customer, s.code, t.amount, t.inward, t.booked, t.returned, t.engine_seq IS NOT NULL, t.code
		FROM trading.transfer t JOIN trading.account a ON a.no = t.account JOIN trading.asset s ON s.no = t.asset WHERE t.id = $1`, id).
		Scan(&m.Shard, &m.Customer, &m.Asset, &m.Amount, &p.Inward, &p.Booked, &p.Returned, &p.Settled, &p.Code)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, p, fmt.Errorf("transfer %.60s: %w", id, ErrUnknown)
	}
	if err != nil {
		return m, p, fmt.Errorf("read transfer %s: %w", id, err)
	}
	return m, p, nil
}

// outward books trading to funding.
func (t *Transfers) outward(ctx context.Context, id, booking, mark string, allowed func(Progress) bool) error {
	m, p, err := t.Load(ctx, id)
	switch {
	case err != nil:
		return err
	case !p.Settled:
		return fmt.Errorf("%s: %w", booking, ErrNotSettled)
	case !allowed(p):
		return fmt.Errorf("%s: %w", booking, ErrConflict)
	}
	tx := move(m, booking, TradingAccount(m.Shard, m.Customer, m.Asset), fundingAccount(m.Customer, m.Asset))
	_, err = t.ledger.Post(ctx, tx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, mark, id)
		if err == nil && tag.RowsAffected() != 1 {
			err = ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", booking, conflict(err))
	}
	return nil
}

func move(m Transfer, id string, from, to ledger.AccountID) ledger.Transaction {
	return ledger.Transaction{ID: id, Metadata: map[string]string{"transfer": m.ID}, Legs: []ledger.Transfer{{
		ID: ledger.TransferID(id + "/amount"), Kind: ledger.Single, Debit: from, Credit: to, Amount: m.Amount,
	}}}
}

func conflict(err error) error {
	if errors.Is(err, ledger.ErrConflict) {
		return errors.Join(ErrConflict, err)
	}
	return err
}

// purse finds the numbers of a transfer and sees to its accounts.
func (t *Transfers) purse(ctx context.Context, m Transfer) (purse, error) {
	if _, err := TransferKey(m.ID); err != nil {
		return purse{}, err
	}
	if _, err := AmountOf(m.Amount); err != nil || m.Amount.IsZero() {
		return purse{}, fmt.Errorf("amount of %s: %w", m.ID, ErrInvalid)
	}
	account, err := t.registry.Account(ctx, m.Customer)
	if err != nil {
		return purse{}, err
	}
	asset, err := t.registry.Asset(ctx, m.Asset)
	if err != nil {
		return purse{}, err
	}
	at, known := purse{account, asset}, newNames()
	known.customers[account], known.assets[asset] = m.Customer, m.Asset
	return at, openPurses(ctx, Config{Pool: t.pool, Ledger: t.ledger, Shard: m.Shard}, []purse{at}, known)
}

// insertTransfer adds a transfer, or finds the same one.
func insertTransfer(ctx context.Context, tx pgx.Tx, m Transfer, at purse, inward bool) error {
	tag, err := tx.Exec(ctx, `INSERT INTO trading.transfer (id, shard, account, asset, amount, inward, booked) VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (id) DO NOTHING`, m.ID, m.Shard, at.account, at.asset, m.Amount, inward)
	if err != nil {
		return fmt.Errorf("note transfer: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	var same bool
	err = tx.QueryRow(ctx, `SELECT shard = $2 AND account = $3 AND asset = $4 AND amount = $5 AND inward = $6 FROM trading.transfer WHERE id = $1`,
		m.ID, m.Shard, at.account, at.asset, m.Amount, inward).Scan(&same)
	if err == nil && !same {
		err = ErrConflict
	}
	return err
}

// note writes down what the engine did of transfers. What it did must be what was asked
// for: money that came into the engine from nowhere halts the shard.
func (s *Settler) note(ctx context.Context, tx pgx.Tx, events []*engine.Event) error {
	for _, e := range events {
		final := e.Code == engine.CodeInsufficient || e.Code == engine.CodeOverflow
		if e.Code != engine.CodeNone && !final {
			continue // refused without an entry, or answered once more
		}
		id := transferID(e.Key)
		tag, err := tx.Exec(ctx, `UPDATE trading.transfer SET engine_seq = $2, code = $3
			WHERE id = $1 AND shard = $4 AND account = $5 AND asset = $6 AND amount = $7 AND engine_seq IS NULL`,
			id, int64(e.Seq), int16(e.Code), s.cfg.Shard, e.Account, e.Asset, UnitsOf(e.Amount)) //nolint:gosec // below 2^63 for ever
		if err != nil {
			return fmt.Errorf("note transfer: %w", err)
		}
		if tag.RowsAffected() != 1 && !final {
			return halting("event %d: the engine moved %s of asset %d of account %d as %s, which nobody asked for", e.Seq, UnitsOf(e.Amount), e.Asset, e.Account, id)
		}
	}
	return nil
}
