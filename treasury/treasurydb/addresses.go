package treasurydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

const entryColumns = `SELECT id, owner, chain, address, label, wait, alike, proposed_at, request, state, approved_at, active_from, ended_at, reason
	FROM treasury.address `

// InsertEntry keeps a proposed entry. Errors: addressbook.ErrThere.
func InsertEntry(ctx context.Context, db DB, e *treasury.EntryRow) error {
	alike := e.Alike
	if alike == nil {
		alike = []string{}
	}
	tag, err := db.Exec(ctx, `INSERT INTO treasury.address (id, owner, chain, address, label, wait, alike, proposed_at, request, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID, e.Owner, e.Chain, e.Address, e.Label, e.Wait, alike, e.ProposedAt, e.Request, e.State)
	if err = won(tag, err); Conflict(err) {
		return fmt.Errorf("keep entry %s: %w", e.ID, addressbook.ErrThere)
	}
	if err != nil {
		return fmt.Errorf("keep entry %s: %w", e.ID, err)
	}
	return nil
}

// Entry reads one and locks it. Errors: treasury.ErrUnknown.
func Entry(ctx context.Context, db DB, id string) (treasury.EntryRow, error) {
	rows, err := db.Query(ctx, entryColumns+`WHERE id = $1 FOR UPDATE`, id)
	if err != nil {
		return treasury.EntryRow{}, fmt.Errorf("read entry %s: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEntry)
	if err != nil {
		return treasury.EntryRow{}, fmt.Errorf("read entry %s: %w", id, known(err))
	}
	return e, nil
}

// Entries lists the entries of an owner, or of everybody where it is empty, the newest
// first.
func Entries(ctx context.Context, db DB, owner string) ([]treasury.EntryRow, error) {
	return entries(ctx, db, entryColumns+`WHERE $1 = '' OR owner = $1 ORDER BY seq DESC LIMIT $2`, owner, addressbook.MaxEntries)
}

// Book lists what an address of an owner on a chain is compared with: that owner's
// entries and the house's.
func Book(ctx context.Context, db DB, owner, chain string) ([]addressbook.Entry, error) {
	rows, err := entries(ctx, db, entryColumns+`WHERE owner IN ($1, $2) AND chain = $3 AND (state IN ('proposed', 'cooling', 'active') OR active_from > 0)
		ORDER BY seq DESC LIMIT $4`, owner, addressbook.House, chain, addressbook.MaxEntries+1)
	if err != nil {
		return nil, err
	}
	book := make([]addressbook.Entry, len(rows))
	for at := range rows {
		book[at] = rows[at].Entry
	}
	return book, nil
}

// MoveEntry writes an entry as it is after a step, over the one in the state before.
// Errors: treasury.ErrConflict.
func MoveEntry(ctx context.Context, db DB, e *addressbook.Entry, from addressbook.State) error {
	err := won(db.Exec(ctx, `UPDATE treasury.address SET state = $3, approved_at = $4, active_from = $5, ended_at = $6, reason = $7
		WHERE id = $1 AND state = $2`, e.ID, from, e.State, e.ApprovedAt, e.ActiveFrom, e.EndedAt, e.Reason))
	if err != nil {
		return fmt.Errorf("move entry %s from %s to %s: %w", e.ID, from, e.State, err)
	}
	return nil
}

func entries(ctx context.Context, db DB, sql string, args ...any) ([]treasury.EntryRow, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	return list, nil
}

func scanEntry(row pgx.CollectableRow) (treasury.EntryRow, error) {
	var e treasury.EntryRow
	err := row.Scan(&e.ID, &e.Owner, &e.Chain, &e.Address, &e.Label, &e.Wait, &e.Alike, &e.ProposedAt, &e.Request, &e.State,
		&e.ApprovedAt, &e.ActiveFrom, &e.EndedAt, &e.Reason)
	if err != nil {
		return e, fmt.Errorf("scan entry: %w", err)
	}
	if len(e.Alike) == 0 {
		e.Alike = nil
	}
	return e, nil
}
