package settle

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/ledger"
	"strongroom/matching/engine"
)

// names are what numbers stand for, as far as they were needed.
type names struct {
	customers map[engine.AccountID]string
	assets    map[engine.AssetID]string
}

func newNames() names {
	return names{customers: map[engine.AccountID]string{0: ""}, assets: map[engine.AssetID]string{}}
}

// ledgerAccount is the account of a purse whose names are known.
func (s *Settler) ledgerAccount(p purse) ledger.AccountID {
	if p.account == 0 {
		return FeesAccount(s.cfg.Shard, s.names.assets[p.asset])
	}
	return TradingAccount(s.cfg.Shard, s.names.customers[p.account], s.names.assets[p.asset])
}

// loadPurses reads which balances exist in the ledger.
func (s *Settler) loadPurses(ctx context.Context) error {
	if err := s.learn(ctx, nil); err != nil {
		return err
	}
	rows, err := s.cfg.Pool.Query(ctx, `SELECT p.account, p.asset, a.customer FROM trading.purse p JOIN trading.account a ON a.no = p.account WHERE p.shard = $1`, s.cfg.Shard)
	if err != nil {
		return fmt.Errorf("read purses: %w", err)
	}
	opened := map[purse]struct{}{}
	var p purse
	var customer string
	_, err = pgx.ForEachRow(rows, []any{&p.account, &p.asset, &customer}, func() error {
		opened[p] = struct{}{}
		s.names.customers[p.account] = customer
		return nil
	})
	if err != nil {
		return fmt.Errorf("read purses: %w", err)
	}
	s.opened = opened
	return nil
}

// learn reads the names of accounts, and of all assets.
func (s *Settler) learn(ctx context.Context, accounts []int64) error {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT no, customer FROM trading.account WHERE no = ANY ($1)`, accounts)
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	var no engine.AccountID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&no, &name}, func() error {
		s.names.customers[no] = name
		return nil
	})
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	if rows, err = s.cfg.Pool.Query(ctx, `SELECT no, code FROM trading.asset`); err != nil {
		return fmt.Errorf("read assets: %w", err)
	}
	var asset engine.AssetID
	_, err = pgx.ForEachRow(rows, []any{&asset, &name}, func() error {
		s.names.assets[asset] = name
		return nil
	})
	if err != nil {
		return fmt.Errorf("read assets: %w", err)
	}
	return nil
}

// open makes the accounts of purses that have none.
func (s *Settler) open(ctx context.Context, nets []net) error {
	var missing []purse
	var unnamed []int64
	for _, n := range nets {
		if _, ok := s.opened[n.purse]; ok {
			continue
		}
		missing = append(missing, n.purse)
		unnamed = append(unnamed, int64(n.account))
	}
	if len(missing) == 0 {
		return nil
	}
	if err := s.learn(ctx, unnamed); err != nil {
		return err
	}
	for _, p := range missing {
		_, account := s.names.customers[p.account]
		_, asset := s.names.assets[p.asset]
		if !account || !asset {
			return halting("the engine moved asset %d of account %d, of which one is nobody's", p.asset, p.account)
		}
	}
	if err := openPurses(ctx, s.cfg, missing, s.names); err != nil {
		return err
	}
	for _, p := range missing {
		s.opened[p] = struct{}{}
	}
	return nil
}

// openPurses makes accounts in the ledger, and then notes that they exist.
func openPurses(ctx context.Context, cfg Config, purses []purse, known names) error {
	accounts := make([]ledger.Account, 0, 2*len(purses))
	clearing := map[engine.AssetID]struct{}{}
	for _, p := range purses {
		code := known.assets[p.asset]
		if _, done := clearing[p.asset]; !done {
			clearing[p.asset] = struct{}{}
			accounts = append(accounts, ledger.Account{ID: ClearingAccount(cfg.Shard, code), Asset: code, Class: ledger.Liability})
		}
		if p.account == 0 {
			accounts = append(accounts, ledger.Account{ID: FeesAccount(cfg.Shard, code), Asset: code, Class: ledger.Income})
			continue
		}
		accounts = append(accounts, ledger.Account{ID: TradingAccount(cfg.Shard, known.customers[p.account], code), Asset: code, Class: ledger.Liability})
	}
	if err := cfg.Ledger.Open(ctx, accounts...); err != nil {
		return fmt.Errorf("open trading accounts: %w", err)
	}
	nos, assets, ids := make([]int64, len(purses)), make([]int32, len(purses)), make([]string, len(purses))
	for i, p := range purses {
		nos[i], assets[i] = int64(p.account), int32(p.asset)
		ids[i] = string(TradingAccount(cfg.Shard, known.customers[p.account], known.assets[p.asset]))
		if p.account == 0 {
			ids[i] = string(FeesAccount(cfg.Shard, known.assets[p.asset]))
		}
	}
	_, err := cfg.Pool.Exec(ctx, `INSERT INTO trading.purse (shard, account, asset, ledger)
		SELECT $1, * FROM unnest($2::bigint[], $3::integer[], $4::text[]) ON CONFLICT DO NOTHING`, cfg.Shard, nos, assets, ids)
	if err != nil {
		return fmt.Errorf("note trading accounts: %w", err)
	}
	return nil
}
