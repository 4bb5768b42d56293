package desk

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/crash"
	"strongroom/internal/id"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/treasurydb"
	"strongroom/treasury/vault"
)

// maxEvidence bounds what shows a proof, in bytes.
const maxEvidence = 4 << 10

// SaveVault implements treasury.Vaults.
func (d *Desk) SaveVault(ctx context.Context, v vault.Vault, version int64) (treasury.VaultRow, error) {
	if err := v.Check(); err != nil {
		return treasury.VaultRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	return treasurydb.SaveVault(ctx, d.cfg.Pool, &v, version, d.now())
}

// Vaults implements treasury.Vaults.
func (d *Desk) Vaults(ctx context.Context) ([]treasury.VaultRow, error) {
	return treasurydb.Vaults(ctx, d.cfg.Pool, "")
}

// Snapshot implements treasury.Vaults.
func (d *Desk) Snapshot(ctx context.Context, s treasury.Snapshot) error {
	switch {
	case s.At.IsZero() || s.At.After(d.cfg.Clock().Add(clockSkew)):
		return fmt.Errorf("%w: at: the time at which it was so", treasury.ErrInvalid)
	case s.Open.Less(s.Approved):
		return fmt.Errorf("%w: approved: it is part of open", treasury.ErrInvalid)
	}
	s.At = treasurydb.Micro(s.At)
	return treasurydb.InsertSnapshot(ctx, d.cfg.Pool, &s)
}

// State implements treasury.Vaults.
func (d *Desk) State(ctx context.Context, asset money.Asset, chain string, terms vault.Terms) (vault.State, error) {
	return d.state(ctx, d.cfg.Pool, asset, chain, terms)
}

func (d *Desk) state(ctx context.Context, db treasurydb.DB, asset money.Asset, chain string, terms vault.Terms) (vault.State, error) {
	s := vault.State{Asset: asset, Chain: chain, Terms: terms, Now: d.now()}
	var err error
	if s.Holdings, err = treasurydb.Holdings(ctx, db, asset.Code, chain); err != nil {
		return s, err
	}
	if s.Flows, err = treasurydb.Flows(ctx, db, asset.Code, chain); err != nil {
		return s, err
	}
	s.Proofs, err = treasurydb.NewestProofs(ctx, db, asset.Code, chain, s.Now)
	return s, err
}

// Plan implements treasury.Vaults.
func (d *Desk) Plan(ctx context.Context, asset money.Asset, chain string, terms vault.Terms,
	planner func(*vault.State) (vault.Plan, error),
) (rows []treasury.MoveRow, plan vault.Plan, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if failed = treasurydb.Lock(ctx, tx, "moves of "+asset.Code+" on "+chain); failed != nil {
			return nil, failed
		}
		state, failed := d.state(ctx, tx, asset, chain, terms)
		if failed != nil {
			return nil, failed
		}
		if plan, failed = planner(&state); failed != nil {
			return nil, fmt.Errorf("%w: %w", treasury.ErrInvalid, failed)
		}
		rows = nil
		for at := range plan.Moves {
			kept, failed := treasurydb.InsertMoves(ctx, tx, id.New("mov"), &plan.Moves[at], d.now())
			if failed != nil {
				return nil, failed
			}
			rows = append(rows, kept...)
		}
		if len(rows) > 0 {
			crash.At(crash.PlannedBefore)
		}
		return nil, nil
	})
	if err != nil {
		return nil, vault.Plan{}, err
	}
	if len(rows) > 0 {
		crash.At(crash.PlannedAfter)
	}
	return rows, plan, nil
}

// Advance implements treasury.Vaults.
func (d *Desk) Advance(ctx context.Context, move string, version int64, change treasury.MoveChange) (treasury.MoveRow, error) {
	var row treasury.MoveRow
	err := d.inTxAt(ctx, crash.AdvancedBefore, crash.AdvancedAfter, func(tx pgx.Tx) (_, failed error) {
		if row, failed = treasurydb.Move(ctx, tx, move); failed != nil {
			return nil, failed
		}
		if row.Version != version || !treasurydb.Steps(row.State, change.To) {
			return nil, fmt.Errorf("%w: move %s is %s in version %d", treasury.ErrConflict, move, row.State, row.Version)
		}
		from := row.State
		row.State, row.Changed = change.To, d.now()
		for into, is := range map[*string]string{&row.Request: change.Request, &row.TxID: change.TxID, &row.Outcome: change.Outcome} {
			if is != "" {
				*into = is
			}
		}
		if failed = treasurydb.Advance(ctx, tx, &row, from, version); failed != nil {
			return nil, failed
		}
		row.Version++
		return nil, nil
	})
	return row, err
}

// Move implements treasury.Vaults.
func (d *Desk) Move(ctx context.Context, move string) (treasury.MoveRow, error) {
	return treasurydb.Move(ctx, d.cfg.Pool, move)
}

// Moves implements treasury.Vaults.
func (d *Desk) Moves(ctx context.Context, asset string, open bool) ([]treasury.MoveRow, error) {
	return treasurydb.Moves(ctx, d.cfg.Pool, asset, open, treasury.MaxPage)
}

// Prove implements treasury.Vaults.
func (d *Desk) Prove(ctx context.Context, p treasury.ProofRow) error {
	now := d.now()
	switch {
	case p.Kind != treasury.ProofDrill && p.Kind != treasury.ProofPayment:
		return fmt.Errorf("%w: kind: %s or %s", treasury.ErrInvalid, treasury.ProofDrill, treasury.ProofPayment)
	case p.Evidence == "" || len(p.Evidence) > maxEvidence:
		return fmt.Errorf("%w: evidence: what shows it, at most %d bytes", treasury.ErrInvalid, maxEvidence)
	case p.At <= 0 || p.At > now.Add(clockSkew).Unix():
		return fmt.Errorf("%w: at: when it was shown, in Unix seconds", treasury.ErrInvalid)
	}
	p.Came = now
	return treasurydb.InsertProof(ctx, d.cfg.Pool, &p)
}

// Proofs implements treasury.Vaults.
func (d *Desk) Proofs(ctx context.Context, of string) ([]treasury.ProofRow, error) {
	return treasurydb.Proofs(ctx, d.cfg.Pool, of)
}
