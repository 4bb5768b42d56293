package custodydb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
)

const (
	// defaultPending is how many transactions of ours in the pool a coin may hang on.
	defaultPending = 2
	// maxPooled bounds how many transactions in the pool are looked at.
	maxPooled = 500
)

// pooledTx is a payment of ours that a node has in its pool.
type pooledTx struct {
	TxID  string
	Raw   []byte
	Plan  []byte
	Hangs []string // transactions that its coins come from and that are in no block either
}

// selectHotCoins chooses free coins of the hot wallet for a payment, and makes
// reservations of the chain take turns until tx ends. Where coins in blocks do not
// reach, it offers change of our own payments that wait in the pool.
func (s *Store) selectHotCoins(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, adapter chainadapters.Adapter,
	payments []chainadapters.Payment, fee chainadapters.Fee,
) ([]chainadapters.Coin, error) {
	free, err := lockHotCoins(ctx, tx, chain)
	if err != nil {
		return nil, err
	}
	coins, err := adapter.SelectCoins(free, payments, fee)
	if err == nil || !errors.Is(err, chainadapters.ErrFunds) || s.cfg.MaxPending < 0 {
		return coins, hotWallet(err)
	}
	pending, lost := s.pendingChange(ctx, tx, chain, adapter)
	if lost != nil {
		return nil, lost
	}
	coins, err = adapter.SelectCoins(append(free, pending...), payments, fee)
	return coins, hotWallet(err)
}

// pendingChange returns the change of our payments in the pool that is promised to
// nobody and hangs on few enough of them. A payment that was ever replaced, or
// whose sending is in doubt, gives none: another of its transactions may win. Once
// change is promised, what makes it is not replaced any more.
func (s *Store) pendingChange(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, adapter chainadapters.Adapter) ([]chainadapters.Coin, error) {
	rows, err := tx.Query(ctx, `SELECT t.txid, t.raw, t.plan, (SELECT coalesce(array_agg(l.txid), '{}') FROM custody.coin_lock l
			LEFT JOIN custody.coin c ON c.chain = l.chain AND c.txid = l.txid AND c.vout = l.vout
			WHERE l.intent = t.intent AND c.block_height IS NULL)
		FROM custody.chain_tx t JOIN custody.withdrawal w ON w.id = t.intent AND w.state = 'broadcast'
		WHERE t.chain = $1 AND t.block_height IS NULL
			AND NOT EXISTS (SELECT FROM custody.attempt_plan p WHERE p.intent = t.intent AND p.attempt <> t.attempt)
		ORDER BY t.created_at, t.txid LIMIT $2`, chain, maxPooled)
	if err != nil {
		return nil, fmt.Errorf("read payments in the pool: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pooledTx])
	if err != nil {
		return nil, fmt.Errorf("read payments in the pool: %w", err)
	}
	byID := make(map[string]pooledTx, len(list))
	for _, t := range list {
		byID[t.TxID] = t
	}
	var coins []chainadapters.Coin
	for _, t := range list {
		hangs := chainLength(byID, t.TxID, s.cfg.MaxPending)
		if hangs == 0 {
			continue
		}
		c, found, err := changeOf(adapter, t)
		if err != nil {
			return nil, err
		}
		if c.Pending = hangs; found {
			coins = append(coins, c)
		}
	}
	return unpromised(ctx, tx, chain, coins)
}

// chainLength counts the transactions in the pool that a coin of one hangs on, that
// one included; zero where they are more than most or one is not ours to rely on.
func chainLength(byID map[string]pooledTx, txid string, most int) uint32 {
	t, known := byID[txid]
	if !known || most <= 0 {
		return 0
	}
	length := uint32(1)
	for _, below := range t.Hangs {
		n := chainLength(byID, below, most-1)
		if n == 0 {
			return 0
		}
		length += n
	}
	if length > uint32(most) { //nolint:gosec // most is above zero here
		return 0
	}
	return length
}

// changeOf finds the change output of a transaction of ours.
func changeOf(adapter chainadapters.Adapter, t pooledTx) (c chainadapters.Coin, found bool, err error) {
	var plan chainadapters.Plan
	if err := json.Unmarshal(t.Plan, &plan); err != nil {
		return c, false, fmt.Errorf("decode plan of %s: %w", t.TxID, err)
	}
	signed, err := adapter.Decode(t.Raw)
	if err != nil {
		return c, false, fmt.Errorf("decode our transaction %s: %w", t.TxID, err)
	}
	for vout, out := range signed.Payments {
		if plan.ChangeTo != "" && out.To == plan.ChangeTo {
			return chainadapters.Coin{
				Outpoint: chainadapters.Outpoint{TxID: t.TxID, Vout: uint32(vout)},
				Amount:   out.Amount, Address: out.To, Path: plan.ChangePath,
			}, true, nil
		}
	}
	return c, false, nil
}

// unpromised leaves out coins that an intent has been promised.
func unpromised(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, coins []chainadapters.Coin) ([]chainadapters.Coin, error) {
	var free []chainadapters.Coin
	for _, c := range coins {
		var promised bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.coin_lock WHERE chain = $1 AND txid = $2 AND vout = $3)`,
			chain, c.TxID, c.Vout).Scan(&promised)
		if err != nil {
			return nil, fmt.Errorf("look at coin %s:%d: %w", c.TxID, c.Vout, err)
		}
		if !promised {
			free = append(free, c)
		}
	}
	return free, nil
}
