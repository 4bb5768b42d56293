package treasurydb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/vault"
)

const moveColumns = `SELECT id, move, kind, asset, chain, "from", "to", amount, fee, why, state, version, request, txid, outcome, created, changed
	FROM treasury.move `

// InsertMoves keeps the transactions of a planned move as proposed.
func InsertMoves(ctx context.Context, db DB, id string, m *vault.Move, now time.Time) ([]treasury.MoveRow, error) {
	flows := m.Flows(id)
	list := make([]treasury.MoveRow, 0, len(flows))
	for _, f := range flows {
		row := treasury.MoveRow{
			ID: f.ID, Move: id, Kind: m.Kind, Asset: m.Asset, Chain: m.Chain, From: f.From, To: f.To, Amount: f.Amount, Fee: f.Fee, Why: m.Why,
			State: treasury.MoveProposed, Version: 1, Created: now, Changed: now,
		}
		_, err := db.Exec(ctx, `INSERT INTO treasury.move (id, move, kind, asset, chain, "from", "to", amount, fee, why, created, changed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
			row.ID, row.Move, row.Kind, row.Asset, row.Chain, row.From, row.To, row.Amount, row.Fee, row.Why, now)
		if err != nil {
			return nil, fmt.Errorf("keep move %s: %w", row.ID, err)
		}
		list = append(list, row)
	}
	return list, nil
}

// Move reads one. Errors: treasury.ErrUnknown.
func Move(ctx context.Context, db DB, id string) (treasury.MoveRow, error) {
	rows, err := db.Query(ctx, moveColumns+`WHERE id = $1`, id)
	if err != nil {
		return treasury.MoveRow{}, fmt.Errorf("read move %s: %w", id, err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMove)
	if err != nil {
		return treasury.MoveRow{}, fmt.Errorf("read move %s: %w", id, known(err))
	}
	return m, nil
}

// Moves lists moves, the newest first: of one asset where it is given, and open ones only
// where that is asked.
func Moves(ctx context.Context, db DB, asset string, open bool, limit int) ([]treasury.MoveRow, error) {
	sql := moveColumns + `WHERE ($1 = '' OR asset = $1)`
	if open {
		sql += ` AND state IN ('proposed', 'signed', 'sent')`
	}
	rows, err := db.Query(ctx, sql+` ORDER BY seq DESC LIMIT $2`, asset, limit)
	if err != nil {
		return nil, fmt.Errorf("list moves: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanMove)
	if err != nil {
		return nil, fmt.Errorf("list moves: %w", err)
	}
	return list, nil
}

// Flows are the open moves of an asset on a chain, as plans count them.
func Flows(ctx context.Context, db DB, asset, chain string) ([]vault.Flow, error) {
	rows, err := db.Query(ctx, `SELECT id, "from", "to", amount, fee, state FROM treasury.move
		WHERE asset = $1 AND chain = $2 AND state IN ('proposed', 'signed', 'sent') ORDER BY seq LIMIT $3`, asset, chain, vault.MaxFlows+1)
	if err != nil {
		return nil, fmt.Errorf("read moves of %s: %w", asset, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[vault.Flow])
	if err != nil {
		return nil, fmt.Errorf("read moves of %s: %w", asset, err)
	}
	return list, nil
}

// Steps says which state may follow which: what is signed may be out in the world, and
// ends only as the chain says.
func Steps(from, to treasury.MoveState) bool {
	var next []treasury.MoveState
	switch from {
	case treasury.MoveProposed:
		next = []treasury.MoveState{treasury.MoveProposed, treasury.MoveSigned, treasury.MoveRecalled, treasury.MoveFailed}
	case treasury.MoveSigned:
		next = []treasury.MoveState{treasury.MoveSigned, treasury.MoveSent, treasury.MoveFinal, treasury.MoveFailed}
	case treasury.MoveSent:
		next = []treasury.MoveState{treasury.MoveSent, treasury.MoveFinal, treasury.MoveFailed}
	case treasury.MoveFinal, treasury.MoveRecalled, treasury.MoveFailed:
	}
	return slices.Contains(next, to)
}

// Advance writes a move as it is after a step, over the one with the version before.
// Errors: treasury.ErrConflict.
func Advance(ctx context.Context, db DB, m *treasury.MoveRow, from treasury.MoveState, version int64) error {
	err := won(db.Exec(ctx, `UPDATE treasury.move SET state = $4, version = version + 1, request = $5, txid = $6, outcome = $7, changed = $8
		WHERE id = $1 AND state = $2 AND version = $3`, m.ID, from, version, m.State, m.Request, m.TxID, m.Outcome, m.Changed))
	if err != nil {
		return fmt.Errorf("advance move %s: %w", m.ID, err)
	}
	return nil
}

func scanMove(row pgx.CollectableRow) (treasury.MoveRow, error) {
	var m treasury.MoveRow
	err := row.Scan(&m.ID, &m.Move, &m.Kind, &m.Asset, &m.Chain, &m.From, &m.To, &m.Amount, &m.Fee, &m.Why, &m.State, &m.Version,
		&m.Request, &m.TxID, &m.Outcome, &m.Created, &m.Changed)
	if err != nil {
		return m, fmt.Errorf("scan move: %w", err)
	}
	m.Created, m.Changed = m.Created.UTC(), m.Changed.UTC()
	return m, nil
}
