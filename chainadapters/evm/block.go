package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"strongroom/chainadapters"
)

// complete says whether the node told all that we read of it.
func (t *rpcTransaction) complete() bool { return t.From.Set && t.Nonce.Set && t.Value.Set }

// placed says whether the node says where in the chain it is.
func (t *rpcTransaction) placed() bool {
	return t.BlockHash.Set && t.BlockNumber.Set && t.Index.Set
}

const statusSuccess = 1

// Block reads one block by its hash: native value of successful transactions,
// native value that contracts sent onward in them (from the node's traces: it
// leaves neither transaction nor event), Transfer events of the given contracts,
// and the nonce of every transaction. ErrIncomplete covers null, another block's
// receipts, logs or traces, and receipts, logs and traces that disagree. Where
// the node cannot trace, the block is marked Untraced. ErrForged where header,
// transactions or receipts do not hash to what was asked for.
func (a *Adapter) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	block, err := onOurs(ctx, a, func() (chainadapters.Block, error) { return a.readBlock(ctx, ref, contracts) })
	if err != nil {
		return chainadapters.Block{}, fmt.Errorf("read block %d %s: %w", ref.Height, ref.Hash, err)
	}
	return block, nil
}

func (a *Adapter) readBlock(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	hash, err := parseHash(ref.Hash)
	if err != nil {
		return chainadapters.Block{}, err
	}
	raw, err := ask[rpcBlock](ctx, a.rpc, "eth_getBlockByHash", hash, true)
	if err != nil {
		return chainadapters.Block{}, err
	}
	if raw == nil {
		return chainadapters.Block{}, fmt.Errorf("%w: null for an announced block", chainadapters.ErrIncomplete)
	}
	header, err := raw.header()
	if err != nil {
		return chainadapters.Block{}, err
	}
	if raw.Hash.V != hash || header.Height != ref.Height {
		return chainadapters.Block{}, fmt.Errorf("%w: node answered block %d %s", chainadapters.ErrIncomplete, header.Height, header.Hash)
	}
	if err := errors.Join(checkTransactions(raw, hash), checkHeader(raw, hash)); err != nil {
		return chainadapters.Block{}, err
	}
	receipts, err := a.receipts(ctx, raw, hash)
	if err != nil {
		return chainadapters.Block{}, err
	}
	names := newNames()
	transfers, err := a.transfers(ctx, hash, contracts, receipts, names)
	if err != nil {
		return chainadapters.Block{}, err
	}
	internal, traced, err := a.internal(ctx, raw, receipts, names)
	if err != nil {
		return chainadapters.Block{}, err
	}
	block := assemble(header, raw, receipts, transfers, internal, names)
	block.Untraced = !traced
	return block, nil
}

// checkTransactions makes sure that each transaction says it is in this block,
// at its place, and carries what we read of it, and that a block without any is
// one by its header too.
func checkTransactions(raw *rpcBlock, hash common.Hash) error {
	if !raw.TxRoot.Set || (raw.TxRoot.V == types.EmptyTxsHash) != (len(raw.Transactions) == 0) {
		return fmt.Errorf("%w: %d transactions under root %s", chainadapters.ErrIncomplete, len(raw.Transactions), raw.TxRoot.V)
	}
	for i := range raw.Transactions {
		tx := &raw.Transactions[i]
		switch {
		case !tx.complete() || !tx.placed():
			return fmt.Errorf("%w: transaction %s lacks a field", chainadapters.ErrIncomplete, tx.Hash)
		case tx.BlockHash.V != hash || tx.BlockNumber.V != raw.Number.V || tx.Index.V != uint64(i):
			return fmt.Errorf("%w: transaction %s is of block %s", chainadapters.ErrIncomplete, tx.Hash, tx.BlockHash.V)
		}
	}
	return checkTxRoot(raw)
}

// receipts reads one receipt per transaction, in order, and checks that each is
// of this block.
func (a *Adapter) receipts(ctx context.Context, raw *rpcBlock, hash common.Hash) ([]rpcReceipt, error) {
	if len(raw.Transactions) == 0 {
		return nil, nil
	}
	receipts, err := a.fetchReceipts(ctx, raw, hash)
	if err != nil {
		return nil, err
	}
	if len(receipts) != len(raw.Transactions) {
		return nil, fmt.Errorf("%w: %d receipts for %d transactions", chainadapters.ErrIncomplete, len(receipts), len(raw.Transactions))
	}
	for i := range receipts {
		r := &receipts[i]
		switch {
		case r.TxHash != raw.Transactions[i].Hash || r.Index != uint64(i):
			return nil, fmt.Errorf("%w: receipt %d is of transaction %s", chainadapters.ErrIncomplete, i, r.TxHash)
		case r.BlockHash != hash || r.BlockNumber != raw.Number.V:
			return nil, fmt.Errorf("%w: receipt of %s is of block %s", chainadapters.ErrIncomplete, r.TxHash, r.BlockHash)
		case !r.Status.Set:
			return nil, fmt.Errorf("%w: receipt of %s has no status", chainadapters.ErrIncomplete, r.TxHash)
		}
	}
	return receipts, checkReceiptRoot(raw, receipts)
}

// fetchReceipts asks for all receipts at once, or one by one where the node does
// not know the method.
func (a *Adapter) fetchReceipts(ctx context.Context, raw *rpcBlock, hash common.Hash) ([]rpcReceipt, error) {
	all, err := ask[rpcReceipts](ctx, a.rpc, "eth_getBlockReceipts", hash)
	var refusal *NodeError
	switch {
	case err == nil && all == nil:
		return nil, fmt.Errorf("%w: null for the receipts", chainadapters.ErrIncomplete)
	case err == nil:
		return *all, nil
	case !errors.As(err, &refusal) || refusal.Code != codeNoMethod:
		return nil, err
	}
	params := make([][]any, len(raw.Transactions))
	for i := range raw.Transactions {
		params[i] = []any{raw.Transactions[i].Hash}
	}
	each, err := askEach[rpcReceipt](ctx, a.rpc, "eth_getTransactionReceipt", params)
	if err != nil {
		return nil, err
	}
	receipts := make([]rpcReceipt, len(each))
	for i, r := range each {
		if r == nil {
			return nil, fmt.Errorf("%w: null for the receipt of %s", chainadapters.ErrIncomplete, raw.Transactions[i].Hash)
		}
		receipts[i] = *r
	}
	return receipts, nil
}

// assemble puts the checked parts together, in the order of the chain.
func assemble(header chainadapters.Header, raw *rpcBlock, receipts []rpcReceipt, transfers, internal map[common.Hash][]chainadapters.Movement, names *names) chainadapters.Block {
	n := len(raw.Transactions)
	block := chainadapters.Block{
		Header: header, TxIDs: make([]string, 0, n), Spends: make([]chainadapters.Spend, 0, n),
		Movements: make([]chainadapters.Movement, 0, n+len(transfers)),
	}
	for i := range raw.Transactions {
		tx := &raw.Transactions[i]
		id, from := hashText(tx.Hash), names.of(tx.From.V)
		block.TxIDs = append(block.TxIDs, id)
		block.Spends = append(block.Spends, chainadapters.Spend{TxID: id, From: from, Nonce: tx.Nonce.V})
		if receipts[i].Status.V != statusSuccess {
			continue
		}
		if amount := units(&tx.Value.V); tx.To.Set && !amount.IsZero() {
			block.Movements = append(block.Movements, chainadapters.Movement{
				TxID: id, Index: chainadapters.NativeIndex, From: from, To: names.of(tx.To.V), Amount: amount,
			})
		}
		block.Movements = append(block.Movements, internal[tx.Hash]...)
		block.Movements = append(block.Movements, transfers[tx.Hash]...)
	}
	return block
}
