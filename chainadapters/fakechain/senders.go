package fakechain

import (
	"context"
	"fmt"
	"slices"

	"strongroom/chainadapters"
)

var _ chainadapters.SenderReader = (*Adapter)(nil)

// Senders implements chainadapters.SenderReader. What comes from nowhere on a
// chain of coins has no sender.
func (a *Adapter) Senders(ctx context.Context, txid string, in chainadapters.Ref) (chainadapters.Senders, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) (chainadapters.Senders, error) {
		var out chainadapters.Senders
		if in.Height >= uint64(len(blocks)) || blocks[in.Height].header.Ref != in {
			return out, fmt.Errorf("%w: no block %d %s", chainadapters.ErrIncomplete, in.Height, in.Hash)
		}
		tx := find(blocks[in.Height:in.Height+1], txid)
		if tx == nil {
			return out, fmt.Errorf("%w: transaction %s is not in its block", chainadapters.ErrIncomplete, txid)
		}
		if a.chain.family == chainadapters.Account {
			out.Addresses = []string{tx.body.From}
			return out, nil
		}
		for _, spent := range tx.body.Inputs {
			source := find(blocks, spent.TxID)
			if source == nil || int(spent.Vout) >= len(source.body.Outputs) {
				out.Unknown++
				continue
			}
			if owner := source.body.Outputs[spent.Vout].To; !slices.Contains(out.Addresses, owner) {
				out.Addresses = append(out.Addresses, owner)
			}
		}
		return out, nil
	})
}

func find(blocks []*block, txid string) *transaction {
	for _, b := range blocks {
		for i := range b.receipts {
			if b.receipts[i].tx.id == txid {
				return b.receipts[i].tx
			}
		}
	}
	return nil
}
