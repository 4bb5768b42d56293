package treasurydb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/vault"
)

// SaveVault adds a vault where the version is 0, and else changes the terms of the one
// that has that version. Errors: treasury.ErrConflict.
func SaveVault(ctx context.Context, db DB, v *vault.Vault, version int64, now time.Time) (treasury.VaultRow, error) {
	terms, err := json.Marshal(v)
	if err != nil {
		return treasury.VaultRow{}, fmt.Errorf("write vault %s: %w", v.ID, err)
	}
	if version == 0 {
		err = won(db.Exec(ctx, `INSERT INTO treasury.vault (id, asset, chain, tier, shard, terms, changed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			v.ID, v.Asset, v.Chain, v.Tier, v.Shard, terms, now))
	} else {
		err = won(db.Exec(ctx, `UPDATE treasury.vault SET terms = $6, version = version + 1, changed = $7
			WHERE id = $1 AND asset = $2 AND chain = $3 AND tier = $4 AND shard = $5 AND version = $8`,
			v.ID, v.Asset, v.Chain, v.Tier, v.Shard, terms, now, version))
	}
	if err != nil {
		return treasury.VaultRow{}, fmt.Errorf("save vault %s: %w", v.ID, err)
	}
	return treasury.VaultRow{Vault: *v, Version: version + 1}, nil
}

// Vaults lists vaults by id: all, or those on a chain where it is given.
func Vaults(ctx context.Context, db DB, chain string) ([]treasury.VaultRow, error) {
	rows, err := db.Query(ctx, `SELECT terms, version FROM treasury.vault WHERE $1 = '' OR chain = $1 ORDER BY id`, chain)
	if err != nil {
		return nil, fmt.Errorf("list vaults: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v treasury.VaultRow, err error) {
		return v, row.Scan(&v.Vault, &v.Version)
	})
	if err != nil {
		return nil, fmt.Errorf("list vaults: %w", err)
	}
	return list, nil
}

// InsertSnapshot keeps what is in a vault.
func InsertSnapshot(ctx context.Context, db DB, s *treasury.Snapshot) error {
	_, err := db.Exec(ctx, `INSERT INTO treasury.holding (vault, at, final, open, approved) VALUES ($1, $2, $3, $4, $5)`,
		s.Vault, s.At, s.Final, s.Open, s.Approved)
	if err != nil {
		return fmt.Errorf("keep what is in vault %s: %w", s.Vault, err)
	}
	return nil
}

// Holdings are the vaults of an asset on a chain with what the newest snapshot of each
// says: nothing where there is none.
func Holdings(ctx context.Context, db DB, asset, chain string) ([]vault.Holding, error) {
	rows, err := db.Query(ctx, `SELECT v.terms, COALESCE(h.final, 0), COALESCE(h.open, 0), COALESCE(h.approved, 0)
		FROM treasury.vault v
		LEFT JOIN LATERAL (SELECT * FROM treasury.holding h WHERE h.vault = v.id ORDER BY h.at DESC, h.seq DESC LIMIT 1) h ON true
		WHERE v.asset = $1 AND v.chain = $2 ORDER BY v.id`, asset, chain)
	if err != nil {
		return nil, fmt.Errorf("read vaults of %s: %w", asset, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h vault.Holding, err error) {
		return h, row.Scan(&h.Vault, &h.Final, &h.Open, &h.Approved)
	})
	if err != nil {
		return nil, fmt.Errorf("read vaults of %s: %w", asset, err)
	}
	return list, nil
}

// InsertProof keeps a proof of control. One with that evidence stays as it was.
func InsertProof(ctx context.Context, db DB, p *treasury.ProofRow) error {
	_, err := db.Exec(ctx, `INSERT INTO treasury.proof (vault, kind, evidence, at, came) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		p.Vault, p.Kind, p.Evidence, p.At, p.Came)
	if err != nil {
		return fmt.Errorf("keep proof of %s: %w", p.Vault, err)
	}
	return nil
}

// Proofs lists the proofs of a vault, the newest first, at most treasury.MaxPage.
func Proofs(ctx context.Context, db DB, of string) ([]treasury.ProofRow, error) {
	rows, err := db.Query(ctx, `SELECT vault, at, kind, evidence, came FROM treasury.proof WHERE vault = $1 ORDER BY at DESC, evidence LIMIT $2`,
		of, treasury.MaxPage)
	if err != nil {
		return nil, fmt.Errorf("list proofs of %s: %w", of, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p treasury.ProofRow, err error) {
		return p, row.Scan(&p.Vault, &p.At, &p.Kind, &p.Evidence, &p.Came)
	})
	if err != nil {
		return nil, fmt.Errorf("list proofs of %s: %w", of, err)
	}
	return list, nil
}

// NewestProofs are the newest proof of each vault of an asset on a chain, none from the
// future.
func NewestProofs(ctx context.Context, db DB, asset, chain string, now time.Time) ([]vault.Proof, error) {
	rows, err := db.Query(ctx, `SELECT p.vault, max(p.at) FROM treasury.proof p JOIN treasury.vault v ON v.id = p.vault
		WHERE v.asset = $1 AND v.chain = $2 AND p.at <= $3 GROUP BY p.vault ORDER BY p.vault`, asset, chain, now.Unix())
	if err != nil {
		return nil, fmt.Errorf("read proofs for %s: %w", asset, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[vault.Proof])
	if err != nil {
		return nil, fmt.Errorf("read proofs for %s: %w", asset, err)
	}
	return list, nil
}
