package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"strongroom/chainadapters"
)

// plainGas is what a transfer of native value costs that runs no code. Whoever
// used no more has moved nothing on.
const plainGas = 21_000

// maxCallDepth is the EVM's own bound on nested calls, and one for the top.
const maxCallDepth = 1025

// maxInternal bounds the movements of one transaction: the EVM's gas allows far
// fewer.
const maxInternal = 1 << 20

// callFrame is what we read of one call, as geth's callTracer describes it.
type callFrame struct {
	Type   string
	From   common.Address
	To     maybe[common.Address]
	Value  maybe[uint256.Int]
	Undone bool // it and all that it called
	Calls  []callFrame
}

func frameFields() *fields[callFrame] {
	f := new(fields[callFrame])
	f.known = []field[callFrame]{
		{"from", func(r *reader, c *callFrame) { r.address(&c.From) }},
		{"to", func(r *reader, c *callFrame) { optional(r, &c.To, (*reader).address) }},
		{"error", func(r *reader, c *callFrame) { c.Undone = r.words() != "" }},
		{"calls", func(r *reader, c *callFrame) { c.Calls = readList(r, *f, 0) }},
		{"value", func(r *reader, c *callFrame) { optional(r, &c.Value, (*reader).word) }},
		{"type", func(r *reader, c *callFrame) { c.Type = r.words() }},
	}
	return f
}

// txTrace is the trace of one transaction.
type txTrace struct {
	TxHash maybe[common.Hash] // older nodes leave it out
	Result maybe[callFrame]
	Error  string
}

// txTraces are the traces of a block.
type txTraces []txTrace

func (l *txTraces) read(r *reader) {
	frames := frameFields()
	*l = readList(r, fields[txTrace]{known: []field[txTrace]{
		{"txHash", func(r *reader, t *txTrace) { optional(r, &t.TxHash, (*reader).hash) }},
		{"result", func(r *reader, t *txTrace) {
			optional(r, &t.Result, func(r *reader, c *callFrame) { frames.read(r, c) })
		}},
		{"error", func(r *reader, t *txTrace) { t.Error = r.words() }},
	}}, usualTransactions)
}

// internal reads what native value contracts sent onward, by transaction. traced
// is false where the node cannot say: it has no tracer, gave up, or its answer
// exceeds our bounds, which a block can be made to do. A plain block needs none.
func (a *Adapter) internal(ctx context.Context, raw *rpcBlock, receipts []rpcReceipt, names *names) (moved map[common.Hash][]chainadapters.Movement, traced bool, err error) {
	if !ranCode(receipts) {
		return nil, true, nil
	}
	if a.isMute() {
		return nil, false, nil
	}
	// Only the calls are of interest: no logs, no state.
	traces, err := ask[txTraces](ctx, a.rpc, "debug_traceBlockByHash", raw.Hash.V, map[string]any{"tracer": "callTracer"})
	switch {
	case err != nil && ctx.Err() == nil && a.cannotTrace(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case traces == nil || len(*traces) != len(raw.Transactions):
		return nil, false, fmt.Errorf("%w: not one trace for each of %d transactions", chainadapters.ErrIncomplete, len(raw.Transactions))
	}
	return internalOf(raw, receipts, *traces, names)
}

// internalOf reads the traces of a block, one per transaction.
func internalOf(raw *rpcBlock, receipts []rpcReceipt, traces []txTrace, names *names) (moved map[common.Hash][]chainadapters.Movement, traced bool, err error) {
	moved = make(map[common.Hash][]chainadapters.Movement)
	for i := range traces {
		tx, trace := &raw.Transactions[i], &traces[i]
		if trace.Error != "" { // the node gave up on this one
			return nil, false, nil
		}
		if err := sameCall(tx, trace, &receipts[i]); err != nil {
			return nil, false, err
		}
		if receipts[i].Status.V != statusSuccess {
			continue
		}
		if moved[tx.Hash], err = trace.Result.V.movements(hashText(tx.Hash), names); err != nil {
			return nil, false, err
		}
	}
	return moved, true, nil
}

// ranCode reports whether any transaction of a block can have run code.
func ranCode(receipts []rpcReceipt) bool {
	for i := range receipts {
		if receipts[i].Status.V == statusSuccess && receipts[i].GasUsed > plainGas {
			return true
		}
	}
	return false
}

func (a *Adapter) isMute() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mute
}

// cannotTrace tells a node that does not trace, or not this block, from one that
// cannot be reached. A node without the method is not asked again until another
// connection is made.
func (a *Adapter) cannotTrace(err error) bool {
	var said *NodeError
	switch {
	case errors.As(err, &said):
		if said.Code == codeNoMethod || said.Code == codeNoSupport {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.mute = true
		}
		return true
	case errors.Is(err, errTooLarge), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	return false
}

// sameCall makes sure that a trace is of this transaction and ended as its
// receipt says.
func sameCall(tx *rpcTransaction, trace *txTrace, receipt *rpcReceipt) error {
	top := &trace.Result.V
	same := trace.Result.Set && (!trace.TxHash.Set || trace.TxHash.V == tx.Hash) && top.From == tx.From.V &&
		(!tx.To.Set || (top.To.Set && top.To.V == tx.To.V)) &&
		(!top.Value.Set || top.Value.V == tx.Value.V) &&
		top.Undone != (receipt.Status.V == statusSuccess)
	if !same {
		return fmt.Errorf("%w: trace of %s is of another transaction or ended otherwise", chainadapters.ErrIncomplete, tx.Hash)
	}
	return nil
}

// movements lists the native value that was moved below the top call, which is
// the transaction's own, in order of execution.
func (f *callFrame) movements(txid string, names *names) ([]chainadapters.Movement, error) {
	var found []chainadapters.Movement
	var walk func(frame *callFrame, depth int) error
	walk = func(frame *callFrame, depth int) error {
		if frame.Undone {
			return nil
		}
		if depth > maxCallDepth || len(found) > maxInternal {
			return fmt.Errorf("%w: trace of %s goes beyond what the EVM allows", chainadapters.ErrIncomplete, txid)
		}
		if depth > 0 && frame.moves() {
			found = append(found, chainadapters.Movement{
				TxID: txid, Index: chainadapters.InternalIndex + uint32(len(found)), //nolint:gosec // bounded by maxInternal
				From: names.of(frame.From), To: names.of(frame.To.V), Amount: units(&frame.Value.V),
			})
		}
		for i := range frame.Calls {
			if err := walk(&frame.Calls[i], depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return found, walk(f, 0)
}

// moves reports whether the frame itself moved native value to somebody else.
// Delegated calls name a value that they do not move.
func (f *callFrame) moves() bool {
	switch f.Type {
	case "CALL", "CREATE", "CREATE2", "SELFDESTRUCT":
		return f.To.Set && f.Value.Set && !f.Value.V.IsZero() && f.From != f.To.V
	default:
		return false
	}
}
