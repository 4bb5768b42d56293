package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// VaultCoin is a coin of a vault with the transaction that made it, which proves it to
// whoever signs without network.
type VaultCoin struct {
	chainadapters.Coin
	Previous []byte
}

// VaultPlanner plans payments out of vaults of coins.
type VaultPlanner interface {
	// Spend chooses from a vault's coins, the best first, and returns the plan of a
	// payment. What goes back to the vault is one of its payments: the address is
	// returned, empty where nothing does. It MUST be pure. Errors: chainadapters.ErrFunds
	// where the coins do not suffice.
	Spend(vault string, coins []VaultCoin, payment chainadapters.Payment, fee chainadapters.Fee) (plan chainadapters.Plan, change string, err error)
}

// Refill is a payment out of a vault into the hot wallet.
type Refill struct {
	ID     string // rfl_… and made from the id of the move: the same move is one refill
	Asset  string
	Vault  string // name of its wallet, as RegisterVault returned it
	Amount money.Units
}

// OpenRefill stores a refill in state screened, with the message that starts its workflow.
// The same one again changes nothing. Errors as of OpenSweep.
func (s *Store) OpenRefill(ctx context.Context, w Refill) error {
	info, known := s.cfg.Assets.AssetByCode(w.Asset)
	if !known {
		return fmt.Errorf("refill of %.64q: %w", w.Asset, custody.ErrAsset)
	}
	if prefixOf(w.ID) != refillPrefix || w.Amount.IsZero() {
		return fmt.Errorf("refill %.64q of %s: %w", w.ID, w.Amount, custody.ErrAmount)
	}
	hot, err := s.HotAddress(ctx, info.Chain)
	if err != nil {
		return err
	}
	from := "" // the vault's coins pay, and its fee
	if adapter := s.cfg.Adapters[info.Chain]; adapter != nil && adapter.Family() == chainadapters.Account {
		from = hot.Address // it sends the vault's call
	}
	return s.openMove(ctx, move{w.ID, custody.IntentRefill, TopicRefill, w.Asset, info.Chain, from, hot.Address, w.Vault, w.Amount})
}

// planRefill takes coins of the vault for a refill and plans its payment.
func (s *Store) planRefill(ctx context.Context, tx pgx.Tx, r *IntentRow, fee chainadapters.Fee) (PlannedAttempt, error) {
	adapter, ok := s.cfg.Adapters[r.Chain]
	if !ok || s.cfg.Vaults == nil {
		return PlannedAttempt{}, fmt.Errorf("nobody plans what vaults on %s pay: %w", r.Chain, custody.ErrAsset)
	}
	coins, err := lockVaultCoins(ctx, tx, r.Chain, r.Vault)
	if err != nil {
		return PlannedAttempt{}, err
	}
	plan, change, err := s.cfg.Vaults.Spend(r.Vault, coins, s.payments(r)[0], fee)
	if err != nil {
		return PlannedAttempt{}, fmt.Errorf("plan what %s pays: %w", r.Vault, hotWallet(err))
	}
	if err := lockCoins(ctx, tx, r.Chain, r.ID, plan.Coins); err != nil {
		return PlannedAttempt{}, err
	}
	if change != "" {
		if _, err := s.insertVault(ctx, tx, r.Chain, r.Vault, change); err != nil {
			return PlannedAttempt{}, err
		}
	}
	unsigned, err := adapter.Build(plan)
	if err != nil {
		return PlannedAttempt{}, fmt.Errorf("build %s: %w", r.ID, err)
	}
	return PlannedAttempt{Number: 1, Plan: plan, MaxFee: unsigned.MaxFee}, nil
}

// lockVaultCoins makes reservations of a chain take turns until tx ends, and returns the
// free coins of a vault that transactions of ours made, largest first: those of others are
// taken with a transaction of the operator's.
func lockVaultCoins(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, vault string) ([]VaultCoin, error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custody.coins'), hashtext($1))", chain); err != nil {
		return nil, fmt.Errorf("lock coins: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT c.txid, c.vout, c.amount, c.address, c.account, c.branch, c.idx, coalesce(c.block_height, 0), t.raw FROM custody.coin c
		JOIN custody.address a ON a.chain = c.chain AND a.address = c.address AND a.vault = $2
		JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.txid
		WHERE c.chain = $1 AND `+freeCoins+` ORDER BY c.amount DESC, c.txid, c.vout LIMIT $3`, chain, vault, maxCoins)
	if err != nil {
		return nil, fmt.Errorf("read coins of vault %s: %w", vault, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c VaultCoin, err error) {
		return c, row.Scan(&c.TxID, &c.Vout, &c.Amount, &c.Address, &c.Path.Account, &c.Path.Branch, &c.Path.Index, &c.Height, &c.Previous)
	})
	if err != nil {
		return nil, fmt.Errorf("read coins of vault %s: %w", vault, err)
	}
	return list, nil
}

// Raw returns the bytes of transactions of ours, by id. One that is missing is left out.
func (s *Store) Raw(ctx context.Context, chain chainadapters.ChainID, txids []string) (map[string][]byte, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.txid, t.raw FROM unnest($2::text[]) AS u (wanted)
		CROSS JOIN LATERAL (SELECT txid, raw FROM custody.chain_tx WHERE chain = $1 AND txid = u.wanted OFFSET 0) t`, chain, txids)
	if err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	found := map[string][]byte{}
	var txid string
	var raw []byte
	if _, err := pgx.ForEachRow(rows, []any{&txid, &raw}, func() error {
		found[txid] = raw
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	return found, nil
}
