package custodydb

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/ledger"
	"strongroom/money"
)

// maxFeesDue bounds one read of fees that the book has differently.
const maxFeesDue = 500

// FeeDue is the network fee of an ended intent whose transaction lost its block,
// and is in another that cost something else than the book has.
type FeeDue struct {
	Intent string
	Kind   custody.IntentKind
	Asset  string
	From   string // collections and top-ups on account chains: who sends
	Chain  chainadapters.ChainID
	TxID   string
	Block  chainadapters.Ref // that the transaction is in now
	Fee    money.Units       // what it cost there, in the native asset
	Booked money.Units       // what the book has
	Round  uint32            // how often it was corrected before
}

// keepFees notes what the book has of ended intents whose transactions are about to
// lose their blocks above to. The rows are locked first: a booking under way is
// either in the book by then, or finds its block gone.
func keepFees(ctx context.Context, tx pgx.Tx, chain chainadapters.ChainID, to chainadapters.Ref) error {
	for _, sql := range []string{
		`SELECT FROM custody.chain_tx WHERE chain = $1 AND block_height > $2 ORDER BY txid FOR UPDATE`,
		`INSERT INTO custody.network_fee (intent, booked) SELECT t.intent, t.fee FROM custody.chain_tx t
			JOIN (SELECT id, state FROM custody.withdrawal UNION ALL SELECT id, state FROM custody.house_intent) i
				ON i.id = t.intent AND i.state IN ('posted', 'reverted', 'cancelled')
			WHERE t.chain = $1 AND t.block_height > $2 ON CONFLICT (intent) DO NOTHING`,
	} {
		if _, err := tx.Exec(ctx, sql, chain, to.Height); err != nil {
			return fmt.Errorf("keep fees of what is booked: %w", err)
		}
	}
	return nil
}

// FeesDue returns the fees that the book has differently, those in the deepest
// blocks first. An intent two of whose transactions are in blocks is none of them:
// only a person can judge that.
func (s *Store) FeesDue(ctx context.Context) ([]FeeDue, error) {
	rows, err := s.pool.Query(ctx, `SELECT n.intent, t.kind, i.asset, i.from_address, t.chain, t.txid, t.block_height, t.block_hash, t.fee, n.booked, n.round
		FROM custody.network_fee n JOIN custody.chain_tx t ON t.intent = n.intent AND t.block_height IS NOT NULL AND t.fee <> n.booked
		JOIN (SELECT id, asset, '' AS from_address FROM custody.withdrawal UNION ALL SELECT id, asset, from_address FROM custody.house_intent) i ON i.id = n.intent
		JOIN custody.chain c ON c.chain = t.chain
		WHERE NOT EXISTS (SELECT FROM custody.chain_tx o WHERE o.intent = n.intent AND o.block_height IS NOT NULL AND o.txid <> t.txid)
		ORDER BY t.block_height - c.height, n.intent LIMIT $1`, maxFeesDue)
	if err != nil {
		return nil, fmt.Errorf("read fees due: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (FeeDue, error) {
		var f FeeDue
		err := row.Scan(&f.Intent, &f.Kind, &f.Asset, &f.From, &f.Chain, &f.TxID, &f.Block.Height, &f.Block.Hash, &f.Fee, &f.Booked, &f.Round)
		return f, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read fees due: %w", err)
	}
	return list, nil
}

// CorrectFee books the difference between what a transaction cost and what the book
// has, in one transaction that reads again that it stands in the chain, as deep as
// finalDepth and at that fee. The round is part of the booking's id, so that each is
// booked once whoever asks how often. It returns custody.ErrConflict where the
// transaction moved or another booked meanwhile: look again.
func (s *Store) CorrectFee(ctx context.Context, f FeeDue, finalDepth uint64) error {
	asset, ok := s.cfg.Assets.AssetByCode(f.Asset)
	if !ok || asset.Native == "" {
		return fmt.Errorf("native asset of %s: %w", f.Asset, custody.ErrAsset)
	}
	if err := s.openHouse(ctx, asset); err != nil {
		return err
	}
	_, err := s.cfg.Ledger.Post(ctx, correction(f, asset.Native), func(ctx context.Context, tx pgx.Tx) error {
		at, err := standing(ctx, tx, f.Chain, f.TxID, f.Intent)
		if err != nil {
			return err
		}
		if at.depth < finalDepth || at.fee != f.Fee {
			return fmt.Errorf("%s cost %s at depth %d: %w", f.TxID, at.fee, at.depth, custody.ErrConflict)
		}
		tag, err := tx.Exec(ctx, `UPDATE custody.network_fee SET booked = $4, round = round + 1 WHERE intent = $1 AND round = $2 AND booked = $3`,
			f.Intent, f.Round, f.Booked, f.Fee)
		if err != nil {
			return fmt.Errorf("note fee of %s: %w", f.Intent, err)
		}
		return won(tag, "fee of "+f.Intent)
	})
	if err != nil {
		return fmt.Errorf("correct fee of %s: %w", f.Intent, err)
	}
	return nil
}

// correction is what a payment cost more, or gives back what it cost less.
func correction(f FeeDue, native string) ledger.Transaction {
	act := "fee/" + strconv.FormatUint(uint64(f.Round)+1, 10)
	r := IntentRow{Intent: custody.Intent{ID: f.Intent, Kind: f.Kind, Chain: f.Chain}, From: f.From}
	legs := networkFee(r, native, act, f.Fee.SubFloor(f.Booked))
	for _, back := range networkFee(r, native, act, f.Booked.SubFloor(f.Fee)) {
		back.Debit, back.Credit = back.Credit, back.Debit
		legs = append(legs, back)
	}
	return ledger.Transaction{ID: bookID(f.Intent, act), Legs: legs, Metadata: map[string]string{
		"intent": f.Intent, "txid": f.TxID, "booked": f.Booked.String(), "cost": f.Fee.String(),
	}}
}
