package evm

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
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

// sealedMembers are the members of a block that are hashed and that nothing else
// is read of.
func sealedMembers() []string {
	return []string{
		"sha3Uncles", "miner", "stateRoot", "logsBloom", "difficulty", "gasLimit", "gasUsed", "extraData", "mixHash", "nonce",
		"withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash", "blockAccessListHash", "slotNumber",
	}
}

// checkHeader recomputes the hash of a block's header. ErrForged where it is not
// the hash that was asked for.
func checkHeader(block *rpcBlock, want common.Hash) error {
	if block.foreign {
		return nil
	}
	text := append([]byte{'{'}, bytes.TrimPrefix(block.sealed, []byte{','})...)
	header := new(types.Header)
	if err := header.UnmarshalJSON(append(text, '}')); err != nil {
		return fmt.Errorf("%w: header: %w", chainadapters.ErrIncomplete, err)
	}
	if got := header.Hash(); got != want {
		return fmt.Errorf("%w: header of block %s hashes to %s", chainadapters.ErrForged, want, got)
	}
	return nil
}

// sealedList is a list whose root is part of a header, each element in the form
// that is hashed.
type sealedList struct {
	bytes []byte
	ends  []int
}

// newSealedList makes room for so many elements of the usual size.
func newSealedList(n int) *sealedList {
	const usual = 512
	return &sealedList{bytes: make([]byte, 0, n*usual), ends: make([]int, 0, n)}
}

// Len implements types.DerivableList.
func (l *sealedList) Len() int { return len(l.ends) }

// EncodeIndex implements types.DerivableList.
func (l *sealedList) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l.element(i)) }

func (l *sealedList) element(i int) []byte {
	begin := 0
	if i > 0 {
		begin = l.ends[i-1]
	}
	return l.bytes[begin:l.ends[i]]
}

// add appends what write encodes, after the type that EIP-2718 puts before it.
func (l *sealedList) add(kind uint64, write func(rlp.EncoderBuffer)) {
	if kind != types.LegacyTxType {
		l.bytes = append(l.bytes, byte(kind)) //nolint:gosec // at most lastKnownType
	}
	w := rlp.NewEncoderBuffer(nil)
	list := w.List()
	write(w)
	w.ListEnd(list)
	l.bytes = w.AppendToBytes(l.bytes)
	_ = w.Flush() // gives the buffer back; there is nowhere to write to
	l.ends = append(l.ends, len(l.bytes))
}

func (l *sealedList) root() common.Hash { return types.DeriveSha(l, trie.NewStackTrie(nil)) }

// checkTxRoot recomputes every transaction's hash and the root over all of them.
func checkTxRoot(raw *rpcBlock) error {
	list := newSealedList(len(raw.Transactions))
	for i := range raw.Transactions {
		stated := &raw.Transactions[i]
		if stated.Type > lastKnownType {
			return nil
		}
		if err := stated.seal(list); err != nil {
			return fmt.Errorf("%w: transaction %s: %w", chainadapters.ErrIncomplete, stated.Hash, err)
		}
		if got := crypto.Keccak256Hash(list.element(i)); got != stated.Hash {
			return fmt.Errorf("%w: transaction %s hashes to %s", chainadapters.ErrForged, stated.Hash, got)
		}
	}
	if got := list.root(); got != raw.TxRoot.V {
		return fmt.Errorf("%w: transactions root %s, header says %s", chainadapters.ErrForged, got, raw.TxRoot.V)
	}
	return nil
}

// checkReceiptRoot recomputes the root over all receipts with their logs. Their
// blooms are part of it: the ones that the node tells are tried first, and where
// they do not fit, the ones that the logs make.
func checkReceiptRoot(raw *rpcBlock, receipts []rpcReceipt) error {
	for i := range receipts {
		if receipts[i].Type > lastKnownType {
			return nil
		}
	}
	if !raw.ReceiptRoot.Set {
		return fmt.Errorf("%w: header without a receipts root", chainadapters.ErrIncomplete)
	}
	if told, all := sealReceipts(receipts, toldBloom); all && told.root() == raw.ReceiptRoot.V {
		return nil
	}
	made, _ := sealReceipts(receipts, madeBloom)
	if got := made.root(); got != raw.ReceiptRoot.V {
		return fmt.Errorf("%w: receipts root %s, header says %s", chainadapters.ErrForged, got, raw.ReceiptRoot.V)
	}
	return nil
}

// sealReceipts encodes receipts; all is false where a bloom is lacking.
func sealReceipts(receipts []rpcReceipt, bloomOf func(*rpcReceipt) (types.Bloom, bool)) (list *sealedList, all bool) {
	list = newSealedList(len(receipts))
	for i := range receipts {
		r := &receipts[i]
		bloom, has := bloomOf(r)
		if !has {
			return nil, false
		}
		list.add(r.Type, func(w rlp.EncoderBuffer) {
			w.WriteUint64(r.Status.V)
			w.WriteUint64(r.TotalGas)
			w.WriteBytes(bloom[:])
			logs := w.List()
			for j := range r.Logs {
				r.Logs[j].seal(w)
			}
			w.ListEnd(logs)
		})
	}
	return list, true
}

func (l *rpcLog) seal(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteBytes(l.Address[:])
	topics := w.List()
	for k := range l.Topics {
		w.WriteBytes(l.Topics[k][:])
	}
	w.ListEnd(topics)
	w.WriteBytes(l.Data)
	w.ListEnd(list)
}

// toldBloom is the bloom that the node tells.
func toldBloom(x *rpcReceipt) (bloom types.Bloom, has bool) {
	r := &reader{data: x.bloom}
	r.fixed(bloom[:])
	return bloom, r.err == nil
}

// madeBloom is the bloom that the logs make.
func madeBloom(x *rpcReceipt) (bloom types.Bloom, has bool) {
	for i := range x.Logs {
		bloom.Add(x.Logs[i].Address[:])
		for j := range x.Logs[i].Topics {
			bloom.Add(x.Logs[i].Topics[j][:])
		}
	}
	return bloom, true
}
