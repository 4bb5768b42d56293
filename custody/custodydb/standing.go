package custodydb

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/money"
)

// Standing is what the house has of an asset and where, at one moment: what treasury
// plans sweeps and refills from.
type Standing struct {
	// Hot is what the book has in the hot wallet, less what signed payments and fees take
	// from it that are not booked yet. Sweeps are not taken off: they are told apart.
	Hot money.Units
	// Vaults is what the book has in each vault's wallet, by its name, less what its payments
	// to the outside take that people agreed to and that are not booked yet. Refills are not
	// taken off: they are told apart.
	Vaults map[string]money.Units
	// Open is what withdrawals need that are not signed yet, Approved the part of it that
	// waits for nobody, each with fees where the asset pays them.
	Open, Approved money.Units
	// Sweeps are those that were asked about, by id.
	Sweeps map[string]custody.Progress
}

// unsignedStates are those of withdrawals that have no transaction yet; the last two wait
// for nobody.
const (
	waitingStates  = `('held', 'screened', 'awaiting_approval', 'cooling_off')`
	approvedStates = `('approved', 'reserved')`
	flyingStates   = `('signed', 'broadcast', 'unknown', 'confirming', 'reorged', 'stuck', 'replaced', 'final')`
)

// Standing reads where an asset is. feeEach is the most that one payment may cost in the
// native asset: it counts for each withdrawal that is not signed, where the asset pays
// fees. The book and the intents are read at the same moment, or a sweep that is booked
// in between would count twice: that is why this reads the ledger's tables itself.
// Errors: custody.ErrAsset.
func (s *Store) Standing(ctx context.Context, asset string, feeEach money.Units, sweeps []string) (Standing, error) {
	info, known := s.cfg.Assets.AssetByCode(asset)
	if !known {
		return Standing{}, fmt.Errorf("standing of %.64q: %w", asset, custody.ErrAsset)
	}
	at := Standing{Vaults: map[string]money.Units{}, Sweeps: map[string]custody.Progress{}}
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := at.booked(ctx, tx, info); err != nil {
			return err
		}
		if err := at.flying(ctx, tx, info); err != nil {
			return err
		}
		if err := at.spent(ctx, tx, info); err != nil {
			return err
		}
		if err := at.unsigned(ctx, tx, info, feeEach); err != nil {
			return err
		}
		return at.swept(ctx, tx, sweeps)
	})
	if err != nil {
		return Standing{}, fmt.Errorf("standing of %s: %w", asset, err)
	}
	return at, nil
}

func (at *Standing) booked(ctx context.Context, tx pgx.Tx, info custody.AssetInfo) error {
	hot, vault := string(custody.HotAccount(info.Chain, info.Code)), string(custody.VaultAccount(info.Chain, info.Code, ""))
	rows, err := tx.Query(ctx, `SELECT a.id, greatest(b.debits_posted - b.credits_posted, 0)::numeric(78,0) FROM ledger.account a
		JOIN ledger.balance b ON b.account = a.no WHERE a.id = $1 OR starts_with(a.id, $2)`, hot, vault)
	if err != nil {
		return fmt.Errorf("read the book: %w", err)
	}
	var id string
	var has money.Units
	_, err = pgx.ForEachRow(rows, []any{&id, &has}, func() error {
		if id == hot {
			at.Hot = has
		} else {
			at.Vaults[id[len(vault):]] = has
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the book: %w", err)
	}
	return nil
}

// flying takes off what signed transactions take from the hot wallet, each with the
// highest of its bids where the asset pays fees.
func (at *Standing) flying(ctx context.Context, tx pgx.Tx, info custody.AssetInfo) error {
	var paid, fees money.Units
	err := tx.QueryRow(ctx, `SELECT (SELECT coalesce(sum(amount), 0) FROM custody.withdrawal WHERE chain = $1 AND asset = $2 AND state IN `+flyingStates+`)
			+ (SELECT coalesce(sum(amount), 0) FROM custody.house_intent WHERE chain = $1 AND asset = $2 AND kind = 'gas_topup' AND state IN `+flyingStates+`)`,
		info.Chain, info.Code).Scan(&paid)
	if err == nil && info.IsNative() {
		err = tx.QueryRow(ctx, `SELECT coalesce(sum(most), 0) FROM (SELECT max(t.max_fee) AS most FROM custody.chain_tx t
				LEFT JOIN custody.withdrawal w ON w.id = t.intent LEFT JOIN custody.house_intent h ON h.id = t.intent
				WHERE t.chain = $1 AND coalesce(w.state, h.state) IN `+flyingStates+`
					AND coalesce(h.kind <> 'collect' AND NOT (h.kind = 'sweep' AND h.asset = $2) AND NOT (h.kind IN ('refill', 'coldspend') AND h.from_address = ''), true) GROUP BY t.intent) x`,
			info.Chain, info.Code).Scan(&fees)
	}
	if err != nil {
		return fmt.Errorf("add up what is on its way: %w", err)
	}
	at.Hot = at.Hot.SubFloor(paid).SubFloor(fees)
	return nil
}

// spent takes off what vaults pay to the outside, from when people agreed to it: its coins
// are taken long before its cosigners have signed.
func (at *Standing) spent(ctx context.Context, tx pgx.Tx, info custody.AssetInfo) error {
	rows, err := tx.Query(ctx, `SELECT h.vault, sum(h.amount + coalesce((SELECT max(t.max_fee) FROM custody.chain_tx t WHERE t.intent = h.id), 0))::numeric(78,0)
		FROM custody.house_intent h WHERE h.chain = $1 AND h.asset = $2 AND h.kind = 'coldspend' AND (h.state IN `+approvedStates+` OR h.state IN `+flyingStates+`)
		GROUP BY h.vault`, info.Chain, info.Code)
	if err != nil {
		return fmt.Errorf("add up what vaults pay: %w", err)
	}
	var vault string
	var takes money.Units
	if _, err := pgx.ForEachRow(rows, []any{&vault, &takes}, func() error {
		at.Vaults[vault] = at.Vaults[vault].SubFloor(takes)
		return nil
	}); err != nil {
		return fmt.Errorf("add up what vaults pay: %w", err)
	}
	return nil
}

func (at *Standing) unsigned(ctx context.Context, tx pgx.Tx, info custody.AssetInfo, feeEach money.Units) error {
	add := func(states string, to *money.Units) error {
		var n uint64
		var sum money.Units
		err := tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(amount) FILTER (WHERE asset = $2), 0)::numeric(78,0)
			FROM custody.withdrawal WHERE chain = $1 AND (asset = $2 OR $3) AND state IN `+states,
			info.Chain, info.Code, info.IsNative()).Scan(&n, &sum)
		if err != nil {
			return fmt.Errorf("add up withdrawals: %w", err)
		}
		var fees money.Units
		if info.IsNative() {
			if fees, err = feeEach.Mul(n); err != nil {
				return fmt.Errorf("add up fees: %w", err)
			}
		}
		if *to, err = money.Sum(*to, sum, fees); err != nil {
			return fmt.Errorf("add up withdrawals: %w", err)
		}
		return nil
	}
	if err := add(approvedStates, &at.Approved); err != nil {
		return err
	}
	at.Open = at.Approved
	return add(waitingStates, &at.Open)
}

func (at *Standing) swept(ctx context.Context, tx pgx.Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT i.id, i.kind, i.state, i.reason, coalesce((SELECT txid FROM custody.chain_tx t WHERE t.intent = i.id
			ORDER BY t.block_height IS NULL, attempt DESC LIMIT 1), '')
		FROM unnest($1::text[]) AS u (wanted) CROSS JOIN LATERAL (SELECT * FROM custody.house_intent WHERE id = u.wanted OFFSET 0) i`, slices.Compact(ids))
	if err != nil {
		return fmt.Errorf("read sweeps: %w", err)
	}
	var p custody.Progress
	_, err = pgx.ForEachRow(rows, []any{&p.ID, &p.Kind, &p.State, &p.Reason, &p.TxID}, func() error {
		p.Ended = p.State.Ended()
		at.Sweeps[p.ID] = p
		return nil
	})
	if err != nil {
		return fmt.Errorf("read sweeps: %w", err)
	}
	return nil
}
