package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/ledger"
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
	return s.openMove(ctx, move{
		id: w.ID, kind: custody.IntentRefill, topic: TopicRefill, asset: w.Asset, chain: info.Chain, from: from, to: hot.Address, vault: w.Vault, units: w.Amount,
	})
}

// ColdSpend is a payment out of a vault of coins to an outside address.
type ColdSpend struct {
	ID        string // csp_…
	Asset     string
	Vault     string
	To        string // canonical
	Amount    money.Units
	MaxFee    money.Units // the most that the network may take beside, in the same asset
	Requester string      // who asks: a person's id
	Purpose   string      // for people
}

// OpenColdSpend stores one in state screened, with the message that starts its workflow.
// The same one again changes nothing. That the address is one that the house allows is for
// policy to see to. Errors as of OpenSweep; custody.ErrDestination where To is the house's
// own, custody.ErrAsset where what is in the vault is no coins, custody.ErrInsufficient
// where it is not the house's own: what customers are owed is never paid to anybody else.
func (s *Store) OpenColdSpend(ctx context.Context, w ColdSpend) error {
	info, known := s.cfg.Assets.AssetByCode(w.Asset)
	if !known {
		return fmt.Errorf("payment out of a vault of %.64q: %w", w.Asset, custody.ErrAsset)
	}
	adapter := s.cfg.Adapters[info.Chain]
	if adapter == nil || adapter.Family() != chainadapters.UTXO {
		return fmt.Errorf("payment out of a vault of %s: only vaults of coins pay to the outside: %w", w.Asset, custody.ErrAsset)
	}
	if prefixOf(w.ID) != spendPrefix || w.Amount.IsZero() || w.Amount.Less(adapter.Dust()) || w.Requester == "" {
		return fmt.Errorf("payment %.64q of %s by %.64q: %w", w.ID, w.Amount, w.Requester, custody.ErrAmount)
	}
	own := false
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.address WHERE chain = $1 AND address = $2)`, info.Chain, w.To).Scan(&own)
	if err != nil {
		return fmt.Errorf("look for address: %w", err)
	}
	if own {
		return fmt.Errorf("%s is the house's own: %w", w.To, custody.ErrDestination)
	}
	if err := s.ofTheHouse(ctx, &w); err != nil {
		return err
	}
	account := ledger.Account{ID: custody.PaidByHouseAccount(w.Asset), Asset: w.Asset, Class: ledger.Expense}
	if err := s.cfg.Ledger.Open(ctx, account); err != nil {
		return fmt.Errorf("open account of what the house pays: %w", err)
	}
	return s.openMove(ctx, move{
		id: w.ID, kind: custody.IntentColdSpend, topic: TopicColdSpend, asset: w.Asset, chain: info.Chain, to: w.To, vault: w.Vault, units: w.Amount,
		requester: w.Requester, purpose: w.Purpose,
	})
}

// ofTheHouse reports custody.ErrInsufficient where a payment, with its fee and beside those
// that are open, is more than there is beyond what customers are owed.
func (s *Store) ofTheHouse(ctx context.Context, w *ColdSpend) error {
	p, err := s.cfg.Ledger.Position(ctx, w.Asset)
	if err != nil {
		return fmt.Errorf("read what is owed of %s: %w", w.Asset, err)
	}
	var open money.Units
	err = s.pool.QueryRow(ctx, `SELECT coalesce(sum(amount), 0)::numeric(78,0) FROM custody.house_intent WHERE kind = 'coldspend' AND asset = $1 AND id <> $2
		AND state NOT IN ('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted')`, w.Asset, w.ID).Scan(&open)
	if err != nil {
		return fmt.Errorf("read what is being paid: %w", err)
	}
	need, err := money.Sum(p.Liabilities, open, w.Amount, w.MaxFee)
	if err != nil {
		return fmt.Errorf("sum what is needed: %w", err)
	}
	if p.Attested.Less(need) {
		return fmt.Errorf("%w: of %s there are %s, %s are owed and %s are being paid: this and its fee would be customers'", custody.ErrInsufficient, w.Asset, p.Attested, p.Liabilities, open)
	}
	return nil
}

// planRefill takes coins of the vault for a refill, or another payment of its, and plans it.
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
