package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
)

// maxStatuses bounds one call of Statuses.
const maxStatuses = 1_000

// ErrTooMany reports a request for more than one call may ask.
var ErrTooMany = errors.New("too many in one call")

// Broadcast hands a raw transaction of this chain to the node. Bytes that Decode
// does not recognise as signed for this chain are ErrTransaction and are not
// sent. ErrRefused where the node answered with an error, its words included.
func (a *Adapter) Broadcast(ctx context.Context, raw []byte) error {
	tx, _, err := a.decode(raw)
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if err := a.ensure(ctx); err != nil {
		return fmt.Errorf("broadcast %s: %w", tx.Hash(), err)
	}
	hash, err := ask[common.Hash](ctx, a.rpc, "eth_sendRawTransaction", hexutil.Bytes(raw))
	var said *NodeError
	switch {
	case errors.As(err, &said) && alreadyKnown(said):
		return nil
	case said != nil:
		return fmt.Errorf("broadcast %s: %w: %w", tx.Hash(), chainadapters.ErrRefused, err)
	case err != nil:
		return fmt.Errorf("broadcast %s: %w", tx.Hash(), err)
	case hash == nil || *hash != tx.Hash():
		return fmt.Errorf("broadcast %s: %w: node answered another hash", tx.Hash(), chainadapters.ErrIncomplete)
	}
	return nil
}

// alreadyKnown recognises the refusals of geth, Erigon, Nethermind, Besu, Reth
// and anvil that mean "I have these very bytes in my pool". JSON-RPC has no code
// for it. "nonce too low" is not among them: it may be another transaction.
func alreadyKnown(said *NodeError) bool {
	text := strings.ToLower(said.Message)
	for _, words := range []string{"already known", "alreadyknown", "already imported", "known transaction"} {
		if strings.Contains(text, words) {
			return !strings.Contains(text, "unknown")
		}
	}
	return false
}

// Statuses returns where the node sees each transaction. A mined transaction has
// a receipt of the same block, and that block is the node's block of its height,
// or the answer is ErrIncomplete. A token transfer without any event of its token
// did not succeed. ErrTooMany above 1,000.
func (a *Adapter) Statuses(ctx context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	if len(txids) > maxStatuses {
		return nil, fmt.Errorf("read statuses: %w: %d", ErrTooMany, len(txids))
	}
	params := make([][]any, len(txids))
	for i, id := range txids {
		hash, err := parseHash(id)
		if err != nil {
			return nil, fmt.Errorf("read statuses: %w", err)
		}
		params[i] = []any{hash}
	}
	statuses, err := onOurs(ctx, a, func() ([]chainadapters.TxStatus, error) {
		txs, err := askEach[rpcTransaction](ctx, a.rpc, "eth_getTransactionByHash", params)
		if err != nil {
			return nil, err
		}
		return a.statuses(ctx, txids, txs)
	})
	if err != nil {
		return nil, fmt.Errorf("read statuses: %w", err)
	}
	return statuses, nil
}

func (a *Adapter) statuses(ctx context.Context, txids []string, txs []*rpcTransaction) ([]chainadapters.TxStatus, error) {
	statuses := make([]chainadapters.TxStatus, len(txids))
	for i, tx := range txs {
		switch {
		case tx == nil:
			statuses[i] = chainadapters.TxStatus{TxID: txids[i], State: chainadapters.Absent}
		case hashText(tx.Hash) != strings.ToLower(txids[i]):
			return nil, fmt.Errorf("%w: asked for %s, got %s", chainadapters.ErrIncomplete, txids[i], tx.Hash)
		case !tx.BlockHash.Set || !tx.BlockNumber.Set:
			statuses[i] = chainadapters.TxStatus{TxID: txids[i], State: chainadapters.Pooled}
		default:
			mined, err := a.minedStatus(ctx, txids[i], tx)
			if err != nil {
				return nil, err
			}
			statuses[i] = mined
		}
	}
	return statuses, nil
}

// minedStatus reads the receipt of a mined transaction and makes sure that the
// node means its current chain.
func (a *Adapter) minedStatus(ctx context.Context, txid string, tx *rpcTransaction) (chainadapters.TxStatus, error) {
	receipt, err := ask[rpcReceipt](ctx, a.rpc, "eth_getTransactionReceipt", tx.Hash)
	if err != nil {
		return chainadapters.TxStatus{}, err
	}
	if receipt == nil || receipt.TxHash != tx.Hash || receipt.BlockHash != tx.BlockHash.V || !receipt.Status.Set || !receipt.GasPrice.Set {
		return chainadapters.TxStatus{}, fmt.Errorf("%w: no receipt of %s in block %s", chainadapters.ErrIncomplete, txid, tx.BlockHash.V)
	}
	canonical, err := a.headerByNumber(ctx, hexutil.EncodeUint64(tx.BlockNumber.V))
	if err != nil {
		return chainadapters.TxStatus{}, err
	}
	if canonical.Hash != hashText(tx.BlockHash.V) {
		return chainadapters.TxStatus{}, fmt.Errorf("%w: %s is in %s, which is not on the chain", chainadapters.ErrIncomplete, txid, tx.BlockHash.V)
	}
	fee, err := units(&receipt.GasPrice.V).Mul(receipt.GasUsed)
	if err != nil {
		return chainadapters.TxStatus{}, fmt.Errorf("%w: fee of %s: %w", chainadapters.ErrIncomplete, txid, err)
	}
	return chainadapters.TxStatus{
		TxID: txid, State: chainadapters.Mined, Block: canonical.Ref,
		Success: receipt.Status.V == statusSuccess && transferred(tx, receipt), Fee: fee,
	}, nil
}

// transferred is false for a token transfer of which the token tells no event from
// its sender: a token may answer false, or nothing, and move nothing, in a
// transaction that succeeds.
func transferred(tx *rpcTransaction, receipt *rpcReceipt) bool {
	_, amount, is := parseTransfer(tx.Input.V)
	if !is || amount.IsZero() || !tx.To.Set || !tx.From.Set {
		return true
	}
	topic, sender := common.HexToHash(transferTopic), common.BytesToHash(tx.From.V.Bytes())
	return slices.ContainsFunc(receipt.Logs, func(l rpcLog) bool {
		return l.Address == tx.To.V && len(l.Topics) == transferTopics && l.Topics[0] == topic && l.Topics[1] == sender
	})
}
