package custodydb

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/internal/planted"
)

// Errors of taking in a block. The caller asks the node again; nothing was written.
var (
	// ErrOwnStatus reports a transaction of ours in the block about which the
	// caller did not say how it went.
	ErrOwnStatus = errors.New("status of our own transaction is missing")
	// ErrTakeBackFirst reports a deposit that came back with other content while
	// the ledger still holds the old one. It passes once intake took that back.
	ErrTakeBackFirst = errors.New("a deposit that changed must be taken back first")
)

// TakenBlock is a block as a watcher hands it over.
type TakenBlock struct {
	Chain chainadapters.ChainID
	Prev  chainadapters.Ref // the cursor that the block follows; zero for the first block ever
	Block chainadapters.Block
	Own   []chainadapters.TxStatus // how each transaction of ours in the block went
}

// taking is one block on its way into the tables.
type taking struct {
	s     *Store
	tx    pgx.Tx
	chain chainadapters.ChainID
	block chainadapters.Block
	tell  teller
	own   map[string]ownTx
	ours  map[string]HouseAddress // addresses of the house that occur in the block
}

// ownTx is a transaction of ours as the tables know it.
type ownTx struct {
	intent string
	kind   custody.IntentKind
	plan   chainadapters.Plan
	raw    []byte
}

// OwnTxs returns which of txids are transactions of ours.
func (s *Store) OwnTxs(ctx context.Context, chain chainadapters.ChainID, txids []string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.txid FROM unnest($2::text[]) AS u (txid)
		CROSS JOIN LATERAL (SELECT txid FROM custody.chain_tx WHERE chain = $1 AND txid = u.txid OFFSET 0) t ORDER BY t.txid`, chain, txids)
	if err != nil {
		return nil, fmt.Errorf("read own transactions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read own transactions: %w", err)
	}
	return list, nil
}

// TakeBlock writes all that a block means to the house in one transaction: its
// row, deposits, coins, what became of our own transactions, the messages about
// them, and the cursor. Errors: custody.ErrConflict where the cursor is not
// t.Prev any more (somebody else took the block), ErrOwnStatus, ErrTakeBackFirst.
func (s *Store) TakeBlock(ctx context.Context, t TakenBlock) error {
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		c, err := readChain(ctx, tx, t.Chain, "FOR UPDATE")
		if err != nil {
			return err
		}
		if c.Cursor != t.Prev || (c.Started() && t.Block.Parent != c.Cursor.Hash) {
			return fmt.Errorf("cursor is at %d %s: %w", c.Cursor.Height, c.Cursor.Hash, custody.ErrConflict)
		}
		k := &taking{s: s, tx: tx, chain: t.Chain, block: t.Block, tell: teller{tx, t.Chain, c.Moves + 1}}
		if err := k.run(ctx, t.Own); err != nil {
			return err
		}
		crash.At(crash.BlockBefore)
		return nil
	})
	if err != nil {
		return fmt.Errorf("take block %d of %s: %w", t.Block.Height, t.Chain, err)
	}
	crash.At(crash.BlockAfter)
	return nil
}

func (k *taking) run(ctx context.Context, own []chainadapters.TxStatus) error {
	steps := []func(context.Context) error{
		k.insertBlock, k.lookUp,
		func(ctx context.Context) error { return k.mineOwn(ctx, own) },
		k.takeDeposits, k.takeCoins, k.takeSpends, k.moveCursor,
		func(ctx context.Context) error { return k.s.signalDue(ctx, k.tell, k.block.Height) },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// insertBlock also brings a block back that had left the chain before.
func (k *taking) insertBlock(ctx context.Context) error {
	_, err := k.tx.Exec(ctx, `INSERT INTO custody.block (chain, height, hash, parent, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (chain, hash) DO UPDATE SET canonical = true`,
		k.chain, k.block.Height, k.block.Hash, k.block.Parent, k.block.Time)
	if err != nil {
		return fmt.Errorf("insert block: %w", err)
	}
	return nil
}

// ownTxs takes each of a block's many transactions from the index. OFFSET 0 keeps the
// planner from another way: a plan made while the table was small would go on to read
// the whole of it for each of them.
const ownTxs = `SELECT t.* FROM unnest($2::text[]) AS u (txid)
	CROSS JOIN LATERAL (SELECT txid, intent, kind, plan, raw FROM custody.chain_tx WHERE chain = $1 AND txid = u.txid OFFSET 0) t`

// lookUp finds what of the block is the house's: its transactions, its addresses.
func (k *taking) lookUp(ctx context.Context) error {
	rows, err := k.tx.Query(ctx, ownTxs, k.chain, k.block.TxIDs)
	if err != nil {
		return fmt.Errorf("read own transactions: %w", err)
	}
	k.own = map[string]ownTx{}
	var txid string
	var t ownTx
	if _, err := pgx.ForEachRow(rows, []any{&txid, &t.intent, &t.kind, &t.plan, &t.raw}, func() error {
		k.own[txid] = t
		t = ownTx{}
		return nil
	}); err != nil {
		return fmt.Errorf("read own transactions: %w", err)
	}
	seen := map[string]bool{}
	var addresses []string
	note := func(a string) {
		if a != "" && !seen[a] {
			seen[a] = true
			addresses = append(addresses, a)
		}
	}
	for i := range k.block.Movements {
		note(k.block.Movements[i].To)
	}
	for i := range k.block.Spends {
		note(k.block.Spends[i].From)
	}
	k.ours, err = addressesOf(ctx, k.tx, k.chain, addresses)
	return err
}

// mineOwn records where our transactions were mined, how they went and what they
// cost, and tells their workflows.
func (k *taking) mineOwn(ctx context.Context, statuses []chainadapters.TxStatus) error {
	known := make(map[string]chainadapters.TxStatus, len(statuses))
	for _, st := range statuses {
		if st.State == chainadapters.Mined && st.Block == k.block.Ref {
			known[st.TxID] = st
		}
	}
	for _, txid := range k.block.TxIDs {
		t, ours := k.own[txid]
		if !ours {
			continue
		}
		st, ok := known[txid]
		if !ok {
			return fmt.Errorf("transaction %s: %w", txid, ErrOwnStatus)
		}
		fee, err := k.s.paidFee(k.chain, t, st)
		if err != nil {
			return err
		}
		_, err = k.tx.Exec(ctx, `UPDATE custody.chain_tx SET block_height = $3, block_hash = $4, success = $5, fee = $6
			WHERE chain = $1 AND txid = $2`, k.chain, txid, k.block.Height, k.block.Hash, st.Success, fee)
		if err != nil {
			return fmt.Errorf("mark %s mined: %w", txid, err)
		}
		if err := k.tell.intent(ctx, t.intent, t.kind); err != nil {
			return err
		}
	}
	return nil
}

func (k *taking) moveCursor(ctx context.Context) error {
	_, err := k.tx.Exec(ctx, `UPDATE custody.chain SET height = $2, hash = $3, moves = moves + 1, head_height = greatest(head_height, $2), updated_at = $4
		WHERE chain = $1`, k.chain, k.block.Height, k.block.Hash, k.s.now())
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	return nil
}

// CanonicalHashes returns the hashes of the canonical blocks from height from to
// height to, both included, by height.
func (s *Store) CanonicalHashes(ctx context.Context, chain chainadapters.ChainID, from, to uint64) (map[uint64]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT height, hash FROM custody.block WHERE chain = $1 AND canonical AND height BETWEEN $2 AND $3`,
		chain, from, to)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	found := map[uint64]string{}
	var height uint64
	var hash string
	if _, err := pgx.ForEachRow(rows, []any{&height, &hash}, func() error { found[height] = hash; return nil }); err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	return found, nil
}

// Rewind goes back to an earlier block after a reorganisation, in one
// transaction: blocks, deposits, coins and our own transactions above it lose
// their place, and the workflows concerned are told. Nothing is deleted. It
// returns custody.ErrConflict where the cursor is not from any more.
func (s *Store) Rewind(ctx context.Context, chain chainadapters.ChainID, from, to chainadapters.Ref) error {
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		c, err := readChain(ctx, tx, chain, "FOR UPDATE")
		if err != nil {
			return err
		}
		if c.Cursor != from {
			return fmt.Errorf("cursor is at %d %s: %w", c.Cursor.Height, c.Cursor.Hash, custody.ErrConflict)
		}
		tell := teller{tx, chain, c.Moves + 1}
		if err := unmine(ctx, tell, to); err != nil {
			return err
		}
		if planted.Live(planted.ReorgDeletes) {
			if err := deleteGone(ctx, tx, chain, to); err != nil {
				return err
			}
		}
		for _, sql := range []string{
			`UPDATE custody.block SET canonical = false WHERE chain = $1 AND height > $2 AND canonical`,
			`UPDATE custody.deposit SET canonical = false, version = version + 1, updated_at = now() WHERE chain = $1 AND block_height > $2 AND canonical`,
			`UPDATE custody.coin SET spent_by = NULL, spent_height = NULL WHERE chain = $1 AND spent_height > $2`,
			`UPDATE custody.coin SET block_height = NULL, block_hash = NULL WHERE chain = $1 AND block_height > $2`,
		} {
			if _, err := tx.Exec(ctx, sql, chain, to.Height); err != nil {
				return fmt.Errorf("undo blocks: %w", err)
			}
		}
		_, err = tx.Exec(ctx, `UPDATE custody.chain SET height = $2, hash = $3, moves = moves + 1, reorg_allowed = 0, updated_at = $4 WHERE chain = $1`,
			chain, to.Height, to.Hash, s.now())
		if err != nil {
			return fmt.Errorf("move cursor: %w", err)
		}
		if err := signalGone(ctx, tell); err != nil {
			return err
		}
		crash.At(crash.RewindBefore)
		return nil
	})
	if err != nil {
		return fmt.Errorf("rewind %s to %d: %w", chain, to.Height, err)
	}
	crash.At(crash.RewindAfter)
	return nil
}

// deleteGone is a planted bug, deep enough that the schema's own guard is off.
func deleteGone(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, to chainadapters.Ref) error {
	if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
		return fmt.Errorf("silence triggers: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM custody.deposit WHERE chain = $1 AND block_height > $2`, chain, to.Height); err != nil {
		return fmt.Errorf("delete deposits: %w", err)
	}
	return nil
}

// unmine takes our own transactions out of the blocks that left the chain.
func unmine(ctx context.Context, tell teller, to chainadapters.Ref) error {
	if err := keepFees(ctx, tell.tx, tell.chain, to); err != nil {
		return err
	}
	rows, err := tell.tx.Query(ctx, `UPDATE custody.chain_tx SET block_height = NULL, block_hash = NULL, success = NULL, fee = NULL
		WHERE chain = $1 AND block_height > $2 RETURNING intent, kind`, tell.chain, to.Height)
	if err != nil {
		return fmt.Errorf("undo own transactions: %w", err)
	}
	type gone struct {
		Intent string
		Kind   custody.IntentKind
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[gone])
	if err != nil {
		return fmt.Errorf("undo own transactions: %w", err)
	}
	for _, g := range list {
		if err := tell.intent(ctx, g.Intent, g.Kind); err != nil {
			return err
		}
	}
	return nil
}

// teller writes the messages of one move of a chain's cursor. A subject is told
// once per move: a block that comes back is told again.
type teller struct {
	tx    pgx.Tx
	chain chainadapters.ChainID
	move  uint64
}

// intent tells the workflow of an intent that its standing changed.
func (t teller) intent(ctx context.Context, intent string, kind custody.IntentKind) error {
	return t.signal(ctx, topicOf(kind), intent)
}

// deposit tells the workflow of a deposit that its standing changed.
func (t teller) deposit(ctx context.Context, deposit string) error {
	return t.signal(ctx, TopicDeposit, deposit)
}

func (t teller) signal(ctx context.Context, topic, subject string) error {
	key := subject + "/move/" + string(t.chain) + "/" + strconv.FormatUint(t.move, 10)
	return PutOutbox(ctx, t.tx, OutboxRow{Key: key, Topic: topic, Kind: KindSignal, Subject: subject})
}
