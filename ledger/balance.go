package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/money"
)

// maxBalances bounds one answer.
const maxBalances = 10_000

// ErrTransactionUnknown reports an id that was never booked.
var ErrTransactionUnknown = errors.New("no such transaction")

// Posted is what the account holds on its normal side, holds included; zero
// where it is overdrawn.
func (b Balance) Posted() money.Units {
	if b.Class.debitNormal() {
		return b.DebitsPosted.SubFloor(b.CreditsPosted)
	}
	return b.CreditsPosted.SubFloor(b.DebitsPosted)
}

// Available is what can be spent: posted less what is held.
func (b Balance) Available() money.Units {
	if b.Class.debitNormal() {
		return b.DebitsPosted.SubFloor(b.CreditsPosted).SubFloor(b.CreditsPending)
	}
	return b.CreditsPosted.SubFloor(b.DebitsPosted).SubFloor(b.DebitsPending)
}

const balanceColumns = `
SELECT a.id, a.asset, a.class, b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending, b.version
  FROM ledger.account a JOIN ledger.balance b ON b.account = a.no `

func scanBalance(row pgx.CollectableRow) (Balance, error) {
	var b Balance
	err := row.Scan(&b.Account, &b.Asset, &b.Class, &b.DebitsPosted, &b.CreditsPosted, &b.DebitsPending, &b.CreditsPending, &b.Version)
	if err != nil {
		return b, fmt.Errorf("scan balance: %w", err)
	}
	return b, nil
}

// Balance returns the state of one account. It returns ErrAccountUnknown.
func (l *Ledger) Balance(ctx context.Context, id AccountID) (Balance, error) {
	found, err := l.Balances(ctx, id)
	if err != nil {
		return Balance{}, err
	}
	return found[0], nil
}

// Balances returns the states of up to 10,000 accounts at one moment, in the
// order asked for. It returns ErrAccountUnknown where one does not exist.
func (l *Ledger) Balances(ctx context.Context, ids ...AccountID) ([]Balance, error) {
	if len(ids) > maxBalances {
		return nil, invalid("%d accounts asked for, at most %d", len(ids), maxBalances)
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	rows, err := l.cfg.Pool.Query(ctx, balanceColumns+`WHERE a.id = ANY ($1)`, names)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanBalance)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	byID := make(map[AccountID]Balance, len(found))
	for _, b := range found {
		byID[b.Account] = b
	}
	answer := make([]Balance, len(ids))
	for i, id := range ids {
		b, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("read balance of %q: %w", id, ErrAccountUnknown)
		}
		answer[i] = b
	}
	return answer, nil
}

// BalancesUnder returns the accounts whose id starts with prefix and comes after
// the given id, in the order of ids, at most limit (1 to 10,000) of them. Ask
// again after the last id for more.
func (l *Ledger) BalancesUnder(ctx context.Context, prefix string, after AccountID, limit int) ([]Balance, error) {
	if limit < 1 || limit > maxBalances || !onlyPathBytes(prefix) {
		return nil, invalid("prefix %.140q, limit %d", prefix, limit)
	}
	// "~" sorts after every byte that an id may have.
	rows, err := l.cfg.Pool.Query(ctx, balanceColumns+`WHERE a.id >= $1 AND a.id < $2 AND a.id > $3 ORDER BY a.id LIMIT $4`,
		prefix, prefix+"~", string(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanBalance)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return found, nil
}

// Position returns the state of one asset as a whole; an asset that was never
// moved or attested has an empty one.
func (l *Ledger) Position(ctx context.Context, asset string) (Position, error) {
	var t totals
	err := l.cfg.Pool.QueryRow(ctx, `SELECT liability_debits, liability_credits, attested, outflows FROM ledger.position WHERE asset = $1`, asset).
		Scan(&t.debits, &t.credits, &t.attested, &t.outflows)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Position{}, fmt.Errorf("read position of %s: %w", asset, err)
	}
	return Position{Asset: asset, Liabilities: t.liabilities(), Attested: t.attested, Outflows: uint64(t.outflows)}, nil //nolint:gosec // never negative
}

// BalanceAt returns the state of an account as booked up to and including the
// given time. It returns ErrAccountUnknown.
func (l *Ledger) BalanceAt(ctx context.Context, id AccountID, booked time.Time) (Balance, error) {
	tx, err := l.cfg.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return Balance{}, fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	b := Balance{Account: id}
	var no, last int64
	err = tx.QueryRow(ctx, `SELECT a.no, a.asset, a.class, b.last_seq FROM ledger.account a JOIN ledger.balance b ON b.account = a.no WHERE a.id = $1`, string(id)).
		Scan(&no, &b.Asset, &b.Class, &last)
	if errors.Is(err, pgx.ErrNoRows) {
		return Balance{}, fmt.Errorf("read balance of %q: %w", id, ErrAccountUnknown)
	}
	if err != nil {
		return Balance{}, fmt.Errorf("read account %s: %w", id, err)
	}
	err = tx.QueryRow(ctx, balanceInPast, no, last, booked).
		Scan(&b.Version, &b.DebitsPosted, &b.CreditsPosted, &b.DebitsPending, &b.CreditsPending)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Balance{}, fmt.Errorf("read past balance of %s: %w", id, err)
	}
	return b, nil
}

// balanceInPast ($1 account, $2 its last row, $3 time) starts at the account's
// first mark after the wanted batch, or at its last row where there is none, and
// follows the links back: at most 64 steps.
const balanceInPast = `
WITH RECURSIVE
upto AS (SELECT coalesce((SELECT no FROM ledger.batch WHERE booked <= $3 ORDER BY booked DESC, no DESC LIMIT 1), 0) AS batch),
start AS (SELECT coalesce(least(
    (SELECT seq FROM ledger.transfer, upto WHERE debit = $1 AND debit_version % 64 = 0 AND transfer.batch > upto.batch ORDER BY transfer.batch, seq LIMIT 1),
    (SELECT seq FROM ledger.transfer, upto WHERE credit = $1 AND credit_version % 64 = 0 AND transfer.batch > upto.batch ORDER BY transfer.batch, seq LIMIT 1)), $2) AS seq),
walk AS (
  SELECT t.* FROM ledger.transfer t JOIN start USING (seq)
  UNION ALL
  SELECT t.* FROM walk w, upto, ledger.transfer t
   WHERE w.batch > upto.batch AND t.seq = CASE WHEN w.debit = $1 THEN w.debit_prev ELSE w.credit_prev END)
SELECT CASE WHEN debit = $1 THEN debit_version ELSE credit_version END,
       CASE WHEN debit = $1 THEN debit_debits ELSE credit_debits END,
       CASE WHEN debit = $1 THEN debit_credits ELSE credit_credits END,
       CASE WHEN debit = $1 THEN debit_holds ELSE credit_holds END,
       CASE WHEN debit = $1 THEN debit_announced ELSE credit_announced END
  FROM walk, upto WHERE walk.batch <= upto.batch`
