package multisig

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Combine puts the signatures of several copies of one PSBT into one. Each copy is
// inspected; copies of another transaction and two different signatures of one key
// are refused. The order of the copies does not matter to the result. Errors wrap
// ErrRefused, or are those of Inspect, with the number of the copy.
func (w *Wallet) Combine(raws ...[]byte) ([]byte, error) {
	if len(raws) == 0 {
		return nil, fmt.Errorf("%w: nothing to combine", ErrPSBT)
	}
	var all *known
	for n, raw := range raws {
		k, err := w.inspect(raw, nil)
		if err != nil {
			return nil, fmt.Errorf("copy %d: %w", n, err)
		}
		if all == nil {
			all = k
			continue
		}
		if all.effect.TxID != k.effect.TxID {
			return nil, fmt.Errorf("%w: copy %d is of transaction %s, copy 0 of %s", ErrRefused, n, k.effect.TxID, all.effect.TxID)
		}
		for i := range k.packet.Inputs {
			if err := take(&all.packet.Inputs[i], k.packet.Inputs[i].PartialSigs); err != nil {
				return nil, fmt.Errorf("copy %d: input %d: %w", n, i, err)
			}
		}
	}
	for i := range all.packet.Inputs {
		// What some copies say and others leave out means the same.
		all.packet.Inputs[i].SighashType = 0
	}
	return w.checked(all.packet, all.effect.TxID)
}

func take(in *psbt.PInput, signatures []*psbt.PartialSig) error {
	for _, signature := range signatures {
		at := slices.IndexFunc(in.PartialSigs, func(s *psbt.PartialSig) bool { return bytes.Equal(s.PubKey, signature.PubKey) })
		switch {
		case at < 0:
			in.PartialSigs = append(in.PartialSigs, signature)
		case !bytes.Equal(in.PartialSigs[at].Signature, signature.Signature):
			return fmt.Errorf("%w: another signature of key %x than a copy before", ErrRefused, signature.PubKey)
		}
	}
	return nil
}

// Finalize makes the transaction out of a PSBT with enough signatures: raw bytes as
// nodes take them, and its id. Each input takes the first K signatures in the order
// of its script, and has passed the script engine with the rules of relaying nodes.
// Errors wrap ErrIncomplete, or are those of Inspect.
func (w *Wallet) Finalize(raw []byte) (tx []byte, txid string, err error) {
	k, err := w.inspect(raw, nil)
	if err != nil {
		return nil, "", err
	}
	signed := k.packet.UnsignedTx.Copy()
	for i, p := range k.places {
		// Below the signatures lies an element that CHECKMULTISIG takes and ignores.
		witness := wire.TxWitness{nil}
		for _, key := range p.keys {
			for _, partial := range k.packet.Inputs[i].PartialSigs {
				if bytes.Equal(partial.PubKey, key.bytes) && len(witness) <= w.vault.K {
					witness = append(witness, partial.Signature)
				}
			}
		}
		if len(witness) != 1+w.vault.K {
			return nil, "", fmt.Errorf("%w: input %d: %d of %d", ErrIncomplete, i, len(witness)-1, w.vault.K)
		}
		witness = append(witness, p.witness)
		signed.TxIn[i].Witness = witness
	}
	if err := k.execute(signed); err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	if err := signed.Serialize(&b); err != nil {
		return nil, "", fmt.Errorf("encode transaction: %w", err)
	}
	return b.Bytes(), signed.TxHash().String(), nil
}

// execute runs every input's script.
func (k *known) execute(tx *wire.MsgTx) error {
	outs := make(map[wire.OutPoint]*wire.TxOut, len(k.spent))
	for i, in := range tx.TxIn {
		outs[in.PreviousOutPoint] = k.spent[i]
	}
	fetcher := txscript.NewMultiPrevOutFetcher(outs)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, out := range k.spent {
		engine, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetcher)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			return fmt.Errorf("%w: input %d does not verify: %w", ErrRefused, i, err)
		}
	}
	return nil
}
