package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/money"
)

// maxPage bounds one page of history.
const maxPage = 1_000

// Entry is one transfer as it was booked, seen from one account.
type Entry struct {
	Transfer
	// Transaction is the id of the transaction that it was part of.
	Transaction string
	Batch       uint64
	Booked      time.Time
	// EventTime is the transaction's; Booked where it had none.
	EventTime time.Time
	// After is the state of the account after this transfer.
	After Balance
}

// Page is a part of an account's history, newest first.
type Page struct {
	Entries []Entry
	// Next continues with older entries; empty at the end.
	Next string
}

// Record is a transaction as it was booked. Posts carry the amount that moved.
type Record struct {
	Transaction
	Receipt Receipt
}

// Hold is a pending transfer and what became of it.
type Hold struct {
	Transfer
	// Transaction is the id of the transaction that holds.
	Transaction string
	Booked      time.Time
	// Resolution is Post or Void, or zero while the hold is open.
	Resolution Kind
	// Posted is the amount that a Post moved; the rest was released.
	Posted money.Units
}

const transferJoins = `
  FROM walk w JOIN ledger.transfer t USING (seq)
  JOIN ledger.account d ON d.no = t.debit
  JOIN ledger.account c ON c.no = t.credit
  JOIN ledger.transaction x ON x.seq = t.transaction
  JOIN ledger.batch b ON b.no = t.batch
  LEFT JOIN ledger.transfer p ON p.seq = t.pending`

// walkHistory follows an account's links ($1 account, $2 first row, $3 rows).
const walkHistory = `
WITH RECURSIVE walk AS (
  SELECT seq, CASE WHEN debit = $1 THEN debit_prev ELSE credit_prev END AS prev, 1 AS n
    FROM ledger.transfer WHERE seq = $2 AND $1 IN (debit, credit)
  UNION ALL
  SELECT t.seq, CASE WHEN t.debit = $1 THEN t.debit_prev ELSE t.credit_prev END, w.n + 1
    FROM walk w JOIN ledger.transfer t ON t.seq = w.prev WHERE w.n < $3)
SELECT w.prev, t.id, t.kind, d.id, c.id, t.amount, coalesce(p.id, ''), t.expires, x.id, t.batch, b.booked, coalesce(x.event_time, b.booked),
       t.debit = $1, t.debit_version, t.debit_debits, t.debit_credits, t.debit_holds, t.debit_announced,
       t.credit_version, t.credit_debits, t.credit_credits, t.credit_holds, t.credit_announced` + transferJoins + `
 ORDER BY t.seq DESC`

// Transfers returns a page of the account's history, newest first: limit entries
// (1 to 1,000) from cursor on, which is empty or Page.Next. It returns
// ErrAccountUnknown, or ErrInvalid for a cursor that is not this account's.
func (l *Ledger) Transfers(ctx context.Context, account AccountID, cursor string, limit int) (Page, error) {
	if limit < 1 || limit > maxPage {
		return Page{}, invalid("limit %d, want 1 to %d", limit, maxPage)
	}
	var no, start int64
	after := Balance{Account: account}
	err := l.cfg.Pool.QueryRow(ctx, `SELECT a.no, a.asset, a.class, b.last_seq FROM ledger.account a JOIN ledger.balance b ON b.account = a.no WHERE a.id = $1`, string(account)).
		Scan(&no, &after.Asset, &after.Class, &start)
	if errors.Is(err, pgx.ErrNoRows) {
		return Page{}, fmt.Errorf("read history of %q: %w", account, ErrAccountUnknown)
	}
	if err != nil {
		return Page{}, fmt.Errorf("read history of %s: %w", account, err)
	}
	if cursor != "" {
		if start, err = strconv.ParseInt(cursor, 10, 64); err != nil || start <= 0 {
			return Page{}, invalid("cursor %.40q", cursor)
		}
	}
	rows, err := l.cfg.Pool.Query(ctx, walkHistory, no, start, limit)
	if err != nil {
		return Page{}, fmt.Errorf("read history of %s: %w", account, err)
	}
	page, err := collectPage(rows, after, limit)
	if err != nil {
		return Page{}, fmt.Errorf("read history of %s: %w", account, err)
	}
	if cursor != "" && len(page.Entries) == 0 {
		return Page{}, invalid("cursor %.40q", cursor)
	}
	return page, nil
}

func collectPage(rows pgx.Rows, account Balance, limit int) (Page, error) {
	var page Page
	var previous int64
	var e Entry
	var expires *time.Time
	var debited bool
	debit, credit := account, account
	_, err := pgx.ForEachRow(rows, []any{
		&previous, &e.ID, &e.Kind, &e.Debit, &e.Credit, &e.Amount, &e.Pending, &expires, &e.Transaction, &e.Batch, &e.Booked, &e.EventTime, &debited,
		&debit.Version, &debit.DebitsPosted, &debit.CreditsPosted, &debit.DebitsPending, &debit.CreditsPending,
		&credit.Version, &credit.DebitsPosted, &credit.CreditsPosted, &credit.DebitsPending, &credit.CreditsPending,
	}, func() error {
		entry := e
		entry.After, entry.Expires = credit, orZero(expires)
		if debited {
			entry.After = debit
		}
		page.Entries = append(page.Entries, entry)
		return nil
	})
	if err != nil {
		return Page{}, fmt.Errorf("read rows: %w", err)
	}
	if len(page.Entries) == limit && previous > 0 {
		page.Next = strconv.FormatInt(previous, 10)
	}
	return page, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Transaction returns a booked transaction. It returns ErrTransactionUnknown.
func (l *Ledger) Transaction(ctx context.Context, id string) (Record, error) {
	r := Record{Transaction: Transaction{ID: id}, Receipt: Receipt{ID: id}}
	var seq int64
	var event *time.Time
	var metadata []byte
	err := l.cfg.Pool.QueryRow(ctx, `
SELECT x.seq, x.event_time, x.metadata, x.batch, b.booked FROM ledger.transaction x JOIN ledger.batch b ON b.no = x.batch WHERE x.id = $1`, id).
		Scan(&seq, &event, &metadata, &r.Receipt.Batch, &r.Receipt.Booked)
	if errors.Is(err, pgx.ErrNoRows) {
		return Record{}, fmt.Errorf("read transaction %.100q: %w", id, ErrTransactionUnknown)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read transaction %s: %w", id, err)
	}
	r.EventTime = orZero(event)
	if metadata != nil {
		if err := json.Unmarshal(metadata, &r.Metadata); err != nil {
			return Record{}, fmt.Errorf("read metadata of %s: %w", id, err)
		}
	}
	if r.Legs, err = l.legs(ctx, seq); err != nil {
		return Record{}, fmt.Errorf("read transaction %s: %w", id, err)
	}
	return r, nil
}

func (l *Ledger) legs(ctx context.Context, first int64) ([]Transfer, error) {
	rows, err := l.cfg.Pool.Query(ctx, `
WITH walk AS (SELECT t.seq FROM ledger.transaction x JOIN ledger.transfer t ON t.seq >= x.seq AND t.seq < x.seq + x.legs WHERE x.seq = $1)
SELECT t.id, t.kind, d.id, c.id, t.amount, coalesce(p.id, ''), t.expires`+transferJoins+` ORDER BY t.seq`, first)
	if err != nil {
		return nil, fmt.Errorf("read legs: %w", err)
	}
	legs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Transfer, error) {
		var t Transfer
		var expires *time.Time
		err := row.Scan(&t.ID, &t.Kind, &t.Debit, &t.Credit, &t.Amount, &t.Pending, &expires)
		t.Expires = orZero(expires)
		return t, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read legs: %w", err)
	}
	return legs, nil
}

// PendingTransfer returns a pending transfer and what became of it. It returns
// ErrPendingUnknown.
func (l *Ledger) PendingTransfer(ctx context.Context, id TransferID) (Hold, error) {
	h := Hold{Transfer: Transfer{ID: id, Kind: Pending}}
	var expires *time.Time
	err := l.cfg.Pool.QueryRow(ctx, `
SELECT d.id, c.id, t.amount, t.expires, x.id, b.booked, coalesce(r.kind, 0), coalesce(r.amount, 0)
  FROM ledger.transfer t
  JOIN ledger.account d ON d.no = t.debit
  JOIN ledger.account c ON c.no = t.credit
  JOIN ledger.transaction x ON x.seq = t.transaction
  JOIN ledger.batch b ON b.no = t.batch
  LEFT JOIN ledger.transfer r ON r.pending = t.seq
 WHERE t.id = $1 AND t.kind = 2`, string(id)).
		Scan(&h.Debit, &h.Credit, &h.Amount, &expires, &h.Transaction, &h.Booked, &h.Resolution, &h.Posted)
	if errors.Is(err, pgx.ErrNoRows) {
		return Hold{}, fmt.Errorf("read pending transfer %.100q: %w", string(id), ErrPendingUnknown)
	}
	if err != nil {
		return Hold{}, fmt.Errorf("read pending transfer %s: %w", id, err)
	}
	h.Expires = orZero(expires)
	return h, nil
}
