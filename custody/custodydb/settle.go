package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/ledger"
	"strongroom/money"
)

// Settle books a final payment and ends its intent, in one transaction that reads
// again that the payment is on the canonical chain. It returns custody.ErrConflict
// where it is not, or the row moved meanwhile: observe again. Settled before, it
// changes nothing.
func (s *Store) Settle(ctx context.Context, r *IntentRow, mined Mined, facts custody.WithdrawalFacts) error {
	native, err := s.nativeOf(r.Chain, r.Asset)
	if err != nil {
		return err
	}
	if err := s.openFor(ctx, r); err != nil {
		return err
	}
	_, err = s.cfg.Ledger.Post(ctx, settleTransaction(*r, native, mined), s.endMined(*r, mined, custody.EventPost, facts, ""))
	if err != nil {
		return fmt.Errorf("settle %s: %w", r.ID, err)
	}
	crash.At(crash.SettleAfter)
	*r, err = s.LoadIntent(ctx, r.ID)
	return err
}

// Revert gives back what an intent held that was mined and failed for good, and
// books its fee. Errors as Settle.
func (s *Store) Revert(ctx context.Context, r *IntentRow, mined Mined, event custody.WithdrawalEvent, facts custody.WithdrawalFacts, reason string) error {
	native, err := s.nativeOf(r.Chain, r.Asset)
	if err != nil {
		return err
	}
	if err := s.openFor(ctx, r); err != nil {
		return err
	}
	book := revertTransaction(*r, native, mined)
	end := s.endMined(*r, mined, event, facts, reason)
	if len(book.Legs) == 0 { // a house intent that cost nothing has nothing to book
		err = s.InTx(ctx, func(tx pgx.Tx) error { return end(ctx, tx) })
	} else {
		_, err = s.cfg.Ledger.Post(ctx, book, end)
	}
	if err != nil {
		return fmt.Errorf("revert %s: %w", r.ID, err)
	}
	*r, err = s.LoadIntent(ctx, r.ID)
	return err
}

func (s *Store) openFor(ctx context.Context, r *IntentRow) error {
	asset, ok := s.cfg.Assets.AssetByCode(r.Asset)
	if !ok {
		return fmt.Errorf("asset %s: %w", r.Asset, custody.ErrAsset)
	}
	if err := s.openHouse(ctx, asset); err != nil || r.Vault == "" {
		return err
	}
	return s.openVault(ctx, asset, r.Vault)
}

// endMined moves the intent to its end, if the transaction is still where the
// facts say.
func (s *Store) endMined(r IntentRow, mined Mined, event custody.WithdrawalEvent, facts custody.WithdrawalFacts, reason string) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error {
		at, err := standing(ctx, tx, r.Chain, mined.TxID, r.ID)
		if err != nil {
			return err
		}
		if at.fee != mined.Fee {
			return fmt.Errorf("%s cost %s, and costs %s in the block that it is in now: %w", mined.TxID, mined.Fee, at.fee, custody.ErrConflict)
		}
		facts.Success, facts.Depth = at.success, at.depth
		moving := r
		if err := s.Apply(ctx, tx, &moving, event, facts, reason); err != nil {
			return err
		}
		if err := freeUnspent(ctx, tx, r.ID); err != nil {
			return err
		}
		crash.At(crash.SettleBefore)
		return nil
	}
}

// stands is how a transaction of ours stands in the canonical chain.
type stands struct {
	depth   uint64
	success bool
	fee     money.Units
}

// standing reads a transaction of an intent again and keeps it where it is until tx
// ends. It returns custody.ErrConflict where it is in no canonical block.
func standing(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, txid, intent string) (stands, error) {
	var at stands
	var depth int64
	err := tx.QueryRow(ctx, `SELECT c.height - t.block_height + 1, coalesce(t.success, false), coalesce(t.fee, 0)::numeric(78,0) FROM custody.chain_tx t
		JOIN custody.block b ON b.chain = t.chain AND b.hash = t.block_hash AND b.height = t.block_height AND b.canonical
		JOIN custody.chain c ON c.chain = t.chain
		WHERE t.chain = $1 AND t.txid = $2 AND t.intent = $3 FOR UPDATE OF t FOR SHARE OF b`, chain, txid, intent).Scan(&depth, &at.success, &at.fee)
	if err != nil {
		return at, fmt.Errorf("read %s again: %w: %w", txid, custody.ErrConflict, noRows(err))
	}
	at.depth = uint64(max(depth, 0))
	return at, nil
}
