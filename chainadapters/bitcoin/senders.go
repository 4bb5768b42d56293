package bitcoin

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
)

var _ chainadapters.SenderReader = (*Adapter)(nil)

// Senders implements chainadapters.SenderReader: the addresses of the outputs that
// a transaction spent. The transaction is taken from its block, which proves
// itself, and each spent output from its own transaction, which hashes to the id
// that the input names. A node without an index of transactions does not give
// those: then an input says itself whom it belonged to, but for the kinds that
// show no key (Taproot), which are counted as unknown.
func (a *Adapter) Senders(ctx context.Context, txid string, in chainadapters.Ref) (chainadapters.Senders, error) {
	var senders chainadapters.Senders
	if err := a.ensure(ctx); err != nil {
		return senders, err
	}
	text, err := must[string](ctx, a.rpc, "getblock", in.Hash, 0)
	if err != nil {
		return senders, fmt.Errorf("read block %s: %w", in.Hash, err)
	}
	block, err := parseBlock(in.Hash, text)
	if err != nil {
		return senders, fmt.Errorf("read block %s: %w: %w", in.Hash, chainadapters.ErrIncomplete, err)
	}
	at := slices.IndexFunc(block.Transactions, func(tx *wire.MsgTx) bool { return tx.TxHash().String() == txid })
	switch {
	case at < 0:
		return senders, fmt.Errorf("transaction %s is not in block %s: %w", txid, in.Hash, chainadapters.ErrIncomplete)
	case at == 0:
		return senders, nil // new coins come from nobody
	}
	for n, input := range block.Transactions[at].TxIn {
		if n == chainadapters.MaxSenders {
			senders.Unknown += len(block.Transactions[at].TxIn) - n
			break
		}
		address, known, err := a.owner(ctx, input)
		if err != nil {
			return chainadapters.Senders{}, err
		}
		switch {
		case !known:
			senders.Unknown++
		case !slices.Contains(senders.Addresses, address):
			senders.Addresses = append(senders.Addresses, address)
		}
	}
	return senders, nil
}

// owner returns the address of the output that an input spends.
func (a *Adapter) owner(ctx context.Context, input *wire.TxIn) (address string, known bool, err error) {
	spent := input.PreviousOutPoint
	text, err := must[string](ctx, a.rpc, "getrawtransaction", spent.Hash.String(), 0)
	if _, refused := refusal(err); refused {
		address, known = a.shownBy(input)
		return address, known, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read transaction %s: %w", spent.Hash, err)
	}
	tx, err := parseTx(text)
	if err != nil || tx.TxHash() != spent.Hash || int(spent.Index) >= len(tx.TxOut) {
		return "", false, fmt.Errorf("read transaction %s: %w: it is another", spent.Hash, chainadapters.ErrIncomplete)
	}
	address, known = a.params.Address(tx.TxOut[spent.Index].PkScript)
	return address, known, nil
}

// shownBy reads the owner from key or script in the input, which the chain has
// checked against the output.
func (a *Adapter) shownBy(input *wire.TxIn) (address string, known bool) {
	const schnorr, schnorrFlagged = 64, 65
	if w := input.Witness; len(input.SignatureScript) == 0 && len(w) == 1 && (len(w[0]) == schnorr || len(w[0]) == schnorrFlagged) {
		return "", false // a Taproot key's signature, and nothing else
	}
	script, err := txscript.ComputePkScript(input.SignatureScript, input.Witness)
	if err != nil {
		return "", false
	}
	return a.params.Address(script.Script())
}
