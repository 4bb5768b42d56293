package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/ledger"
	"strongroom/money"
)

// maxVaultName bounds the name of a vault's wallet, in bytes.
const maxVaultName = 64

// RegisterVault makes an address of a warm or cold vault one of the house: what is there
// is watched, counted and booked, and sweeps may go there. name is that of the wallet,
// which may have several addresses, and hold several assets of the chain. An address keeps
// the name that it was registered with: that name is returned. Errors:
// custody.ErrDestination where the address is the hot wallet's or a customer's.
func (s *Store) RegisterVault(ctx context.Context, chain chainadapters.ChainID, name, address string) (string, error) {
	adapter, served := s.cfg.Adapters[chain]
	if !served {
		return "", fmt.Errorf("vault %.64q: chain %s is not served: %w", name, chain, custody.ErrAsset)
	}
	if name == "" || len(name) > maxVaultName {
		return "", fmt.Errorf("vault %.70q: give a name of 1 to %d bytes: %w", name, maxVaultName, custody.ErrDestination)
	}
	canonical, err := adapter.ParseAddress(address)
	if err != nil {
		return "", fmt.Errorf("vault %s: %w", name, err)
	}
	is, err := s.registerVault(ctx, chain, name, canonical)
	if err != nil {
		return "", fmt.Errorf("register vault %s: %w", name, err)
	}
	for _, info := range s.cfg.Assets.AssetsOf(chain) {
		if err := s.openVault(ctx, info, is); err != nil {
			return "", err
		}
	}
	return is, nil
}

func (s *Store) registerVault(ctx context.Context, chain chainadapters.ChainID, name, address string) (is string, err error) {
	err = s.InTx(ctx, func(tx pgx.Tx) (err error) {
		is, err = s.insertVault(ctx, tx, chain, name, address)
		return err
	})
	return is, err
}

// insertVault stores an address of a vault, or finds it, and returns the vault's name.
func (s *Store) insertVault(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, name, address string) (string, error) {
	_, err := tx.Exec(ctx, `WITH c AS (INSERT INTO custody.address_counter AS c (chain, account, branch, next)
			SELECT $1, $3, $4, 1 WHERE NOT EXISTS (SELECT FROM custody.address WHERE chain = $1 AND address = $2)
			ON CONFLICT (chain, account, branch) DO UPDATE SET next = c.next + 1 RETURNING next - 1 AS idx)
		INSERT INTO custody.address (chain, address, account, branch, idx, vault, created_at)
		SELECT $1, $2, $3, $4, idx, $5, $6 FROM c ON CONFLICT (chain, address) DO NOTHING`,
		chain, address, chainadapters.VaultAccount, branchReceive, name, s.now())
	if err != nil {
		return "", fmt.Errorf("store address: %w", err)
	}
	return vaultAt(ctx, tx, chain, address)
}

// VaultNames lists the names of vaults on a chain, each once.
func (s *Store) VaultNames(ctx context.Context, chain chainadapters.ChainID) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT vault FROM custody.address WHERE chain = $1 AND account = $2 ORDER BY vault`, chain, chainadapters.VaultAccount)
	if err != nil {
		return nil, fmt.Errorf("list vaults: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list vaults: %w", err)
	}
	return names, nil
}

// vaultAt is the name of the vault that an address belongs to, or custody.ErrDestination.
func vaultAt(ctx context.Context, q queryer, chain chainadapters.ChainID, address string) (string, error) {
	var name string
	err := q.QueryRow(ctx, `SELECT vault FROM custody.address WHERE chain = $1 AND address = $2`, chain, address).Scan(&name)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && name == "":
		return "", fmt.Errorf("%s is no vault's: %w", address, custody.ErrDestination)
	case err != nil:
		return "", fmt.Errorf("read address of vault: %w", err)
	}
	return name, nil
}

// openVault opens the account that the book has of an asset in a vault, once per process.
func (s *Store) openVault(ctx context.Context, info custody.AssetInfo, name string) error {
	account := ledger.Account{ID: custody.VaultAccount(info.Chain, info.Code, name), Asset: info.Code, Class: ledger.Asset}
	if _, done := s.opened.Load(account.ID); done {
		return nil
	}
	if err := s.cfg.Ledger.Open(ctx, account); err != nil {
		return fmt.Errorf("open account of vault %s: %w", name, err)
	}
	s.opened.Store(account.ID, true)
	return nil
}

// Sweep is a payment out of the hot wallet into a vault.
type Sweep struct {
	ID     string // swp_… and made from the id of the move: the same move is one sweep
	Asset  string
	To     string // canonical; a vault's
	Amount money.Units
}

// OpenSweep stores a sweep in state screened, with the message that starts its workflow.
// The same one again changes nothing. Errors: custody.ErrConflict where the id was used
// for another, custody.ErrDestination where To is no vault's, custody.ErrAsset.
func (s *Store) OpenSweep(ctx context.Context, w Sweep) error {
	info, known := s.cfg.Assets.AssetByCode(w.Asset)
	if !known {
		return fmt.Errorf("sweep of %.64q: %w", w.Asset, custody.ErrAsset)
	}
	if prefixOf(w.ID) != sweepPrefix || w.Amount.IsZero() {
		return fmt.Errorf("sweep %.64q of %s: %w", w.ID, w.Amount, custody.ErrAmount)
	}
	vault, err := vaultAt(ctx, s.pool, info.Chain, w.To)
	if err != nil {
		return fmt.Errorf("open sweep %.64s: %w", w.ID, err)
	}
	return s.openMove(ctx, move{
		id: w.ID, kind: custody.IntentSweep, topic: TopicSweep, asset: w.Asset, chain: info.Chain, to: w.To, vault: vault, units: w.Amount,
	})
}

// move is a payment between the hot wallet and a vault.
type move struct {
	id    string
	kind  custody.IntentKind
	topic string
	asset string
	chain chainadapters.ChainID
	from  string // who sends, where a vault's call is sent by the hot wallet
	to    string
	vault string
	units money.Units

	requester, purpose string // of payments to the outside
}

func (s *Store) openMove(ctx context.Context, m move) error {
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO custody.house_intent
			(id, kind, asset, chain, from_address, destination, amount, vault, state, created_at, updated_at, requester, purpose)
			VALUES ($1, $2, $3, $4, $10, $5, $6, $7, $8, $9, $9, $11, $12) ON CONFLICT (id) DO NOTHING`,
			m.id, m.kind, m.asset, m.chain, m.to, m.units, m.vault, custody.WithdrawalScreened, s.now(), m.from, m.requester, m.purpose)
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return m.same(ctx, tx)
		}
		err = PutOutbox(ctx, tx, OutboxRow{Key: m.id + "/start", Topic: m.topic, Kind: KindStart, Subject: m.id})
		crash.At(crash.OpenedBefore)
		return err
	})
	if err != nil {
		return fmt.Errorf("open %s %.64s: %w", m.kind, m.id, err)
	}
	crash.At(crash.OpenedAfter)
	return nil
}

// same reports custody.ErrConflict where another payment has the id.
func (m *move) same(ctx context.Context, tx pgx.Tx) error {
	var same bool
	err := tx.QueryRow(ctx, `SELECT kind = $2 AND asset = $3 AND destination = $4 AND amount = $5 AND vault = $6 AND requester = $7 FROM custody.house_intent WHERE id = $1`,
		m.id, m.kind, m.asset, m.to, m.units, m.vault, m.requester).Scan(&same)
	if err != nil {
		return fmt.Errorf("read again: %w", err)
	}
	if !same {
		return fmt.Errorf("it was opened for another payment: %w", custody.ErrConflict)
	}
	return nil
}
