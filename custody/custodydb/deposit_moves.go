package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/internal/planted"
	"strongroom/ledger"
	"strongroom/money"
)

// ErrAttestation reports that an asset has not been counted on the chain as it is
// now: it must be attested again before anything is credited.
var ErrAttestation = errors.New("no attestation on the present chain")

// DepositMove is one step of a deposit with all that it was decided on. The move
// is made only where every bit of that still holds when the row is written.
type DepositMove struct {
	Row   DepositRow
	To    custody.DepositState
	Act   custody.DepositAct
	Depth uint64      // ActCredit, ActMature: confirmations that the chain must still show
	Debt  Debt        // what the customer owed when the amounts were worked out
	Owes  money.Units // what the customer owes afterwards
	Own   money.Units // ActCredit: its part of the maturing account afterwards
	// Senders is who sent it, where that was found out for this move; nil otherwise.
	Senders []string
}

// deposited is what a customer reads about a deposit in an event.
type deposited struct {
	ID     string               `json:"id"`
	Asset  string               `json:"asset"`
	Amount money.Units          `json:"amount"`
	TxID   string               `json:"txid"`
	State  custody.DepositState `json:"state"`
	Owed   money.Units          `json:"owed"`
}

// MoveDeposit makes a move that books nothing. It returns custody.ErrConflict
// where the row changed meanwhile.
func (s *Store) MoveDeposit(ctx context.Context, m DepositMove) error {
	return s.InTx(ctx, func(tx pgx.Tx) error { return s.DepositWrites(m)(ctx, tx) })
}

// DepositWrites returns what a move writes, to be attached to its booking. Errors:
// custody.ErrConflict where row, block or debt changed meanwhile;
// custody.ErrChainHalted; ErrAttestation.
func (s *Store) DepositWrites(m DepositMove) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error {
		if m.Row.Customer != "" {
			if err := lockCustomer(ctx, tx, m.Row.Customer); err != nil {
				return err
			}
		}
		if err := s.guardMove(ctx, tx, m); err != nil {
			return err
		}
		rounds := 0
		if m.Act == custody.ActCredit {
			rounds = 1
		}
		guard := `state = $2 AND version = $3 AND canonical = $4`
		if planted.Live(planted.Unguarded) {
			guard = `($2::text, $3::bigint, $4::boolean) IS NOT NULL`
		}
		tag, err := tx.Exec(ctx, `UPDATE custody.deposit SET state = $5, version = version + 1, round = round + $6, maturing = $7, updated_at = $8,
			senders = coalesce($9, senders)
			WHERE id = $1 AND `+guard,
			m.Row.ID, m.Row.State, m.Row.Version, m.Row.Canonical, m.To, rounds, m.Own, s.now(), m.Senders)
		if err != nil {
			return fmt.Errorf("update deposit %s: %w", m.Row.ID, err)
		}
		if err := won(tag, "update deposit "+m.Row.ID); err != nil {
			return err
		}
		if err := s.noteMove(ctx, tx, m); err != nil {
			return err
		}
		if m.Act == custody.ActCredit {
			crash.At(crash.CreditBefore)
		}
		return nil
	}
}

// noteMove writes what a move means to the deposit's customer, where it has one.
func (s *Store) noteMove(ctx context.Context, tx pgx.Tx, m DepositMove) error {
	if m.Row.Customer == "" {
		return nil
	}
	if err := s.setDebt(ctx, tx, m.Debt, m.Owes); err != nil {
		return err
	}
	if err := putPayers(ctx, tx, m); err != nil {
		return err
	}
	kind := string(m.To)
	if m.To == custody.DepositConfirming {
		kind = string(custody.DepositSeen)
	}
	return s.PutEvent(ctx, tx, m.Row.Customer, "deposit."+kind, m.Row.ID, deposited{
		ID: m.Row.ID, Asset: m.Row.Asset, Amount: m.Row.Amount, TxID: m.Row.TxID, State: m.To, Owed: m.Owes,
	})
}

// guardMove reads once more, in the booking's own transaction, what allows value
// to be given: the block's depth on a chain that is not halted and, for a credit,
// an attestation whose block is on that chain.
func (s *Store) guardMove(ctx context.Context, tx pgx.Tx, m DepositMove) error {
	if m.Act != custody.ActCredit && m.Act != custody.ActMature || planted.Live(planted.Unguarded) {
		return nil
	}
	var ok, deep, attested bool
	err := tx.QueryRow(ctx, `SELECT c.status = 'ok', c.height - $3 + 1 >= $4, EXISTS (
			SELECT FROM custody.attested a JOIN custody.block b ON b.chain = a.chain AND b.hash = a.hash AND b.canonical
			WHERE a.chain = $1 AND a.asset = $2)
		FROM custody.chain c WHERE c.chain = $1`, m.Row.Chain, m.Row.Asset, m.Row.Block.Height, max(m.Depth, 1)).Scan(&ok, &deep, &attested)
	switch {
	case err != nil:
		return fmt.Errorf("read chain %s: %w", m.Row.Chain, noRows(err))
	case !ok:
		return fmt.Errorf("deposit %s: %w", m.Row.ID, custody.ErrChainHalted)
	case !deep:
		return fmt.Errorf("deposit %s lost depth: %w", m.Row.ID, custody.ErrConflict)
	case !attested && m.Act == custody.ActCredit:
		return fmt.Errorf("deposit %s: %w", m.Row.ID, ErrAttestation)
	}
	return nil
}

// Debt is what a customer owes in an asset since a reorganisation.
type Debt struct {
	Customer, Asset string
	Amount          money.Units
	Version         uint64 // 0: never owed
}

// frozenForDebt is the reason that stands in custody.frozen while a customer owes.
const frozenForDebt = "debt"

// DebtOf returns what a customer owes in an asset.
func (s *Store) DebtOf(ctx context.Context, customer, asset string) (Debt, error) {
	d := Debt{Customer: customer, Asset: asset}
	err := s.pool.QueryRow(ctx, `SELECT amount, version FROM custody.debt WHERE customer = $1 AND asset = $2`, customer, asset).
		Scan(&d.Amount, &d.Version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return d, fmt.Errorf("read debt: %w", err)
	}
	return d, nil
}

// Debts returns who owes something, at most limit.
func (s *Store) Debts(ctx context.Context, limit int) ([]Debt, error) {
	rows, err := s.pool.Query(ctx, `SELECT customer, asset, amount, version FROM custody.debt WHERE amount > 0
		ORDER BY customer, asset LIMIT $1`, min(max(limit, 1), maxDepositPage))
	if err != nil {
		return nil, fmt.Errorf("read debts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Debt])
	if err != nil {
		return nil, fmt.Errorf("read debts: %w", err)
	}
	return list, nil
}

// DebtWrites returns what repaying a debt from available funds writes, to be
// attached to its booking.
func (s *Store) DebtWrites(was Debt, owes money.Units) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error {
		if err := lockCustomer(ctx, tx, was.Customer); err != nil {
			return err
		}
		return s.setDebt(ctx, tx, was, owes)
	}
}

// setDebt moves a debt from what it was to what is owed now, and freezes or
// unfreezes withdrawals with it. The customer is locked. It returns
// custody.ErrConflict where the debt is not what it was.
func (s *Store) setDebt(ctx context.Context, tx pgx.Tx, was Debt, owes money.Units) error {
	var now Debt
	err := tx.QueryRow(ctx, `SELECT amount, version FROM custody.debt WHERE customer = $1 AND asset = $2`, was.Customer, was.Asset).
		Scan(&now.Amount, &now.Version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read debt: %w", err)
	}
	if now.Version != was.Version {
		return fmt.Errorf("debt of %s: %w", was.Customer, custody.ErrConflict)
	}
	if owes == was.Amount {
		return nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.debt AS d (customer, asset, amount) VALUES ($1, $2, $3)
		ON CONFLICT (customer, asset) DO UPDATE SET amount = excluded.amount, version = d.version + 1`, was.Customer, was.Asset, owes)
	if err != nil {
		return fmt.Errorf("write debt: %w", err)
	}
	if !owes.IsZero() {
		_, err = tx.Exec(ctx, `INSERT INTO custody.frozen (customer, reason, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			was.Customer, frozenForDebt, s.now())
	} else {
		_, err = tx.Exec(ctx, `DELETE FROM custody.frozen f WHERE customer = $1 AND reason = $2
			AND NOT EXISTS (SELECT FROM custody.debt d WHERE d.customer = f.customer AND d.amount > 0)`, was.Customer, frozenForDebt)
	}
	if err != nil {
		return fmt.Errorf("freeze or unfreeze %s: %w", was.Customer, err)
	}
	return nil
}

// HolderOf tells which wallet the book says that a deposit's coins are in: the vault that
// the address belongs to; the hot
// wallet where its collection was posted, or was taken back by a transaction that
// spent them, the deposit addresses otherwise.
func (s *Store) HolderOf(ctx context.Context, d DepositRow) (ledger.AccountID, error) {
	var account int64
	var vault string
	var collected bool
	err := s.pool.QueryRow(ctx, `SELECT a.account, a.vault, EXISTS (
			SELECT FROM custody.deposit d JOIN custody.house_intent i ON i.id = d.collected_by WHERE d.id = $3 AND i.state IN ('posted', 'cancelled'))
		FROM custody.address a WHERE a.chain = $1 AND a.address = $2`, d.Chain, d.Address, d.ID).Scan(&account, &vault, &collected)
	if err != nil {
		return "", fmt.Errorf("read address of deposit %s: %w", d.ID, noRows(err))
	}
	if vault != "" {
		return custody.VaultAccount(d.Chain, d.Asset, vault), nil
	}
	if collected || account == int64(chainadapters.HotAccount) {
		return custody.HotAccount(d.Chain, d.Asset), nil
	}
	return custody.DepositsAccount(d.Chain, d.Asset), nil
}
