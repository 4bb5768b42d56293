package custodydb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// Branches below an account: what outsiders pay to, and our own change.
const (
	branchReceive uint32 = 0
	branchChange  uint32 = 1
)

// maxIndex is the greatest index that derives without the private key (BIP 32).
const maxIndex = math.MaxInt32

// HouseAddress is an address of the house with the key behind it.
type HouseAddress struct {
	Chain    chainadapters.ChainID
	Address  string
	Customer string // empty for the hot wallet and its change
	Asset    string // what the customer asked for; empty for the house
	Path     chainadapters.KeyPath
}

// DepositAddress returns the address to which a customer's deposits of an asset
// go; the same one every time. Whatever asset of that chain arrives there is
// credited to the customer. Errors: custody.ErrAsset where the asset is unknown
// or suspended.
func (s *Store) DepositAddress(ctx context.Context, customer, asset string) (custody.DepositAddress, error) {
	info, ok := s.cfg.Assets.AssetByCode(asset)
	if !ok || info.State == custody.AssetSuspended {
		return custody.DepositAddress{}, fmt.Errorf("deposit address for %q: %w", asset, custody.ErrAsset)
	}
	if customer == "" {
		return custody.DepositAddress{}, fmt.Errorf("deposit address without a customer: %w", custody.ErrNotFound)
	}
	found, err := s.depositAddress(ctx, s.pool, customer, asset)
	if !errors.Is(err, custody.ErrNotFound) {
		return found, err
	}
	// The accounts are there before the address is known to anybody.
	if err := s.OpenAccounts(ctx, customer, info); err != nil {
		return custody.DepositAddress{}, err
	}
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		if err := lockCustomer(ctx, tx, customer); err != nil {
			return err
		}
		found, err = s.depositAddress(ctx, tx, customer, asset)
		if !errors.Is(err, custody.ErrNotFound) {
			return err
		}
		made, err := s.allocate(ctx, tx, HouseAddress{
			Chain: info.Chain, Customer: customer, Asset: asset,
			Path: chainadapters.KeyPath{Account: chainadapters.DepositAccount, Branch: branchReceive},
		})
		found = custody.DepositAddress{Asset: asset, Chain: info.Chain, Address: made.Address, CreatedAt: s.now()}
		return err
	})
	return found, err
}

// OpenAccounts makes the ledger accounts of a customer, or of the house alone
// where customer is empty, for an asset. It may be called again.
func (s *Store) OpenAccounts(ctx context.Context, customer string, info custody.AssetInfo) error {
	accounts := append(custody.HouseAccounts(info), custody.FundingAccounts(info)...)
	if customer != "" {
		accounts = append(accounts, custody.CustomerAccounts(customer, info.Code)...)
	}
	if err := s.cfg.Ledger.Open(ctx, accounts...); err != nil {
		return fmt.Errorf("open accounts of %s: %w", info.Code, err)
	}
	return nil
}

func (s *Store) depositAddress(ctx context.Context, q queryer, customer, asset string) (custody.DepositAddress, error) {
	found := custody.DepositAddress{Asset: asset}
	err := q.QueryRow(ctx, `SELECT chain, address, created_at FROM custody.address WHERE customer = $1 AND asset = $2`,
		customer, asset).Scan(&found.Chain, &found.Address, &found.CreatedAt)
	if err != nil {
		return custody.DepositAddress{}, fmt.Errorf("read deposit address: %w", noRows(err))
	}
	return found, nil
}

// allocate takes the next index of a.Path's branch, derives the address and
// stores the row. Indices of one branch are given out in turn and never twice.
func (s *Store) allocate(ctx context.Context, tx pgx.Tx, a HouseAddress) (HouseAddress, error) {
	var index int64
	err := tx.QueryRow(ctx, `INSERT INTO custody.address_counter AS c (chain, account, branch, next) VALUES ($1, $2, $3, 1)
		ON CONFLICT (chain, account, branch) DO UPDATE SET next = c.next + 1 RETURNING next - 1`,
		a.Chain, a.Path.Account, a.Path.Branch).Scan(&index)
	if err != nil {
		return HouseAddress{}, fmt.Errorf("count address: %w", err)
	}
	if index > maxIndex {
		return HouseAddress{}, fmt.Errorf("branch %d of account %d on %s is used up", a.Path.Branch, a.Path.Account, a.Chain)
	}
	a.Path.Index = uint32(index) //nolint:gosec // checked above
	return s.register(ctx, tx, a)
}

// register derives the address of a.Path and stores its row.
func (s *Store) register(ctx context.Context, tx pgx.Tx, a HouseAddress) (HouseAddress, error) {
	var err error
	if a.Address, err = s.derive(a.Chain, a.Path); err != nil {
		return HouseAddress{}, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.address (chain, address, customer, asset, account, branch, idx, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.Chain, a.Address, a.Customer, a.Asset, a.Path.Account, a.Path.Branch, a.Path.Index, s.now())
	if err != nil {
		return HouseAddress{}, fmt.Errorf("store address: %w", err)
	}
	return a, nil
}

// derive returns the address of a key of the house.
func (s *Store) derive(chain chainadapters.ChainID, path chainadapters.KeyPath) (string, error) {
	adapter, known := s.cfg.Adapters[chain]
	xpubs, has := s.cfg.XPubs[chain]
	if !known || !has {
		return "", fmt.Errorf("derive address on %s: chain or its public keys are not configured", chain)
	}
	xpub := xpubs.Deposit
	if path.Account == chainadapters.HotAccount {
		xpub = xpubs.Hot
	}
	address, err := adapter.DeriveAddress(xpub, path.Branch, path.Index)
	if err != nil {
		return "", fmt.Errorf("derive address on %s: %w", chain, err)
	}
	return address, nil
}

// HotAddress returns the address of the hot wallet on a chain (key 1/0/0) and
// registers it the first time.
func (s *Store) HotAddress(ctx context.Context, chain chainadapters.ChainID) (HouseAddress, error) {
	hot := HouseAddress{Chain: chain, Path: chainadapters.KeyPath{Account: chainadapters.HotAccount, Branch: branchReceive}}
	address, err := s.derive(chain, hot.Path)
	if err != nil {
		return HouseAddress{}, err
	}
	hot.Address = address
	_, err = s.pool.Exec(ctx, `INSERT INTO custody.address (chain, address, account, branch, idx, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain, address) DO NOTHING`,
		chain, address, hot.Path.Account, hot.Path.Branch, hot.Path.Index, s.now())
	if err != nil {
		return HouseAddress{}, fmt.Errorf("register hot wallet of %s: %w", chain, err)
	}
	return hot, nil
}

// HotWallet is where the hot wallet of a chain is paid, as HotAddress has made it known.
// Errors: custody.ErrNotFound.
func HotWallet(ctx context.Context, pool *pgxpool.Pool, chain chainadapters.ChainID) (address string, err error) {
	err = pool.QueryRow(ctx, `SELECT address FROM custody.address WHERE chain = $1 AND account = $2 AND branch = $3 AND idx = 0`,
		chain, chainadapters.HotAccount, branchReceive).Scan(&address)
	if err != nil {
		return "", fmt.Errorf("read hot wallet of %s: %w", chain, noRows(err))
	}
	return address, nil
}

// NewChange allocates a change address of the hot wallet (key 1/1/i) in tx.
func (s *Store) NewChange(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID) (HouseAddress, error) {
	return s.allocate(ctx, tx, HouseAddress{
		Chain: chain, Path: chainadapters.KeyPath{Account: chainadapters.HotAccount, Branch: branchChange},
	})
}

// HouseAddresses returns all addresses of the house on a chain, in the order of
// their keys.
func (s *Store) HouseAddresses(ctx context.Context, chain chainadapters.ChainID) ([]HouseAddress, error) {
	return houseAddresses(ctx, s.pool, ofChain, chain)
}

// OursAmong returns those of the given addresses that are the house's, by address.
func (s *Store) OursAmong(ctx context.Context, chain chainadapters.ChainID, addresses []string) (map[string]HouseAddress, error) {
	return addressesOf(ctx, s.pool, chain, addresses)
}

const ofChain = `FROM custody.address WHERE chain = $1 ORDER BY account, branch, idx`

// eachAddress takes each of many from the index, for the reason that ownTxs gives.
const eachAddress = `FROM unnest($2::text[]) AS u (wanted)
	CROSS JOIN LATERAL (SELECT * FROM custody.address WHERE chain = $1 AND address = u.wanted OFFSET 0) a`

// addressesOf returns those of the given addresses that are the house's.
func addressesOf(ctx context.Context, q queryer, chain chainadapters.ChainID, addresses []string) (map[string]HouseAddress, error) {
	list, err := houseAddresses(ctx, q, eachAddress, chain, addresses)
	if err != nil {
		return nil, err
	}
	found := make(map[string]HouseAddress, len(list))
	for _, a := range list {
		found[a.Address] = a
	}
	return found, nil
}

func houseAddresses(ctx context.Context, q queryer, from string, args ...any) ([]HouseAddress, error) {
	rows, err := q.Query(ctx, `SELECT chain, address, customer, asset, account, branch, idx `+from, args...)
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (HouseAddress, error) {
		var a HouseAddress
		err := row.Scan(&a.Chain, &a.Address, &a.Customer, &a.Asset, &a.Path.Account, &a.Path.Branch, &a.Path.Index)
		return a, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	return list, nil
}
