package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// rpcHeader is what we read of a block's header.
type rpcHeader struct {
	Hash    maybe[common.Hash]
	Parent  maybe[common.Hash]
	Number  maybe[uint64]
	Time    maybe[uint64]
	BaseFee maybe[uint256.Int]
}

func headerFields() []field[rpcHeader] {
	return []field[rpcHeader]{
		{"number", func(r *reader, h *rpcHeader) { optional(r, &h.Number, (*reader).uint) }},
		{"hash", func(r *reader, h *rpcHeader) { optional(r, &h.Hash, (*reader).hash) }},
		{"parentHash", func(r *reader, h *rpcHeader) { optional(r, &h.Parent, (*reader).hash) }},
		{"timestamp", func(r *reader, h *rpcHeader) { optional(r, &h.Time, (*reader).uint) }},
		{"baseFeePerGas", func(r *reader, h *rpcHeader) { optional(r, &h.BaseFee, (*reader).word) }},
	}
}

func (h *rpcHeader) read(r *reader) { fields[rpcHeader]{known: headerFields()}.read(r, h) }

// rpcBlock is a block with its transactions.
type rpcBlock struct {
	rpcHeader

	TxRoot       maybe[common.Hash]
	ReceiptRoot  maybe[common.Hash]
	Transactions []rpcTransaction
	sealed       []byte // the members that are hashed, as the node wrote them, each after a comma
	foreign      bool   // it has members that are not Ethereum's
}

// read reads the block, and keeps the members of its header to be hashed.
func (b *rpcBlock) read(r *reader) {
	kept := func(read func(*reader, *rpcBlock), name string) func(*reader, *rpcBlock) {
		return func(r *reader, b *rpcBlock) {
			r.peek()
			begin := r.at
			read(r, b)
			b.keep(name, r.data[begin:r.at])
		}
	}
	txs := transactionFields()
	f := fields[rpcBlock]{known: []field[rpcBlock]{
		{"transactions", func(r *reader, b *rpcBlock) { b.Transactions = readList(r, txs, usualTransactions) }},
		{"transactionsRoot", kept(func(r *reader, b *rpcBlock) { optional(r, &b.TxRoot, (*reader).hash) }, "transactionsRoot")},
		{"receiptsRoot", kept(func(r *reader, b *rpcBlock) { optional(r, &b.ReceiptRoot, (*reader).hash) }, "receiptsRoot")},
	}}
	for _, h := range headerFields() {
		read := func(r *reader, b *rpcBlock) { h.read(r, &b.rpcHeader) }
		if h.name != "hash" {
			read = kept(read, h.name)
		}
		f.known = append(f.known, field[rpcBlock]{h.name, read})
	}
	for _, name := range sealedMembers() {
		f.known = append(f.known, field[rpcBlock]{name, kept(func(r *reader, _ *rpcBlock) { r.skip() }, name)})
	}
	for _, name := range []string{"size", "totalDifficulty", "uncles", "withdrawals"} { // beside what is hashed
		f.known = append(f.known, field[rpcBlock]{name, func(r *reader, _ *rpcBlock) { r.skip() }})
	}
	f.other = func(r *reader, b *rpcBlock, _ []byte) {
		b.foreign = true
		r.skip()
	}
	f.read(r, b)
}

func (b *rpcBlock) keep(name string, value []byte) {
	b.sealed = append(b.sealed, `,"`...)
	b.sealed = append(b.sealed, name...)
	b.sealed = append(b.sealed, `":`...)
	b.sealed = append(b.sealed, value...)
}

// usualTransactions is how many transactions a block is expected to have.
const usualTransactions = 256

// rpcTransaction is what we read of a transaction. What only its hash needs stays
// as the node wrote it: other chains write there what they like.
type rpcTransaction struct {
	Hash        common.Hash
	From        maybe[common.Address]
	To          maybe[common.Address] // not set: creates a contract
	Value       maybe[uint256.Int]
	Nonce       maybe[uint64]
	BlockHash   maybe[common.Hash] // not set: in the pool
	BlockNumber maybe[uint64]
	Index       maybe[uint64]
	Input       maybe[[]byte]
	Type        uint64
	sealed      [sealedCount][]byte
}

// The members of a transaction that only its hash needs.
const (
	sealedGas = iota
	sealedGasPrice
	sealedFeeCap
	sealedTipCap
	sealedBlobCap
	sealedChain
	sealedAccess
	sealedBlobs
	sealedAuth
	sealedV
	sealedR
	sealedS
	sealedParity
	sealedCount
)

func sealedNames() [sealedCount]string {
	return [sealedCount]string{
		sealedGas: "gas", sealedGasPrice: "gasPrice", sealedFeeCap: "maxFeePerGas", sealedTipCap: "maxPriorityFeePerGas",
		sealedBlobCap: "maxFeePerBlobGas", sealedChain: "chainId", sealedAccess: "accessList", sealedBlobs: "blobVersionedHashes",
		sealedAuth: "authorizationList", sealedV: "v", sealedR: "r", sealedS: "s", sealedParity: "yParity",
	}
}

func transactionFields() fields[rpcTransaction] {
	f := []field[rpcTransaction]{
		{"blockHash", func(r *reader, t *rpcTransaction) { optional(r, &t.BlockHash, (*reader).hash) }},
		{"blockNumber", func(r *reader, t *rpcTransaction) { optional(r, &t.BlockNumber, (*reader).uint) }},
		{"from", func(r *reader, t *rpcTransaction) { optional(r, &t.From, (*reader).address) }},
		{"hash", func(r *reader, t *rpcTransaction) { r.hash(&t.Hash) }},
		{"input", func(r *reader, t *rpcTransaction) { optional(r, &t.Input, (*reader).bytes) }},
		{"nonce", func(r *reader, t *rpcTransaction) { optional(r, &t.Nonce, (*reader).uint) }},
		{"to", func(r *reader, t *rpcTransaction) { optional(r, &t.To, (*reader).address) }},
		{"transactionIndex", func(r *reader, t *rpcTransaction) { optional(r, &t.Index, (*reader).uint) }},
		{"value", func(r *reader, t *rpcTransaction) { optional(r, &t.Value, (*reader).word) }},
		{"type", func(r *reader, t *rpcTransaction) { r.uint(&t.Type) }},
	}
	for i, name := range sealedNames() {
		f = append(f, field[rpcTransaction]{name, func(r *reader, t *rpcTransaction) {
			if !r.null() {
				t.sealed[i] = r.raw()
			}
		}})
	}
	return fields[rpcTransaction]{known: f}
}

func (t *rpcTransaction) read(r *reader) { transactionFields().read(r, t) }

// rpcReceipt is what we read of a receipt.
type rpcReceipt struct {
	TxHash      common.Hash
	BlockHash   common.Hash
	BlockNumber uint64
	Index       uint64
	Status      maybe[uint64] // not set before Byzantium, which we do not read
	GasUsed     uint64
	TotalGas    uint64
	Type        uint64
	GasPrice    maybe[uint256.Int]
	Logs        []rpcLog
	bloom       []byte // as the node wrote it
}

func receiptFields() fields[rpcReceipt] {
	logs := logFields()
	const usualLogs = 4
	return fields[rpcReceipt]{known: []field[rpcReceipt]{
		{"blockHash", func(r *reader, x *rpcReceipt) { r.hash(&x.BlockHash) }},
		{"blockNumber", func(r *reader, x *rpcReceipt) { r.uint(&x.BlockNumber) }},
		{"cumulativeGasUsed", func(r *reader, x *rpcReceipt) { r.uint(&x.TotalGas) }},
		{"effectiveGasPrice", func(r *reader, x *rpcReceipt) { optional(r, &x.GasPrice, (*reader).word) }},
		{"gasUsed", func(r *reader, x *rpcReceipt) { r.uint(&x.GasUsed) }},
		{"logs", func(r *reader, x *rpcReceipt) { x.Logs = readList(r, logs, usualLogs) }},
		{"logsBloom", func(r *reader, x *rpcReceipt) { x.bloom = r.raw() }},
		{"status", func(r *reader, x *rpcReceipt) { optional(r, &x.Status, (*reader).uint) }},
		{"transactionHash", func(r *reader, x *rpcReceipt) { r.hash(&x.TxHash) }},
		{"transactionIndex", func(r *reader, x *rpcReceipt) { r.uint(&x.Index) }},
		{"type", func(r *reader, x *rpcReceipt) { r.uint(&x.Type) }},
	}}
}

func (x *rpcReceipt) read(r *reader) { receiptFields().read(r, x) }

// rpcReceipts are the receipts of a block.
type rpcReceipts []rpcReceipt

func (l *rpcReceipts) read(r *reader) { *l = readList(r, receiptFields(), usualTransactions) }

// rpcLog is one event.
type rpcLog struct {
	Address     common.Address
	Topics      []common.Hash
	Data        []byte
	BlockHash   common.Hash
	BlockNumber uint64
	TxHash      common.Hash
	Index       uint64
	Removed     bool
}

func logFields() fields[rpcLog] {
	return fields[rpcLog]{known: []field[rpcLog]{
		{"address", func(r *reader, l *rpcLog) { r.address(&l.Address) }},
		{"topics", func(r *reader, l *rpcLog) { r.hashes(&l.Topics) }},
		{"data", func(r *reader, l *rpcLog) { r.bytes(&l.Data) }},
		{"blockNumber", func(r *reader, l *rpcLog) { r.uint(&l.BlockNumber) }},
		{"transactionHash", func(r *reader, l *rpcLog) { r.hash(&l.TxHash) }},
		{"blockHash", func(r *reader, l *rpcLog) { r.hash(&l.BlockHash) }},
		{"logIndex", func(r *reader, l *rpcLog) { r.uint(&l.Index) }},
		{"removed", func(r *reader, l *rpcLog) { r.plain(&l.Removed) }},
	}}
}

// rpcLogs are the events that a filter found.
type rpcLogs []rpcLog

func (l *rpcLogs) read(r *reader) { *l = readList(r, logFields(), usualTransactions) }
