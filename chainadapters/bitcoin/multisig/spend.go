package multisig

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/money"
)

// What every transaction of a vault looks like.
const (
	txVersion   = 2
	replaceable = 0xfffffffd // opts in to replacement (BIP 125) and locks nothing
)

// Coin is a coin of the vault.
type Coin struct {
	// Previous is the transaction that made the coin, as nodes serialize it: it
	// proves the amount.
	Previous []byte `json:"previous"`
	Vout     uint32 `json:"vout"`
	Branch   uint32 `json:"branch"`
	Index    uint32 `json:"index"`
}

// Payment is an output that somebody gets.
type Payment struct {
	To     string      `json:"to"`
	Amount money.Units `json:"amount"`
}

// Spending is what to spend and for what.
type Spending struct {
	Coins    []Coin
	Payments []Payment // none merges the coins into one of the vault's own
	// ChangeIndex is the index of the address on the change branch that gets what
	// remains, where it is worth an output of its own; else the fee has it.
	ChangeIndex uint32
	SatPerKVB   uint64 // fee in base units per 1,000 virtual bytes
}

// Spend builds a PSBT without signatures: all coins in, payments and change out,
// inputs and outputs in the order of BIP 69. Each input has its previous
// transaction, its witness UTXO, its script and the paths of all cosigners. The fee
// is the rate times the size of the signed transaction at its longest. The result
// passes Inspect. Errors wrap ErrPlan, or what Inspect says.
func (w *Wallet) Spend(s Spending) ([]byte, error) {
	if s.SatPerKVB < MinSatPerKVB || s.SatPerKVB > MaxSatPerKVB {
		return nil, fmt.Errorf("%w: fee rate of %d, from %d to %d", ErrPlan, s.SatPerKVB, MinSatPerKVB, MaxSatPerKVB)
	}
	ins, total, err := w.inputs(s.Coins)
	if err != nil {
		return nil, err
	}
	outs, err := w.outputs(s, len(ins), total)
	if err != nil {
		return nil, err
	}
	packet := &psbt.Packet{UnsignedTx: wire.NewMsgTx(txVersion)}
	for _, in := range ins {
		packet.UnsignedTx.AddTxIn(in.tx)
		packet.Inputs = append(packet.Inputs, in.psbt)
	}
	for _, out := range outs {
		packet.UnsignedTx.AddTxOut(out.tx)
		packet.Outputs = append(packet.Outputs, out.psbt)
	}
	raw, err := encode(packet)
	if err != nil {
		return nil, err
	}
	if _, err := w.Inspect(raw, nil); err != nil {
		return nil, err
	}
	return raw, nil
}

type spentCoin struct {
	tx   *wire.TxIn
	psbt psbt.PInput
}

type madeOutput struct {
	tx   *wire.TxOut
	psbt psbt.POutput
}

// inputs turns coins into inputs, and returns what they hold.
func (w *Wallet) inputs(coins []Coin) ([]spentCoin, uint64, error) {
	if len(coins) == 0 || len(coins) > MaxInputs {
		return nil, 0, fmt.Errorf("%w: %d coins, from 1 to %d", ErrPlan, len(coins), MaxInputs)
	}
	ins := make([]spentCoin, len(coins))
	var total uint64
	for i, coin := range coins {
		in, err := w.input(coin)
		if err != nil {
			return nil, 0, fmt.Errorf("coin %d: %w", i, err)
		}
		ins[i] = in
		if total, err = plus(total, in.psbt.WitnessUtxo.Value); err != nil {
			return nil, 0, fmt.Errorf("%w: coin %d: %w", ErrPlan, i, err)
		}
	}
	slices.SortFunc(ins, func(a, b spentCoin) int {
		x, y := a.tx.PreviousOutPoint, b.tx.PreviousOutPoint
		return cmp.Or(cmp.Compare(x.Hash.String(), y.Hash.String()), cmp.Compare(x.Index, y.Index))
	})
	for i := 1; i < len(ins); i++ {
		if ins[i].tx.PreviousOutPoint == ins[i-1].tx.PreviousOutPoint {
			return nil, 0, fmt.Errorf("%w: coin %s is there twice", ErrPlan, ins[i].tx.PreviousOutPoint)
		}
	}
	return ins, total, nil
}

func (w *Wallet) input(coin Coin) (spentCoin, error) {
	previous := new(wire.MsgTx)
	r := bytes.NewReader(coin.Previous)
	if err := previous.Deserialize(r); err != nil || r.Len() != 0 {
		return spentCoin{}, fmt.Errorf("%w: its previous transaction cannot be read: %d bytes left, %w", ErrPlan, r.Len(), cmp.Or(err, ErrPSBT))
	}
	p, err := w.place(coin.Branch, coin.Index)
	if err != nil {
		return spentCoin{}, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	if uint64(coin.Vout) >= uint64(len(previous.TxOut)) || !bytes.Equal(previous.TxOut[coin.Vout].PkScript, p.output) {
		return spentCoin{}, fmt.Errorf("%w: output %d of %s is not of the vault's address %d/%d", ErrPlan, coin.Vout, previous.TxHash(), p.branch, p.index)
	}
	hash := previous.TxHash()
	in := wire.NewTxIn(wire.NewOutPoint(&hash, coin.Vout), nil, nil)
	in.Sequence = replaceable
	out := previous.TxOut[coin.Vout]
	return spentCoin{in, psbt.PInput{
		NonWitnessUtxo: withoutWitness(previous), WitnessUtxo: wire.NewTxOut(out.Value, out.PkScript),
		WitnessScript: p.witness, Bip32Derivation: w.derivations(p),
	}}, nil
}

// withoutWitness leaves out what a transaction's id does not cover, and what proves
// nothing: files get smaller, and the same coin is the same bytes wherever it was
// read.
func withoutWitness(tx *wire.MsgTx) *wire.MsgTx {
	bare := tx.Copy()
	for _, in := range bare.TxIn {
		in.Witness = nil
	}
	return bare
}

// outputs turns payments and what remains into outputs.
func (w *Wallet) outputs(s Spending, inputs int, total uint64) ([]madeOutput, error) {
	if len(s.Payments) >= MaxOutputs {
		return nil, fmt.Errorf("%w: %d payments, fewer than %d", ErrPlan, len(s.Payments), MaxOutputs)
	}
	var outs []madeOutput
	var plain []*wire.TxOut
	var paid uint64
	for i, payment := range s.Payments {
		script, err := w.params.Script(payment.To)
		if err != nil {
			return nil, fmt.Errorf("%w: payment %d: %w", ErrPlan, i, err)
		}
		amount, fits := payment.Amount.Uint64()
		if !fits || amount < w.params.Dust || amount > maxSatoshi {
			return nil, fmt.Errorf("%w: payment %d of %s, from %d", ErrPlan, i, payment.Amount, w.params.Dust)
		}
		out := wire.NewTxOut(int64(amount), script)
		outs, plain, paid = append(outs, madeOutput{tx: out}), append(plain, out), paid+amount
	}
	change, err := w.change(s, inputs, total, paid, plain)
	if err != nil {
		return nil, err
	}
	if change != nil {
		outs = append(outs, *change)
	}
	slices.SortStableFunc(outs, func(a, b madeOutput) int {
		return cmp.Or(cmp.Compare(a.tx.Value, b.tx.Value), bytes.Compare(a.tx.PkScript, b.tx.PkScript))
	})
	return outs, nil
}

// change is the output for what remains, nil where it would not be worth it.
func (w *Wallet) change(s Spending, inputs int, total, paid uint64, plain []*wire.TxOut) (*madeOutput, error) {
	p, err := w.place(Change, s.ChangeIndex)
	if err != nil {
		return nil, fmt.Errorf("%w: change: %w", ErrPlan, err)
	}
	out := wire.NewTxOut(0, p.output)
	without := paid + feeFor(w.weight(inputs, plain), s.SatPerKVB)
	with := paid + feeFor(w.weight(inputs, append(slices.Clone(plain), out)), s.SatPerKVB)
	switch {
	case total < without:
		return nil, fmt.Errorf("%w: coins of %d for %d with fee", ErrPlan, total, without)
	case total >= with+w.minChange():
		out.Value = int64(total - with) //nolint:gosec // total ≤ maxSatoshi
		return &madeOutput{out, psbt.POutput{WitnessScript: p.witness, Bip32Derivation: w.derivations(p)}}, nil
	case len(plain) == 0:
		return nil, fmt.Errorf("%w: coins of %d leave nothing worth an output", ErrPlan, total)
	}
	return nil, nil //nolint:nilnil // no change is an answer
}

// plus adds an amount of a transaction to a sum of such.
func plus(sum uint64, value int64) (uint64, error) {
	if value <= 0 || value > maxSatoshi {
		return 0, fmt.Errorf("amount of %d", value)
	}
	next, carry := bits.Add64(sum, uint64(value), 0)
	if carry != 0 || next > maxSatoshi {
		return 0, errors.New("more than can exist")
	}
	return next, nil
}
