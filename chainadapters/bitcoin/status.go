package bitcoin

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
)

// maxTxIDs bounds one question about transactions.
const maxTxIDs = 1_000

// txView is what getrawtransaction says in its verbose form.
type txView struct {
	Hex       string `json:"hex"`
	BlockHash string `json:"blockhash"`
}

// Statuses implements the port. A transaction counts as mined only where the
// block that the index names is on the node's current chain.
func (a *Adapter) Statuses(ctx context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	if len(txids) > maxTxIDs {
		return nil, fmt.Errorf("read statuses: %w: %d ids at once", chainadapters.ErrPlan, len(txids))
	}
	if err := a.ensure(ctx); err != nil {
		return nil, err
	}
	statuses := make([]chainadapters.TxStatus, len(txids))
	for i, txid := range txids {
		status, err := a.status(ctx, txid)
		if err != nil {
			return nil, fmt.Errorf("read status of %s: %w", txid, err)
		}
		statuses[i] = status
	}
	return statuses, nil
}

func (a *Adapter) status(ctx context.Context, txid string) (chainadapters.TxStatus, error) {
	_, block, err := a.transaction(ctx, txid)
	status := chainadapters.TxStatus{TxID: txid, State: chainadapters.Absent}
	switch {
	case err != nil:
		return status, err
	case block == nil:
		return status, nil
	case block.Hash == "":
		status.State = chainadapters.Pooled
		return status, nil
	}
	now, err := a.hashAt(ctx, block.Height)
	switch {
	case errors.Is(err, chainadapters.ErrNotFound): // the chain is shorter now
	case err != nil:
		return status, err
	case now == block.Hash:
		status.State, status.Block, status.Success = chainadapters.Mined, *block, true
		return status, nil
	}
	// Its block was replaced; the pool may have it back.
	pooled, err := a.pooled(ctx, txid)
	if pooled {
		status.State = chainadapters.Pooled
	}
	return status, err
}

// transaction returns a transaction and the block that the node's index names,
// which is a zero Ref while it waits in the pool. Both are nil where the node
// knows of no such transaction.
func (a *Adapter) transaction(ctx context.Context, txid string) (*wire.MsgTx, *chainadapters.Ref, error) {
	if _, err := parseHash(txid); err != nil {
		return nil, nil, err
	}
	v, err := must[txView](ctx, a.rpc, "getrawtransaction", txid, 1)
	if node, refused := refusal(err); refused && node.Code == codeNotFound {
		// The same code tells "no such transaction" and "I have no index".
		if words := strings.ToLower(node.Message); strings.Contains(words, "txindex") || strings.Contains(words, "indexed") {
			return nil, nil, fmt.Errorf("%w: the node has no complete transaction index: %w", chainadapters.ErrIncomplete, err)
		}
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	tx, err := parseTx(v.Hex)
	if err != nil || tx.TxHash().String() != txid {
		return nil, nil, fmt.Errorf("%w: the node gave another transaction", chainadapters.ErrIncomplete)
	}
	if v.BlockHash == "" {
		return tx, &chainadapters.Ref{}, nil
	}
	header, err := a.header(ctx, v.BlockHash)
	if err != nil {
		return nil, nil, err
	}
	return tx, &header.Ref, nil
}

// pooled looks into the pool: getmempoolentry is Core's, and btcd has the list.
func (a *Adapter) pooled(ctx context.Context, txid string) (bool, error) {
	_, err := must[struct{}](ctx, a.rpc, "getmempoolentry", txid)
	if err == nil {
		return true, nil
	}
	if node, refused := refusal(err); !refused || (node.Code != codeNoMethod && node.Code != codeNotFound) {
		return false, err
	} else if node.Code == codeNotFound {
		return false, nil
	}
	pool, err := must[[]string](ctx, a.rpc, "getrawmempool", false)
	return slices.Contains(pool, txid), err
}

// parseTx reads a transaction in hexadecimal and nothing after it.
func parseTx(text string) (*wire.MsgTx, error) {
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode hexadecimal: %w", err)
	}
	r := bytes.NewReader(data)
	var tx wire.MsgTx
	if err := tx.Deserialize(r); err != nil {
		return nil, fmt.Errorf("decode transaction: %w", err)
	}
	if r.Len() > 0 {
		return nil, fmt.Errorf("%w: %d trailing bytes", errTx, r.Len())
	}
	return &tx, nil
}
