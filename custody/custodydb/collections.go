package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/id"
	"strongroom/money"
)

// ErrBusy reports that what a house intent would move is promised already.
var ErrBusy = errors.New("another intent of the house is open there")

// AddressPile is a deposit address on an account chain that holds deposits of an
// asset which may be collected.
type AddressPile struct {
	HouseAddress
	Asset    string   // of the pile, not what the address was made for
	Deposits []string // withdrawable and not collected
}

// openIntents are the states in which a house intent still moves something.
const openIntents = `state NOT IN ('posted', 'reverted', 'cancelled', 'rejected', 'expired', 'blocked')`

// Piles returns what could be collected on an account chain, at most limit piles:
// deposits in blocks up to a height. An address that takes part in an open house
// intent is left out.
func (s *Store) Piles(ctx context.Context, chain chainadapters.ChainID, height uint64, limit int) ([]AddressPile, error) {
	rows, err := s.pool.Query(ctx, `SELECT d.address, d.asset, array_agg(d.id ORDER BY d.id), a.customer, a.account, a.branch, a.idx
		FROM custody.deposit d JOIN custody.address a ON a.chain = d.chain AND a.address = d.address AND a.account = $2
		WHERE d.chain = $1 AND d.collected_by IS NULL AND d.state = 'withdrawable' AND d.canonical AND d.block_height <= $4
			AND NOT EXISTS (SELECT FROM custody.house_intent i WHERE i.chain = d.chain AND i.`+openIntents+`
				AND d.address IN (i.from_address, i.destination))
		GROUP BY d.address, d.asset, a.customer, a.account, a.branch, a.idx ORDER BY min(d.id) LIMIT $3`,
		chain, chainadapters.DepositAccount, limit, height)
	if err != nil {
		return nil, fmt.Errorf("read piles: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (AddressPile, error) {
		p := AddressPile{HouseAddress: HouseAddress{Chain: chain}}
		err := row.Scan(&p.Address, &p.Asset, &p.Deposits, &p.Customer, &p.Path.Account, &p.Path.Branch, &p.Path.Index)
		return p, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read piles: %w", err)
	}
	return list, nil
}

// Unsettled returns how much at an address must not be moved: deposits that are
// on the chain and not withdrawable, dust included, or in blocks above a height.
func (s *Store) Unsettled(ctx context.Context, chain chainadapters.ChainID, address, asset string, height uint64) (money.Units, error) {
	var sum money.Units
	err := s.pool.QueryRow(ctx, `SELECT coalesce(sum(amount), 0)::numeric(78,0) FROM custody.deposit
		WHERE chain = $1 AND address = $2 AND asset = $3 AND canonical
			AND (state <> 'withdrawable' OR block_height > $4)`, chain, address, asset, height).Scan(&sum)
	if err != nil {
		return sum, fmt.Errorf("read unsettled deposits: %w", err)
	}
	return sum, nil
}

// CollectableCoin is a coin of a mature deposit that is promised to nobody.
type CollectableCoin struct {
	chainadapters.Coin
	Deposit string
}

// CollectableCoins returns what could be collected on a UTXO chain from blocks up
// to a height, largest first, at most limit coins; none while a collection of the
// chain is open.
func (s *Store) CollectableCoins(ctx context.Context, chain chainadapters.ChainID, height uint64, limit int) ([]CollectableCoin, error) {
	rows, err := s.pool.Query(ctx, `SELECT c.txid, c.vout, c.amount, c.address, c.account, c.branch, c.idx, d.id FROM custody.deposit d
		JOIN custody.coin c ON c.chain = d.chain AND c.txid = d.txid AND c.vout = d.idx
		WHERE d.chain = $1 AND d.collected_by IS NULL AND d.state = 'withdrawable' AND d.canonical
			AND c.account = $2 AND c.block_height <= $4 AND c.spent_by IS NULL
			AND NOT EXISTS (SELECT FROM custody.coin_lock l WHERE l.chain = c.chain AND l.txid = c.txid AND l.vout = c.vout)
			AND NOT EXISTS (SELECT FROM custody.house_intent i WHERE i.chain = $1 AND i.kind = 'collect' AND i.`+openIntents+`)
		ORDER BY c.amount DESC, c.txid, c.vout LIMIT $3`, chain, chainadapters.DepositAccount, limit, height)
	if err != nil {
		return nil, fmt.Errorf("read coins to collect: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (CollectableCoin, error) {
		var c CollectableCoin
		err := row.Scan(&c.TxID, &c.Vout, &c.Amount, &c.Address, &c.Path.Account, &c.Path.Branch, &c.Path.Index, &c.Deposit)
		return c, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read coins to collect: %w", err)
	}
	return list, nil
}

// HouseIntent is a movement of the house's own to be made.
type HouseIntent struct {
	Kind     custody.IntentKind // IntentCollect, IntentGasTopUp or IntentConsolidate
	Asset    string
	ForAsset string // top-ups: the token whose collection needs the gas
	Chain    chainadapters.ChainID
	From     string // the sender's address; empty for the hot wallet and for coins
	To       string
	Amount   money.Units
	Deposits []string             // that it collects
	Coins    []chainadapters.Coin // that it spends, where the chain has coins
}

// OpenHouseIntent stores an intent of the house in state approved with the coins
// and deposits it takes and the message that starts it, in one transaction, and
// returns its id. It returns ErrBusy where an intent is open at the same place, or
// a deposit or coin is not to be had any more.
func (s *Store) OpenHouseIntent(ctx context.Context, h HouseIntent) (string, error) {
	prefix := "col"
	if h.Kind == custody.IntentGasTopUp {
		prefix = "gas"
	}
	intent := id.New(prefix)
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		if err := claimPlace(ctx, tx, h); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO custody.house_intent
			(id, kind, asset, chain, from_address, destination, amount, for_asset, state, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
			intent, h.Kind, h.Asset, h.Chain, h.From, h.To, h.Amount, h.ForAsset, custody.WithdrawalApproved, s.now())
		if err != nil {
			return fmt.Errorf("insert intent: %w", err)
		}
		if err := claimDeposits(ctx, tx, intent, h); err != nil {
			return err
		}
		if err := lockCoins(ctx, tx, h.Chain, intent, h.Coins); err != nil {
			return err
		}
		return PutOutbox(ctx, tx, OutboxRow{Key: intent + "/start", Topic: TopicCollect, Kind: KindStart, Subject: intent})
	})
	if err != nil {
		return "", fmt.Errorf("open %s on %s: %w", h.Kind, h.Chain, err)
	}
	return intent, nil
}

// claimPlace makes planners take turns on a chain and refuses a second open
// intent at the same deposit address, a second open collection of coins, and a
// consolidation while anything else of the house moves or a withdrawal waits.
func claimPlace(ctx context.Context, tx pgx.Tx, h HouseIntent) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custody.collect'), hashtext($1))", h.Chain); err != nil {
		return fmt.Errorf("take turn: %w", err)
	}
	place := h.From
	if h.Kind == custody.IntentGasTopUp {
		place = h.To
	}
	if h.Kind == custody.IntentConsolidate {
		return claimQuiet(ctx, tx, h.Chain)
	}
	var busy bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.house_intent WHERE chain = $1 AND `+openIntents+`
		AND ($2 IN (from_address, destination)) AND ($2 <> '' OR kind = 'collect'))`, h.Chain, place).Scan(&busy)
	if err != nil {
		return fmt.Errorf("look for open intents: %w", err)
	}
	if busy {
		return ErrBusy
	}
	return nil
}

// claimQuiet returns ErrBusy unless nothing of the house moves on the chain and no
// withdrawal waits for coins.
func claimQuiet(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID) error {
	var busy bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.house_intent WHERE chain = $1 AND `+openIntents+`) OR (`+waitingWithdrawals+`) > 0`,
		chain).Scan(&busy)
	if err != nil {
		return fmt.Errorf("look for open intents: %w", err)
	}
	if busy {
		return ErrBusy
	}
	return nil
}

func claimDeposits(ctx context.Context, tx pgx.Tx, intent string, h HouseIntent) error {
	tag, err := tx.Exec(ctx, `UPDATE custody.deposit SET collected_by = $1
		WHERE id = ANY($2) AND collected_by IS NULL AND canonical AND state = 'withdrawable'`, intent, h.Deposits)
	if err != nil {
		return fmt.Errorf("claim deposits: %w", err)
	}
	if tag.RowsAffected() != int64(len(h.Deposits)) {
		return fmt.Errorf("claim %d deposits, %d are left: %w", len(h.Deposits), tag.RowsAffected(), ErrBusy)
	}
	return nil
}
