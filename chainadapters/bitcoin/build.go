package bitcoin

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/money"
)

// What every transaction of the platform looks like.
const (
	txVersion   = 2
	replaceable = 0xfffffffd // opts in to replacement (BIP 125) and locks nothing
)

// Build implements the port: a PSBT (BIP 174, version 0) with the witness UTXO of
// each input, in the order of plan.Coins. Key paths are in the plan and travel
// beside it: a PSBT names keys by their public key, which a plan does not hold.
// Outputs are ordered by amount, then script (BIP 69). What remains goes to
// ChangeTo, or to the fee where it would not be worth spending again. Without
// ChangeTo it all goes to the fee, up to maxOverpay times what was quoted; more is
// ErrPlan.
func (a *Adapter) Build(plan chainadapters.Plan) (chainadapters.Unsigned, error) {
	if plan.Slot != nil {
		return chainadapters.Unsigned{}, fmt.Errorf("%w: coins have no nonce", chainadapters.ErrPlan)
	}
	if err := checkRate(plan.Fee); err != nil {
		return chainadapters.Unsigned{}, err
	}
	outs, err := a.outputs(plan.Payments)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	packet, total, err := a.inputs(plan.Coins)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	outs, change, err := a.addChange(plan, outs, total)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	spent, err := sumOf(valuesOf(outs)...)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	slices.SortStableFunc(outs, func(x, y *wire.TxOut) int {
		return cmp.Or(cmp.Compare(x.Value, y.Value), bytes.Compare(x.PkScript, y.PkScript))
	})
	packet.UnsignedTx.TxOut = outs
	packet.Outputs = make([]psbt.POutput, len(outs))
	var encoded bytes.Buffer
	if err := packet.Serialize(&encoded); err != nil {
		return chainadapters.Unsigned{}, fmt.Errorf("encode PSBT: %w: %w", chainadapters.ErrPlan, err)
	}
	return chainadapters.Unsigned{
		Bytes: encoded.Bytes(), MaxFee: money.FromUint64(total - spent), Change: money.FromUint64(change),
		Size: (weightOf(len(plan.Coins), outs) + perByte - 1) / perByte,
	}, nil
}

// outputs turns payments into outputs, in their order.
func (a *Adapter) outputs(payments []chainadapters.Payment) ([]*wire.TxOut, error) {
	if len(payments) == 0 || len(payments) > maxPayments {
		return nil, fmt.Errorf("%w: %d payments", chainadapters.ErrPlan, len(payments))
	}
	outs := make([]*wire.TxOut, len(payments))
	for i, p := range payments {
		script, err := a.params.Script(p.To)
		if err != nil {
			return nil, fmt.Errorf("%w: payment %d: %w: %w", chainadapters.ErrPlan, i, chainadapters.ErrAddress, err)
		}
		amount, fits := p.Amount.Uint64()
		if p.Contract != "" || !fits || amount < a.params.Dust || amount > maxSatoshi {
			return nil, fmt.Errorf("%w: payment %d of %s", chainadapters.ErrPlan, i, p.Amount)
		}
		outs[i] = wire.NewTxOut(int64(amount), script)
	}
	return outs, nil
}

// inputs starts a PSBT that spends the coins, and returns their sum.
func (a *Adapter) inputs(coins []chainadapters.Coin) (*psbt.Packet, uint64, error) {
	if len(coins) == 0 || len(coins) > maxInputs {
		return nil, 0, fmt.Errorf("%w: %d coins", chainadapters.ErrPlan, len(coins))
	}
	tx := wire.NewMsgTx(txVersion)
	ins := make([]psbt.PInput, len(coins))
	amounts := make([]uint64, len(coins))
	seen := make(map[chainadapters.Outpoint]bool, len(coins))
	for i, coin := range coins {
		amount, err := a.checkCoin(coin)
		if err != nil {
			return nil, 0, err
		}
		if seen[coin.Outpoint] {
			return nil, 0, fmt.Errorf("%w: coin %s:%d is there twice", chainadapters.ErrPlan, coin.TxID, coin.Vout)
		}
		seen[coin.Outpoint], amounts[i] = true, amount
		hash, _ := parseHash(coin.TxID)
		script, _ := a.params.Script(coin.Address)
		in := wire.NewTxIn(wire.NewOutPoint(&hash, coin.Vout), nil, nil)
		in.Sequence = replaceable
		tx.AddTxIn(in)
		ins[i].WitnessUtxo = wire.NewTxOut(int64(amount), script) //nolint:gosec // checkCoin bounds it
	}
	total, err := sumOf(amounts...)
	return &psbt.Packet{UnsignedTx: tx, Inputs: ins}, total, err
}

// checkCoin makes sure that a coin is one that the signer can spend: of a P2WPKH address
// of this network; or of a P2WSH address, where it is a vault's, which its cosigners spend.
// What a vault's inputs weigh, whoever planned its payment knows: here they count as others.
func (a *Adapter) checkCoin(coin chainadapters.Coin) (uint64, error) {
	if _, err := parseHash(coin.TxID); err != nil {
		return 0, fmt.Errorf("%w: coin %.70q: %w", chainadapters.ErrPlan, coin.TxID, err)
	}
	script, err := a.params.Script(coin.Address)
	length, kind := witnessKeyScript, "key"
	if coin.Path.Account == chainadapters.VaultAccount {
		length, kind = witnessHashScript, "script"
	}
	if err != nil || len(script) != length || script[0] != 0 {
		return 0, fmt.Errorf("%w: coin %s:%d is not of a witness %s", chainadapters.ErrPlan, coin.TxID, coin.Vout, kind)
	}
	amount, fits := coin.Amount.Uint64()
	if !fits || amount == 0 || amount > maxSatoshi {
		return 0, fmt.Errorf("%w: coin %s:%d of %s", chainadapters.ErrPlan, coin.TxID, coin.Vout, coin.Amount)
	}
	return amount, nil
}

// maxOverpay bounds what a plan without change may leave to the fee: it sized its
// payment by an earlier quote, and rates fall.
const maxOverpay = 10

// Lengths of P2WPKH and P2WSH scripts.
const (
	witnessKeyScript  = 22
	witnessHashScript = 34
)

// addChange appends a change output where it is worth it. Its weight is part of
// the fee; without it the remainder is.
func (a *Adapter) addChange(plan chainadapters.Plan, outs []*wire.TxOut, total uint64) ([]*wire.TxOut, uint64, error) {
	paid, err := sumOf(valuesOf(outs)...)
	if err != nil {
		return nil, 0, err
	}
	bare := paid + feeFor(weightOf(len(plan.Coins), outs), plan.Fee.SatPerKVB)
	if total < bare {
		return nil, 0, fmt.Errorf("%w: coins of %d sat for %d with fee", chainadapters.ErrFunds, total, bare)
	}
	if plan.ChangeTo == "" {
		if rest := total - bare; rest > a.params.Dust+maxOverpay*(bare-paid) {
			return nil, 0, fmt.Errorf("%w: %d sat would be lost without change", chainadapters.ErrPlan, rest)
		}
		return outs, 0, nil
	}
	script, err := a.params.Script(plan.ChangeTo)
	if err != nil || len(script) != witnessKeyScript || script[0] != 0 {
		return nil, 0, fmt.Errorf("%w: change to %.100q", chainadapters.ErrPlan, plan.ChangeTo)
	}
	out := wire.NewTxOut(0, script)
	with := append(slices.Clone(outs), out)
	need := paid + feeFor(weightOf(len(plan.Coins), with), plan.Fee.SatPerKVB)
	if total < need+minChange(a.params.Dust) {
		return outs, 0, nil
	}
	change := total - need
	out.Value = int64(change) //nolint:gosec // total ≤ maxSatoshi
	return with, change, nil
}

func valuesOf(outs []*wire.TxOut) []uint64 {
	values := make([]uint64, 0, len(outs)+1)
	for _, out := range outs {
		values = append(values, uint64(out.Value)) //nolint:gosec // outputs are never negative here
	}
	return values
}
