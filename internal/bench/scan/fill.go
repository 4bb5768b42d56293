package scanbench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/internal/pg"
	"strongroom/money"
)

// coinsEvery is how many addresses there are for each coin that the house has.
const coinsEvery = 4

// fill writes the addresses of the house, and coins at some of them, as years of
// customers would have.
func fill(ctx context.Context, url string, cfg Config, chains []*node) error {
	pool, err := pg.Open(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer pool.Close()
	begun := cfg.Clock()
	for _, chain := range chains {
		_, err := pool.CopyFrom(ctx, pgx.Identifier{"custody", "address"},
			[]string{"chain", "address", "customer", "asset", "account", "branch", "idx"},
			pgx.CopyFromSlice(cfg.Addresses, func(i int) ([]any, error) {
				return []any{chain.name, chain.address(i), fmt.Sprintf("cus_%032x", i), chain.assets[0].Code, 0, 0, i}, nil
			}))
		if err != nil {
			return fmt.Errorf("write addresses: %w", err)
		}
		if chain.family != chainadapters.UTXO {
			continue
		}
		_, err = pool.CopyFrom(ctx, pgx.Identifier{"custody", "coin"},
			[]string{"chain", "txid", "vout", "address", "amount", "account", "branch", "idx", "block_height", "block_hash"},
			pgx.CopyFromSlice(cfg.Addresses/coinsEvery, func(i int) ([]any, error) {
				return []any{
					chain.name, fmt.Sprintf("%064x", scatter(2*strangers+i)), 0, chain.address(i * coinsEvery), money.FromUint64(10_000),
					0, 0, i * coinsEvery, 0, hashOf(0),
				}, nil
			}))
		if err != nil {
			return fmt.Errorf("write coins: %w", err)
		}
	}
	for _, sql := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	cfg.Progress(fmt.Sprintf("wrote %d addresses on each of %d chains in %.1f s", cfg.Addresses, len(chains), cfg.Clock().Sub(begun).Seconds()))
	return nil
}
