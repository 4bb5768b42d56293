package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	matchingv1 "strongroom/internal/gen/matching/v1"
	tradingcheck "strongroom/trading/check"
)

// trading checks what trading wrote down; nothing where the platform does not trade.
func (c *checkCommand) trading(e *env, pool *pgxpool.Pool) (found []tradingcheck.Violation, err error) {
	if !c.trades() {
		return nil, nil
	}
	if c.Certs == "" {
		return nil, fmt.Errorf("%w: --tls-dir is needed with --matching-addresses", errUsage)
	}
	shard, err := c.shardOf(c.Certs, "cli")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shard.Close()) }()
	return tradingcheck.Run(e.ctx, tradingcheck.Config{
		Pool: pool, Shard: c.Shard, Grace: c.Grace, Clock: e.clock,
		Head: func(ctx context.Context) (uint64, error) {
			leader, err := shard.Leader(ctx)
			if err != nil {
				return 0, err
			}
			s, err := leader.Status(ctx, &matchingv1.StatusRequest{})
			if err != nil {
				return 0, fmt.Errorf("ask for the newest event: %w", err)
			}
			return s.GetSeq(), nil
		},
	})
}
