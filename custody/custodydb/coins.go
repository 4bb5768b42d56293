package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/money"
)

// takeCoins stores the outputs that the block brought to the house, our own
// change and collections included.
func (k *taking) takeCoins(ctx context.Context) error {
	if k.s.cfg.Adapters[k.chain].Family() != chainadapters.UTXO {
		return nil
	}
	batch := &pgx.Batch{}
	for _, m := range k.block.Movements {
		a, ours := k.ours[m.To]
		if !ours || m.Contract != "" || m.Amount.IsZero() {
			continue
		}
		batch.Queue(`INSERT INTO custody.coin (chain, txid, vout, address, amount, account, branch, idx, block_height, block_hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (chain, txid, vout) DO UPDATE SET block_height = excluded.block_height, block_hash = excluded.block_hash`,
			k.chain, m.TxID, m.Index, m.To, m.Amount, a.Path.Account, a.Path.Branch, a.Path.Index, k.block.Height, k.block.Hash)
	}
	if err := k.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("insert coins: %w", err)
	}
	return nil
}

// takeSpends marks coins that the block consumed, and stops what may be in wrong
// hands: a key whose nonce, or a chain where a coin, was used by a transaction
// that we never made.
func (k *taking) takeSpends(ctx context.Context) error {
	if k.s.cfg.Adapters[k.chain].Family() != chainadapters.UTXO {
		return k.takeNonces(ctx)
	}
	var spenders, txids []string
	var vouts []int64
	for _, sp := range k.block.Spends {
		spenders, txids, vouts = append(spenders, sp.TxID), append(txids, sp.Outpoint.TxID), append(vouts, int64(sp.Outpoint.Vout))
	}
	rows, err := k.tx.Query(ctx, `UPDATE custody.coin c SET spent_by = u.spender, spent_height = $5
		FROM unnest($2::text[], $3::text[], $4::bigint[]) AS u(spender, txid, vout)
		WHERE c.chain = $1 AND c.txid = u.txid AND c.vout = u.vout RETURNING c.spent_by`, k.chain, spenders, txids, vouts, k.block.Height)
	if err != nil {
		return fmt.Errorf("mark coins spent: %w", err)
	}
	by, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("mark coins spent: %w", err)
	}
	for _, txid := range by {
		if _, ours := k.own[txid]; ours {
			continue
		}
		_, err := k.tx.Exec(ctx, `UPDATE custody.chain SET status = 'halted', needs_operator = true, reason = $2 WHERE chain = $1`,
			k.chain, "a coin of the house was spent by "+txid+", which we did not make")
		if err != nil {
			return fmt.Errorf("halt after foreign spend: %w", err)
		}
	}
	return nil
}

// takeNonces halts each key of ours that sent something which we did not make.
func (k *taking) takeNonces(ctx context.Context) error {
	for _, sp := range k.block.Spends {
		_, house := k.ours[sp.From]
		_, made := k.own[sp.TxID]
		if !house || made {
			continue
		}
		_, err := k.tx.Exec(ctx, `INSERT INTO custody.nonce_counter (chain, address, next, halted) VALUES ($1, $2, $3, true)
			ON CONFLICT (chain, address) DO UPDATE SET halted = true`, k.chain, sp.From, sp.Nonce+1)
		if err != nil {
			return fmt.Errorf("halt key after foreign transaction: %w", err)
		}
	}
	return nil
}

// paidFee returns what a mined transaction cost: the node's word on account
// chains, inputs less outputs on UTXO chains.
func (s *Store) paidFee(chain chainadapters.ChainID, t ownTx, st chainadapters.TxStatus) (money.Units, error) {
	adapter := s.cfg.Adapters[chain]
	if adapter.Family() != chainadapters.UTXO {
		return st.Fee, nil
	}
	signed, err := adapter.Decode(t.raw)
	if err != nil {
		return money.Units{}, fmt.Errorf("decode our transaction %s: %w", st.TxID, err)
	}
	var in, out money.Units
	for _, c := range t.plan.Coins {
		if in, err = in.Add(c.Amount); err != nil {
			return money.Units{}, fmt.Errorf("add up inputs of %s: %w", st.TxID, err)
		}
	}
	for _, p := range signed.Payments {
		if out, err = out.Add(p.Amount); err != nil {
			return money.Units{}, fmt.Errorf("add up outputs of %s: %w", st.TxID, err)
		}
	}
	fee, err := in.Sub(out)
	if err != nil {
		return money.Units{}, fmt.Errorf("our transaction %s pays out more than it spends: %w", st.TxID, err)
	}
	return fee, nil
}

// unspentAt selects the coins that are in a block at or below a height and not
// spent there, in a fixed order.
const unspentAt = `WHERE c.chain = $1 AND c.block_height <= $2 AND (c.spent_height IS NULL OR c.spent_height > $2) ORDER BY c.txid, c.vout`
