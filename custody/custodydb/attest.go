package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// Basis is what an asset's count on chain is made from, all read at one moment.
type Basis struct {
	At        chainadapters.Ref    // the cursor's block
	Addresses []string             // account chains
	Coins     []chainadapters.Coin // UTXO chains
	// InFlight is what left the house in mined transactions that the book has not
	// posted yet: it is gone from the chain and still owed by the book.
	InFlight money.Units
}

// AttestBasis reads the basis for counting an asset. Errors: custody.ErrAsset,
// custody.ErrChainHalted.
func (s *Store) AttestBasis(ctx context.Context, asset string) (Basis, error) {
	info, ok := s.cfg.Assets.AssetByCode(asset)
	if !ok {
		return Basis{}, fmt.Errorf("asset %q: %w", asset, custody.ErrAsset)
	}
	var b Basis
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		c, err := readChain(ctx, tx, info.Chain, "")
		if err != nil {
			return err
		}
		if c.Status != ChainOK || !c.Started() {
			return fmt.Errorf("count %s: %w", asset, custody.ErrChainHalted)
		}
		b.At = c.Cursor
		if err := s.holders(ctx, tx, info, &b); err != nil {
			return err
		}
		b.InFlight, err = s.inFlight(ctx, tx, info)
		return err
	})
	if err != nil {
		return Basis{}, fmt.Errorf("read what to count of %s: %w", asset, err)
	}
	return b, nil
}

func (s *Store) holders(ctx context.Context, tx pgx.Tx, info custody.AssetInfo, b *Basis) error {
	if s.cfg.Adapters[info.Chain].Family() == chainadapters.UTXO {
		rows, err := tx.Query(ctx, selectCoins+unspentAt, info.Chain, b.At.Height)
		if err != nil {
			return fmt.Errorf("read coins: %w", err)
		}
		if b.Coins, err = pgx.CollectRows(rows, scanCoin); err != nil {
			return fmt.Errorf("read coins: %w", err)
		}
		return nil
	}
	list, err := houseAddresses(ctx, tx, ofChain, info.Chain)
	if err != nil {
		return err
	}
	for _, a := range list {
		b.Addresses = append(b.Addresses, a.Address)
	}
	return nil
}

// flying is a mined transaction of ours that the book has not settled.
type flying struct {
	Plan    chainadapters.Plan
	Success bool
	Fee     money.Units
}

// inFlight adds up what mined transactions of ours paid to others, and their fees
// where the asset pays those, as far as the book has not settled them.
func (s *Store) inFlight(ctx context.Context, tx pgx.Tx, info custody.AssetInfo) (money.Units, error) {
	rows, err := tx.Query(ctx, `SELECT t.plan, t.success, t.fee FROM custody.chain_tx t
		LEFT JOIN custody.withdrawal w ON w.id = t.intent LEFT JOIN custody.house_intent h ON h.id = t.intent
		WHERE t.chain = $1 AND t.block_height IS NOT NULL
			AND coalesce(w.state, h.state) NOT IN ('posted', 'reverted', 'cancelled', 'rejected', 'expired', 'blocked')`, info.Chain)
	if err != nil {
		return money.Units{}, fmt.Errorf("read transactions in flight: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[flying])
	if err != nil {
		return money.Units{}, fmt.Errorf("read transactions in flight: %w", err)
	}
	var to []string
	for _, f := range list {
		for _, p := range f.Plan.Payments {
			to = append(to, p.To)
		}
	}
	ours, err := addressesOf(ctx, tx, info.Chain, to)
	if err != nil {
		return money.Units{}, err
	}
	var parts []money.Units
	for i := range list {
		parts = list[i].gone(parts, info, ours)
	}
	sum, err := money.Sum(parts...)
	if err != nil {
		return money.Units{}, fmt.Errorf("add up what is in flight: %w", err)
	}
	return sum, nil
}

// gone appends what the transaction took from the house in one asset.
func (f *flying) gone(parts []money.Units, info custody.AssetInfo, ours map[string]HouseAddress) []money.Units {
	if info.IsNative() {
		parts = append(parts, f.Fee)
	}
	for _, p := range f.Plan.Payments {
		if _, house := ours[p.To]; f.Success && p.Contract == info.Contract && !house {
			parts = append(parts, p.Amount)
		}
	}
	return parts
}

// ForgetAttested says that no count of an asset may be relied on. It is called
// before a new count is handed to the ledger, SetAttested after that succeeded:
// whatever happens in between, nothing is credited on a count of which it is not
// known that the ledger has it.
func (s *Store) ForgetAttested(ctx context.Context, chain chainadapters.ChainID, asset string) error {
	return s.SetAttested(ctx, chain, asset, chainadapters.Ref{})
}

// SetAttested notes the block at which the ledger's attestation of an asset was
// counted.
func (s *Store) SetAttested(ctx context.Context, chain chainadapters.ChainID, asset string, at chainadapters.Ref) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO custody.attested (chain, asset, height, hash) VALUES ($1, $2, $3, $4)
		ON CONFLICT (chain, asset) DO UPDATE SET height = excluded.height, hash = excluded.hash`, chain, asset, at.Height, at.Hash)
	if err != nil {
		return fmt.Errorf("note attested block of %s: %w", asset, err)
	}
	return nil
}

// Counting runs work while no other process counts the same asset: counts reach
// the ledger in the order in which they were made.
func (s *Store) Counting(ctx context.Context, asset string, work func() error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take turn to count %s: %w", asset, err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('custody.count'), hashtext($1))`, asset); err != nil {
		return fmt.Errorf("take turn to count %s: %w", asset, err)
	}
	defer func() {
		late := context.WithoutCancel(ctx)
		if _, err := conn.Exec(late, `SELECT pg_advisory_unlock(hashtext('custody.count'), hashtext($1))`, asset); err != nil {
			_ = conn.Conn().Close(late) // the lock ends with the session
		}
	}()
	return work()
}
