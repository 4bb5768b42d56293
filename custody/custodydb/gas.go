package custodydb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// gasSpent selects the top-ups of a chain in the day before $2, each with what it
// cost: its amount, unless it ended unpaid, and its network fee, or the most that
// may be where that is not known yet.
const gasSpent = `SELECT i.destination, i.for_asset, i.created_at,
		CASE WHEN i.state IN ('reverted', 'cancelled', 'rejected', 'expired', 'blocked') THEN 0 ELSE i.amount END
			+ coalesce((SELECT max(coalesce(t.fee, t.max_fee)) FROM custody.chain_tx t WHERE t.intent = i.id), 0) AS cost
	FROM custody.house_intent i WHERE i.chain = $1 AND i.kind = 'gas_topup' AND i.created_at > $2::timestamptz - interval '1 day'`

// collectionsFailed counts collections that failed on chain since the last that
// succeeded, and when the last failed, among those that the condition names.
func collectionsFailed(condition string) string {
	return `SELECT count(*), coalesce(max(f.updated_at), 'epoch') FROM custody.house_intent f
		WHERE f.chain = $1 AND f.kind = 'collect' AND f.asset = $3 AND f.state = 'reverted' AND ` + condition + `
			AND f.created_at > coalesce((SELECT max(f.created_at) FROM custody.house_intent f
				WHERE f.chain = $1 AND f.kind = 'collect' AND f.asset = $3 AND f.state = 'posted' AND ` + condition + `), 'epoch')`
}

// GasUse adds up what the gas station spent on a chain until now, for an address
// and for a token, and how collections of the token went.
func (s *Store) GasUse(ctx context.Context, chain chainadapters.ChainID, address, asset string, now time.Time) (custody.GasUse, error) {
	var u custody.GasUse
	err := s.pool.QueryRow(ctx, `SELECT
			coalesce(sum(cost) FILTER (WHERE destination = $4), 0)::numeric(78,0),
			coalesce(sum(cost) FILTER (WHERE for_asset = $3 AND created_at > $2::timestamptz - interval '1 hour'), 0)::numeric(78,0),
			coalesce(sum(cost) FILTER (WHERE for_asset = $3), 0)::numeric(78,0),
			coalesce(sum(cost) FILTER (WHERE created_at > $2::timestamptz - interval '1 hour'), 0)::numeric(78,0),
			coalesce(sum(cost), 0)::numeric(78,0)
		FROM (`+gasSpent+`) g`, chain, now, asset, address).Scan(&u.AddressDay, &u.AssetHour, &u.AssetDay, &u.Hour, &u.Day)
	if err != nil {
		return u, fmt.Errorf("add up gas on %s: %w", chain, err)
	}
	err = s.pool.QueryRow(ctx, `SELECT here.*, wherever.* FROM (`+collectionsFailed("f.from_address = $2")+`) here,
		(`+collectionsFailed("true")+`) wherever`, chain, address, asset).Scan(&u.Failed, &u.LastFailed, &u.AssetFailed, &u.LastAssetFailed)
	if err != nil {
		return u, fmt.Errorf("count failed collections on %s: %w", chain, err)
	}
	return u, nil
}

// HeldPile is a pile at a deposit address that is not collected for now.
type HeldPile struct {
	Chain   chainadapters.ChainID `json:"chain"`
	Address string                `json:"address"`
	Asset   string                `json:"asset"`
	Reason  string                `json:"reason"`
	Until   time.Time             `json:"until"` // zero: until the limit has room again
	Since   time.Time             `json:"since"`
}

// HoldPile notes why a pile is not collected, for people. It reports whether that
// is news.
func (s *Store) HoldPile(ctx context.Context, p HeldPile) (news bool, err error) {
	var until *time.Time
	if !p.Until.IsZero() {
		until = &p.Until
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO custody.held_pile AS h (chain, address, asset, reason, until, since) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (chain, address, asset) DO UPDATE SET reason = excluded.reason, until = excluded.until
		WHERE (h.reason, h.until) IS DISTINCT FROM (excluded.reason, excluded.until)`,
		p.Chain, p.Address, p.Asset, p.Reason, until, p.Since)
	if err != nil {
		return false, fmt.Errorf("note held pile: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// FreePile forgets that a pile was held.
func (s *Store) FreePile(ctx context.Context, chain chainadapters.ChainID, address, asset string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM custody.held_pile WHERE chain = $1 AND address = $2 AND asset = $3`, chain, address, asset); err != nil {
		return fmt.Errorf("forget held pile: %w", err)
	}
	return nil
}

// HeldPiles returns the piles that are held, the longest first, at most limit.
func (s *Store) HeldPiles(ctx context.Context, limit int) ([]HeldPile, error) {
	rows, err := s.pool.Query(ctx, `SELECT chain, address, asset, reason, until, since FROM custody.held_pile
		ORDER BY since, chain, address, asset LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read held piles: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (HeldPile, error) {
		var p HeldPile
		var until *time.Time
		err := row.Scan(&p.Chain, &p.Address, &p.Asset, &p.Reason, &until, &p.Since)
		if until != nil {
			p.Until = *until
		}
		return p, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read held piles: %w", err)
	}
	return list, nil
}
