package multisig

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/money"
)

// sequenceLocked is the highest sequence that lets a lock time count.
const sequenceLocked = 0xfffffffe

// known is a PSBT that was inspected.
type known struct {
	packet *psbt.Packet
	effect *Effect
	places []*place // of the inputs
	spent  []*wire.TxOut
	hashes *txscript.TxSigHashes
	signed [][]bool // by input and cosigner
}

// Inspect says what a PSBT does, after it has made sure of all of it: every input is
// a coin of this vault, with the script that its own keys give and an amount that the
// previous transaction proves; what it calls change goes to the vault's change
// branch; fee and rate are not absurd; signatures cover everything and are valid; and
// there is no field beyond those that a vault needs. names are addresses that the
// caller knows, in canonical form, and how to call them. Errors wrap ErrPSBT, where
// the bytes are not such a PSBT, or ErrRefused, and give the reason.
func (w *Wallet) Inspect(raw []byte, names map[string]string) (*Effect, error) {
	k, err := w.inspect(raw, names)
	if err != nil {
		return nil, err
	}
	return k.effect, nil
}

func (w *Wallet) inspect(raw []byte, names map[string]string) (*known, error) {
	packet, err := parse(raw)
	if err != nil {
		return nil, err
	}
	tx := packet.UnsignedTx
	if tx.Version != txVersion {
		return nil, fmt.Errorf("%w: transaction version %d, not %d", ErrRefused, tx.Version, txVersion)
	}
	k := &known{packet: packet, effect: &Effect{
		Network: w.params.Name, Vault: w.ID(), K: w.vault.K, Keys: len(w.accounts),
		TxID: tx.TxHash().String(), LockTime: tx.LockTime, Signed: []string{}, Payments: []Paid{},
	}}
	total, err := w.inspectInputs(k)
	if err != nil {
		return nil, err
	}
	paid, err := w.inspectOutputs(k, names)
	if err != nil {
		return nil, err
	}
	if err := w.inspectFee(k, total, paid); err != nil {
		return nil, err
	}
	if err := w.inspectSignatures(k); err != nil {
		return nil, err
	}
	return k, nil
}

func (w *Wallet) inspectInputs(k *known) (uint64, error) {
	var total uint64
	seen := make(map[wire.OutPoint]bool)
	allFinal := true
	for i, in := range k.packet.UnsignedTx.TxIn {
		if seen[in.PreviousOutPoint] {
			return 0, fmt.Errorf("%w: input %d spends coin %s again", ErrRefused, i, in.PreviousOutPoint)
		}
		seen[in.PreviousOutPoint] = true
		if in.Sequence < replaceable {
			return 0, fmt.Errorf("%w: input %d has sequence %#x, which locks it relatively or for no known purpose", ErrRefused, i, in.Sequence)
		}
		k.effect.Replaceable = k.effect.Replaceable || in.Sequence == replaceable
		allFinal = allFinal && in.Sequence > sequenceLocked
		p, out, err := w.inspectInput(in.PreviousOutPoint, &k.packet.Inputs[i])
		if err != nil {
			return 0, fmt.Errorf("input %d: %w", i, err)
		}
		if total, err = plus(total, out.Value); err != nil {
			return 0, fmt.Errorf("%w: input %d: %w", ErrRefused, i, err)
		}
		address, _ := w.params.Address(p.output)
		k.places, k.spent = append(k.places, p), append(k.spent, out)
		k.effect.Inputs = append(k.effect.Inputs, Spent{
			TxID: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index,
			Branch: p.branch, Index: p.index, Address: address, Amount: units(out.Value),
		})
	}
	if k.effect.LockTime != 0 && allFinal {
		return 0, fmt.Errorf("%w: lock time %d, which no input lets count", ErrRefused, k.effect.LockTime)
	}
	return total, nil
}

// inspectInput proves that a coin is the vault's, and what it holds.
func (w *Wallet) inspectInput(coin wire.OutPoint, in *psbt.PInput) (*place, *wire.TxOut, error) {
	switch {
	case in.SighashType != 0 && in.SighashType != txscript.SigHashAll:
		return nil, nil, fmt.Errorf("%w: asks for signatures of type %#x, which do not cover the whole transaction", ErrRefused, uint32(in.SighashType))
	case in.NonWitnessUtxo == nil:
		return nil, nil, fmt.Errorf("%w: without its previous transaction, which proves the amount", ErrRefused)
	case in.WitnessUtxo == nil:
		return nil, nil, fmt.Errorf("%w: without its witness UTXO", ErrRefused)
	case in.NonWitnessUtxo.TxHash() != coin.Hash:
		return nil, nil, fmt.Errorf("%w: the previous transaction is %s, and the coin is of %s", ErrRefused, in.NonWitnessUtxo.TxHash(), coin.Hash)
	case uint64(coin.Index) >= uint64(len(in.NonWitnessUtxo.TxOut)):
		return nil, nil, fmt.Errorf("%w: the previous transaction has no output %d", ErrRefused, coin.Index)
	}
	out := in.NonWitnessUtxo.TxOut[coin.Index]
	if in.WitnessUtxo.Value != out.Value {
		return nil, nil, fmt.Errorf("%w: says %d base units, the previous transaction says %d", ErrRefused, in.WitnessUtxo.Value, out.Value)
	}
	if !bytes.Equal(in.WitnessUtxo.PkScript, out.PkScript) {
		return nil, nil, fmt.Errorf("%w: its witness UTXO has another script than the previous transaction", ErrRefused)
	}
	p, err := w.placeOf(in.Bip32Derivation)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(out.PkScript, p.output) {
		return nil, nil, fmt.Errorf("%w: the coin is not of the vault's address %d/%d", ErrRefused, p.branch, p.index)
	}
	if !bytes.Equal(in.WitnessScript, p.witness) {
		return nil, nil, fmt.Errorf("%w: its witness script is not that of the vault's address %d/%d", ErrRefused, p.branch, p.index)
	}
	in.NonWitnessUtxo = withoutWitness(in.NonWitnessUtxo)
	return p, out, nil
}

func (w *Wallet) inspectOutputs(k *known, names map[string]string) (uint64, error) {
	var paid uint64
	for i, out := range k.packet.UnsignedTx.TxOut {
		address, ok := w.params.Address(out.PkScript)
		if !ok {
			return 0, fmt.Errorf("%w: output %d pays to no address: script %.100x", ErrRefused, i, out.PkScript)
		}
		var err error
		if paid, err = plus(paid, out.Value); err != nil {
			return 0, fmt.Errorf("%w: output %d: %w", ErrRefused, i, err)
		}
		if uint64(out.Value) < w.params.Dust { //nolint:gosec // plus bounds it
			return 0, fmt.Errorf("%w: output %d of %d is dust, which nodes do not relay", ErrRefused, i, out.Value)
		}
		o := &k.packet.Outputs[i]
		if o.WitnessScript == nil && len(o.Bip32Derivation) == 0 {
			k.effect.Payments = append(k.effect.Payments, Paid{Address: address, Amount: units(out.Value), Name: names[address]})
			continue
		}
		if err := w.inspectChange(k, o, out, address); err != nil {
			return 0, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return paid, nil
}

// inspectChange makes sure that what calls itself change is.
func (w *Wallet) inspectChange(k *known, o *psbt.POutput, out *wire.TxOut, address string) error {
	p, err := w.placeOf(o.Bip32Derivation)
	switch {
	case err != nil:
		return fmt.Errorf("foreign change: %w", err)
	case p.branch != Change:
		return fmt.Errorf("%w: change to branch %d, not to the change branch", ErrRefused, p.branch)
	case !bytes.Equal(out.PkScript, p.output):
		return fmt.Errorf("%w: foreign change: %s is not the vault's address 1/%d", ErrRefused, address, p.index)
	case !bytes.Equal(o.WitnessScript, p.witness):
		return fmt.Errorf("%w: foreign change: its witness script is not that of the vault's address 1/%d", ErrRefused, p.index)
	case k.effect.Change != nil:
		return fmt.Errorf("%w: a second change output", ErrRefused)
	}
	k.effect.Change = &Kept{Address: address, Index: p.index, Amount: units(out.Value)}
	return nil
}

func (w *Wallet) inspectFee(k *known, total, paid uint64) error {
	if paid >= total {
		return fmt.Errorf("%w: outputs of %d from inputs of %d", ErrRefused, paid, total)
	}
	tx := k.packet.UnsignedTx
	fee, size := total-paid, virtual(w.weight(len(tx.TxIn), tx.TxOut))
	rate := fee * perKVB / size
	switch {
	case rate < MinSatPerKVB:
		return fmt.Errorf("%w: fee of %d for %d virtual bytes, which nodes do not relay", ErrRefused, fee, size)
	case fee > feeFor(size*perByte, MaxSatPerKVB):
		return fmt.Errorf("%w: absurd fee: %d for %d virtual bytes", ErrRefused, fee, size)
	case fee > total/maxFeeShare:
		return fmt.Errorf("%w: absurd fee: %d of %d that are spent", ErrRefused, fee, total)
	}
	k.effect.Total, k.effect.Fee = money.FromUint64(total), money.FromUint64(fee)
	k.effect.SatPerKVB, k.effect.VSize = rate, size
	return nil
}

// units are of an amount that plus has seen.
func units(value int64) money.Units { return money.FromUint64(uint64(value)) } //nolint:gosec // positive
