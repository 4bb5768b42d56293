package bitcoin

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/money"
)

// maxRawBytes bounds a transaction that is decoded or sent: what nodes relay.
const maxRawBytes = 400_000

// Decode implements the port. The form must be canonical and complete: every
// input signed, nothing after the end. A payment to a script without an address
// has an empty To.
func (a *Adapter) Decode(raw []byte) (chainadapters.Signed, error) {
	tx, err := decodeSigned(raw)
	if err != nil {
		return chainadapters.Signed{}, err
	}
	txid := tx.TxHash().String()
	signed := chainadapters.Signed{TxID: txid, Spends: spends(txid, tx), Payments: make([]chainadapters.Payment, len(tx.TxOut))}
	for i, out := range tx.TxOut {
		if out.Value < 0 || out.Value > maxSatoshi {
			return chainadapters.Signed{}, fmt.Errorf("%w: output %d of %d", errTx, i, out.Value)
		}
		to, _ := a.params.Address(out.PkScript)
		signed.Payments[i] = chainadapters.Payment{To: to, Amount: money.FromUint64(uint64(out.Value))}
	}
	return signed, nil
}

func decodeSigned(raw []byte) (*wire.MsgTx, error) {
	if len(raw) > maxRawBytes {
		return nil, fmt.Errorf("%w: %d bytes", errTx, len(raw))
	}
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("%w: %w", errTx, err)
	}
	if len(tx.TxIn) == 0 || len(tx.TxOut) == 0 {
		return nil, fmt.Errorf("%w: no input or no output", errTx)
	}
	for i, in := range tx.TxIn {
		if len(in.Witness) == 0 && len(in.SignatureScript) == 0 {
			return nil, fmt.Errorf("%w: input %d is not signed", errTx, i)
		}
	}
	var again bytes.Buffer
	if err := tx.Serialize(&again); err != nil || !bytes.Equal(again.Bytes(), raw) {
		return nil, fmt.Errorf("%w: not in canonical form", errTx)
	}
	return &tx, nil
}

// Broadcast implements the port. Where the node refuses, it is asked whether it
// has this very transaction already: only that makes a refusal a success, in
// whatever words it came.
func (a *Adapter) Broadcast(ctx context.Context, raw []byte) error {
	tx, err := decodeSigned(raw)
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if err := a.ensure(ctx); err != nil {
		return err
	}
	txid := tx.TxHash().String()
	told, err := must[string](ctx, a.rpc, "sendrawtransaction", hex.EncodeToString(raw))
	if err == nil {
		if told != txid {
			return fmt.Errorf("broadcast %s: %w: the node calls it %s", txid, chainadapters.ErrIncomplete, told)
		}
		return nil
	}
	node, refused := refusal(err)
	if !refused || node.Code == codeNoMethod {
		return fmt.Errorf("broadcast %s: %w", txid, err)
	}
	status, lookErr := a.status(ctx, txid)
	switch {
	case lookErr != nil:
		return fmt.Errorf("broadcast %s: %w; look for it: %w", txid, err, lookErr)
	case status.State == chainadapters.Absent:
		return fmt.Errorf("broadcast %s: %w: %w", txid, chainadapters.ErrRefused, err)
	}
	return nil
}
