package custodydb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// sender is a key of ours on an account chain, locked for the transaction.
type sender struct {
	chain   chainadapters.ChainID
	address string
	next    uint64
}

// CounterKnown reports whether nonces of an address have been counted before. If
// not, the first reservation must bring the chain's count.
func (s *Store) CounterKnown(ctx context.Context, chain chainadapters.ChainID, address string) (bool, error) {
	var known bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.nonce_counter WHERE chain = $1 AND address = $2)`,
		chain, address).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for nonce counter: %w", err)
	}
	return known, nil
}

// KeyOf returns the house's key behind an address, or custody.ErrNotFound.
func (s *Store) KeyOf(ctx context.Context, chain chainadapters.ChainID, address string) (HouseAddress, error) {
	found, err := addressesOf(ctx, s.pool, chain, []string{address})
	if err != nil {
		return HouseAddress{}, err
	}
	key, ok := found[address]
	if !ok {
		return HouseAddress{}, fmt.Errorf("key of %s on %s: %w", address, chain, custody.ErrNotFound)
	}
	return key, nil
}

// KeyHalted reports whether the key behind an intent's slot was halted.
func (s *Store) KeyHalted(ctx context.Context, intent string) (bool, error) {
	var halted bool
	err := s.pool.QueryRow(ctx, `SELECT c.halted FROM custody.nonce_slot s JOIN custody.nonce_counter c USING (chain, address)
		WHERE s.intent = $1`, intent).Scan(&halted)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read key of %s: %w", intent, err)
	}
	return halted, nil
}

// lockSender locks an address's counter until tx ends; the first time it starts
// at first. custody.ErrKeyHalted where the key must not be used.
func lockSender(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, address string, first uint64) (sender, error) {
	k := sender{chain: chain, address: address}
	_, err := tx.Exec(ctx, `INSERT INTO custody.nonce_counter (chain, address, next) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		chain, address, first)
	if err != nil {
		return k, fmt.Errorf("start nonce counter: %w", err)
	}
	var halted bool
	err = tx.QueryRow(ctx, `SELECT next, halted FROM custody.nonce_counter WHERE chain = $1 AND address = $2 FOR UPDATE`,
		chain, address).Scan(&k.next, &halted)
	switch {
	case err != nil:
		return k, fmt.Errorf("lock nonce counter: %w", err)
	case halted:
		return k, fmt.Errorf("%s on %s: %w", address, chain, custody.ErrKeyHalted)
	}
	return k, nil
}

// lastMined is the greatest nonce of an address ($1, $2) that is mined up to a
// height ($3); -1 for none. A chain mines nonces in order, so whatever is above it
// is open and whatever is below is not: no query looks at all that ever was.
const lastMined = `coalesce((SELECT m.nonce FROM custody.nonce_slot m JOIN custody.chain_tx t ON t.intent = m.intent
	WHERE m.chain = $1 AND m.address = $2 AND t.block_height <= $3 ORDER BY m.nonce DESC LIMIT 1), -1)`

// takeSlot gives the next nonce to an intent, unless most are outstanding already:
// reserved and not in a canonical block (custody.ErrSlots). An intent has one slot
// for ever: a second one violates a key.
func (k *sender) takeSlot(ctx context.Context, tx pgx.Tx, intent string, most int) (uint64, error) {
	var outstanding int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM custody.nonce_slot s WHERE s.chain = $1 AND s.address = $2 AND s.nonce > `+lastMined,
		k.chain, k.address, int64(math.MaxInt64)).Scan(&outstanding)
	if err != nil {
		return 0, fmt.Errorf("count slots: %w", err)
	}
	if outstanding >= most {
		return 0, fmt.Errorf("%d of %d on %s: %w", outstanding, most, k.address, custody.ErrSlots)
	}
	nonce := k.next
	if _, err := tx.Exec(ctx, `INSERT INTO custody.nonce_slot (chain, address, nonce, intent) VALUES ($1, $2, $3, $4)`,
		k.chain, k.address, nonce, intent); err != nil {
		return 0, fmt.Errorf("insert nonce slot: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE custody.nonce_counter SET next = next + 1 WHERE chain = $1 AND address = $2`,
		k.chain, k.address); err != nil {
		return 0, fmt.Errorf("advance nonce counter: %w", err)
	}
	k.next++
	return nonce, nil
}

// promise is what the open intents of a sender will still take from its balance.
type promise struct {
	asset  money.Units // of one asset
	native money.Units // of the native asset, fees not counted
	fees   money.Units
}

// promised sums up what an address's intents will take from its balance as it was
// at a height. Whatever is mined up to that height the balance knows already.
func (k *sender) promised(ctx context.Context, tx pgx.Tx, asset, native string, height uint64) (promise, error) {
	var p promise
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(i.amount) FILTER (WHERE i.asset = $4), 0)::numeric(78,0),
			coalesce(sum(i.amount) FILTER (WHERE i.asset = $5), 0)::numeric(78,0), coalesce(sum(p.max_fee), 0)::numeric(78,0)
		FROM custody.nonce_slot s
		JOIN (SELECT id, asset, amount FROM custody.withdrawal
				UNION ALL SELECT id, asset, CASE WHEN kind = 'refill' THEN 0 ELSE amount END FROM custody.house_intent) i -- a vault pays that
			ON i.id = s.intent
		JOIN LATERAL (SELECT max(max_fee) AS max_fee FROM custody.attempt_plan WHERE intent = s.intent) p ON true
		WHERE s.chain = $1 AND s.address = $2 AND s.nonce > `+lastMined,
		k.chain, k.address, height, asset, native).Scan(&p.asset, &p.native, &p.fees)
	if err != nil {
		return p, fmt.Errorf("sum what is promised: %w", err)
	}
	return p, nil
}
