package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/pg"
)

// maxCoins bounds how many coins one selection looks at.
const maxCoins = 5000

// freeCoins are coins that are in a block, unspent and promised to nobody.
const freeCoins = `c.block_height IS NOT NULL AND c.spent_by IS NULL
	AND NOT EXISTS (SELECT FROM custody.coin_lock l WHERE l.chain = c.chain AND l.txid = c.txid AND l.vout = c.vout)`

const selectCoins = `SELECT c.txid, c.vout, c.amount, c.address, c.account, c.branch, c.idx, coalesce(c.block_height, 0) FROM custody.coin c `

func scanCoin(row pgx.CollectableRow) (chainadapters.Coin, error) {
	var c chainadapters.Coin
	if err := row.Scan(&c.TxID, &c.Vout, &c.Amount, &c.Address, &c.Path.Account, &c.Path.Branch, &c.Path.Index, &c.Height); err != nil {
		return c, fmt.Errorf("scan coin: %w", err)
	}
	return c, nil
}

// lockHotCoins makes reservations of hot coins of a chain take turns until tx ends,
// and returns the coins that are free: confirmed, unspent, promised to nobody. The
// order is stable, largest first.
func lockHotCoins(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID) ([]chainadapters.Coin, error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custody.coins'), hashtext($1))", chain); err != nil {
		return nil, fmt.Errorf("lock coins: %w", err)
	}
	rows, err := tx.Query(ctx, selectCoins+`WHERE c.chain = $1 AND c.account = $2 AND `+freeCoins+`
		ORDER BY c.amount DESC, c.txid, c.vout LIMIT $3`, chain, chainadapters.HotAccount, maxCoins)
	if err != nil {
		return nil, fmt.Errorf("read free coins: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanCoin)
	if err != nil {
		return nil, fmt.Errorf("read free coins: %w", err)
	}
	return list, nil
}

// waitingWithdrawals counts those of a chain that will need coins and have none.
const waitingWithdrawals = `SELECT count(*) FROM custody.withdrawal WHERE chain = $1 AND state IN ('held', 'screened', 'approved')`

// HotCoins returns the hot wallet of a UTXO chain as a planner of consolidations
// sees it: free coins from blocks up to a height.
func (s *Store) HotCoins(ctx context.Context, chain chainadapters.ChainID, height uint64) (custody.HotCoins, error) {
	var hot custody.HotCoins
	err := s.pool.QueryRow(ctx, `SELECT (`+waitingWithdrawals+`), (SELECT count(*) FROM custody.house_intent WHERE chain = $1 AND `+openIntents+`)`,
		chain).Scan(&hot.Waiting, &hot.Moving)
	if err != nil {
		return hot, fmt.Errorf("count what waits on %s: %w", chain, err)
	}
	rows, err := s.pool.Query(ctx, selectCoins+`WHERE c.chain = $1 AND c.account = $2 AND c.block_height <= $4 AND `+freeCoins+`
		ORDER BY c.amount, c.txid, c.vout LIMIT $3`, chain, chainadapters.HotAccount, maxCoins, height)
	if err != nil {
		return hot, fmt.Errorf("read hot coins: %w", err)
	}
	if hot.Free, err = pgx.CollectRows(rows, scanCoin); err != nil {
		return hot, fmt.Errorf("read hot coins: %w", err)
	}
	return hot, nil
}

// coinsOf returns the coins that are promised to an intent, if they are confirmed
// and unspent.
func coinsOf(ctx context.Context, tx pgx.Tx, intent string) ([]chainadapters.Coin, error) {
	rows, err := tx.Query(ctx, selectCoins+`JOIN custody.coin_lock l ON l.chain = c.chain AND l.txid = c.txid AND l.vout = c.vout
		WHERE l.intent = $1 AND c.block_height IS NOT NULL AND c.spent_by IS NULL ORDER BY c.txid, c.vout`, intent)
	if err != nil {
		return nil, fmt.Errorf("read coins of %s: %w", intent, err)
	}
	list, err := pgx.CollectRows(rows, scanCoin)
	if err != nil {
		return nil, fmt.Errorf("read coins of %s: %w", intent, err)
	}
	return list, nil
}

// lockCoins promises coins to an intent, or returns ErrBusy where one is promised
// already; tx can only be undone then.
func lockCoins(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, intent string, coins []chainadapters.Coin) error {
	for _, c := range coins {
		_, err := tx.Exec(ctx, `INSERT INTO custody.coin_lock (chain, txid, vout, intent) VALUES ($1, $2, $3, $4)`,
			chain, c.TxID, c.Vout, intent)
		if pg.IsUnique(err) {
			return fmt.Errorf("lock coin %s:%d: %w", c.TxID, c.Vout, ErrBusy)
		}
		if err != nil {
			return fmt.Errorf("lock coin %s:%d: %w", c.TxID, c.Vout, err)
		}
	}
	return nil
}
