package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/money"
)

// openChunk is how many accounts one statement creates.
const openChunk = 5_000

// Open creates accounts, all or none. An account that exists with the same
// content is left as it is, so Open can be repeated. It returns ErrInvalid, or
// ErrConflict where an id exists with other content.
func (l *Ledger) Open(ctx context.Context, accounts ...Account) error {
	sorted := slices.Clone(accounts)
	for i := range sorted {
		if err := sorted[i].validate(); err != nil {
			return fmt.Errorf("open account: %w", err)
		}
	}
	// In one order, so that two callers with common accounts do not block each
	// other.
	slices.SortFunc(sorted, func(a, b Account) int { return strings.Compare(string(a.ID), string(b.ID)) })
	now := l.cfg.Clock().UTC()
	err := pgx.BeginFunc(ctx, l.cfg.Pool, func(tx pgx.Tx) error {
		for chunk := range slices.Chunk(sorted, openChunk) {
			if err := openAccounts(ctx, tx, chunk, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	return nil
}

const insertAccounts = `
WITH opened AS (
  INSERT INTO ledger.account (id, asset, class, may_overdraw, max_balance, metadata, opened)
  SELECT u.*, $7 FROM unnest($1::text[], $2::text[], $3::smallint[], $4::boolean[], $5::numeric[], $6::jsonb[]) AS u
      ON CONFLICT (id) DO NOTHING
  RETURNING no, class, may_overdraw, max_balance)
INSERT INTO ledger.balance (account, debit_normal, may_overdraw, max_balance)
SELECT no, class IN (1, 5), may_overdraw, max_balance FROM opened`

func openAccounts(ctx context.Context, tx pgx.Tx, accounts []Account, now time.Time) error {
	n := len(accounts)
	ids, assets, metadata := make([]string, n), make([]string, n), make([]string, n)
	classes, overdraw, limits := make([]int16, n), make([]bool, n), make([]money.Units, n)
	for i, a := range accounts {
		ids[i], assets[i], classes[i] = string(a.ID), a.Asset, int16(a.Class)
		overdraw[i], limits[i], metadata[i] = a.MayOverdraw, a.Max, "{}"
		if text := metadataJSON(a.Metadata); text != nil {
			metadata[i] = string(text)
		}
	}
	tag, err := tx.Exec(ctx, insertAccounts, ids, assets, classes, overdraw, limits, metadata, now)
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	if tag.RowsAffected() == int64(n) {
		return nil
	}
	return compareAccounts(ctx, tx, accounts, ids)
}

// compareAccounts holds what exists against what was asked for.
func compareAccounts(ctx context.Context, tx pgx.Tx, accounts []Account, ids []string) error {
	rows, err := tx.Query(ctx, `SELECT id, asset, class, may_overdraw, max_balance, metadata FROM ledger.account WHERE id = ANY ($1)`, ids)
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	var have Account
	var metadata []byte
	stored := make(map[AccountID]Account, len(ids))
	_, err = pgx.ForEachRow(rows, []any{&have.ID, &have.Asset, &have.Class, &have.MayOverdraw, &have.Max, &metadata}, func() error {
		a := have
		a.Metadata = nil
		if err := json.Unmarshal(metadata, &a.Metadata); err != nil {
			return fmt.Errorf("read metadata of %s: %w", a.ID, err)
		}
		stored[a.ID] = a
		return nil
	})
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	for _, want := range accounts {
		if !want.equal(stored[want.ID]) {
			return fmt.Errorf("account %q: %w", want.ID, ErrConflict)
		}
	}
	return nil
}

func (a Account) equal(b Account) bool {
	return a.ID == b.ID && a.Asset == b.Asset && a.Class == b.Class && a.MayOverdraw == b.MayOverdraw && a.Max == b.Max &&
		string(metadataJSON(a.Metadata)) == string(metadataJSON(b.Metadata))
}
