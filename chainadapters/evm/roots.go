package evm

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"strongroom/chainadapters"
)

// What a block's hash is made of is recomputed, so that a node cannot add, leave
// out or change a transaction, a receipt or a log under a hash that others know:
// the header from its fields, and from it the roots of transactions (EIP-2718)
// and receipts. Other chains have fields and transaction types of their own that
// go into those hashes in ways that are not known here: such a header, or such a
// list, is not recomputed, and only agreement with other nodes speaks for it.

// lastKnownType is the greatest transaction type whose encoding is known here:
// EIP-7702.
const lastKnownType = types.SetCodeTxType

// headerFields are the members of a block that are hashed or that describe the
// block without being part of its hash.
func headerFields() map[string]bool {
	known := map[string]bool{}
	for _, name := range []string{
		"parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty", "number",
		"gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed",
		"excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
		"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals",
	} {
		known[name] = true
	}
	return known
}

// checkHeader recomputes the hash of a block's header. ErrForged where it is not
// the hash that was asked for.
func checkHeader(block json.RawMessage, want common.Hash) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(block, &members); err != nil {
		return fmt.Errorf("%w: block: %w", chainadapters.ErrIncomplete, err)
	}
	known := headerFields()
	for name := range members {
		if !known[name] {
			return nil
		}
	}
	header := new(types.Header)
	if err := header.UnmarshalJSON(block); err != nil {
		return fmt.Errorf("%w: header: %w", chainadapters.ErrIncomplete, err)
	}
	if got := header.Hash(); got != want {
		return fmt.Errorf("%w: header of block %s hashes to %s", chainadapters.ErrForged, want, got)
	}
	return nil
}

// checkTxRoot recomputes every transaction's hash and the root over all of them.
func checkTxRoot(raw *rpcBlock) error {
	list := make(types.Transactions, len(raw.Transactions))
	for i := range raw.Transactions {
		stated := &raw.Transactions[i]
		if stated.Type > lastKnownType {
			return nil
		}
		tx := new(types.Transaction)
		if err := tx.UnmarshalJSON(stated.raw); err != nil {
			return fmt.Errorf("%w: transaction %s: %w", chainadapters.ErrIncomplete, stated.Hash, err)
		}
		if tx.Hash() != stated.Hash {
			return fmt.Errorf("%w: transaction %s hashes to %s", chainadapters.ErrForged, stated.Hash, tx.Hash())
		}
		list[i] = tx
	}
	if got := types.DeriveSha(list, trie.NewStackTrie(nil)); got != *raw.TxRoot {
		return fmt.Errorf("%w: transactions root %s, header says %s", chainadapters.ErrForged, got, raw.TxRoot)
	}
	return nil
}

// checkReceiptRoot recomputes the root over all receipts with their logs.
func checkReceiptRoot(raw *rpcBlock, receipts []rpcReceipt) error {
	list := make(types.Receipts, len(receipts))
	for i := range receipts {
		r := &receipts[i]
		if r.Type > lastKnownType {
			return nil
		}
		made := &types.Receipt{Type: uint8(r.Type), Status: uint64(*r.Status), CumulativeGasUsed: uint64(r.TotalGas)}
		for j := range r.Logs {
			l := &r.Logs[j]
			made.Logs = append(made.Logs, &types.Log{Address: l.Address, Topics: l.Topics, Data: l.Data})
		}
		made.Bloom = types.CreateBloom(made)
		list[i] = made
	}
	if raw.ReceiptRoot == nil {
		return fmt.Errorf("%w: header without a receipts root", chainadapters.ErrIncomplete)
	}
	if got := types.DeriveSha(list, trie.NewStackTrie(nil)); got != *raw.ReceiptRoot {
		return fmt.Errorf("%w: receipts root %s, header says %s", chainadapters.ErrForged, got, raw.ReceiptRoot)
	}
	return nil
}
