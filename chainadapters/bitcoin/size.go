package bitcoin

import (
	"fmt"
	"math/bits"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
)

// Sizes in weight units (BIP 141): a byte outside the witness weighs four.
const (
	perByte = 4
	// baseWeight: version and lock time, and the two bytes that mark a witness.
	baseWeight = (4+4)*perByte + 2
	// inputWeight: outpoint, empty script and sequence; and the witness of a
	// P2WPKH key with a low-S signature at its longest.
	inputWeight = (36+1+4)*perByte + (1 + 1 + 72 + 1 + 33)
	// outputBytes: value, and the length of a script below 253 bytes.
	outputBytes = 8 + 1
	// changeWeight: an output to a P2WPKH key.
	changeWeight = (outputBytes + 22) * perByte
	perKVB       = 1_000
)

// Limits of what is built.
const (
	maxInputs   = 200
	maxPayments = 100
	// maxSatoshi is all that can exist on a network of this family (84 million
	// coins, Litecoin's number).
	maxSatoshi = 84_000_000 * 100_000_000
	// longTermSatPerKVB is the rate at which change is expected to be spent, and
	// by which spending now is judged early or late.
	longTermSatPerKVB = 10_000
)

// minChange is the least change that is made: more than dust, and more than
// spending it costs at the usual rate. Less goes to the fee.
func minChange(dust uint64) uint64 {
	return max(dust, feeFor(inputWeight, longTermSatPerKVB)+1)
}

// changeWeightBeside is what a change output adds to a transaction with these
// outputs.
func changeWeightBeside(outs []*wire.TxOut) uint64 {
	n := uint64(len(outs))
	return changeWeight + perByte*uint64(wire.VarIntSerializeSize(n+1)-wire.VarIntSerializeSize(n)) //nolint:gosec // never shrinks
}

// weightOf is the weight of a signed transaction with these outputs.
func weightOf(inputs int, outs []*wire.TxOut) uint64 {
	weight := baseWeight + inputs*inputWeight
	weight += perByte * (wire.VarIntSerializeSize(uint64(inputs)) + wire.VarIntSerializeSize(uint64(len(outs)))) //nolint:gosec // counts
	for _, out := range outs {
		weight += perByte * (outputBytes + len(out.PkScript))
	}
	return uint64(weight) //nolint:gosec // a sum of sizes
}

// feeFor is what a weight costs at a rate, rounded up twice: to whole virtual
// bytes, then to whole satoshi.
func feeFor(weight, satPerKVB uint64) uint64 {
	virtual := (weight + perByte - 1) / perByte
	return (virtual*satPerKVB + perKVB - 1) / perKVB
}

// checkRate refuses a fee that is of another family, missing or absurd.
func checkRate(fee chainadapters.Fee) error {
	if fee.SatPerKVB == 0 || fee.SatPerKVB > ceilingSatPerKVB || fee.GasLimit != 0 || !fee.FeeCap.IsZero() || !fee.TipCap.IsZero() {
		return fmt.Errorf("%w: fee of %d sat/kvB", chainadapters.ErrPlan, fee.SatPerKVB)
	}
	return nil
}

// sumOf adds what cannot overflow in a sane plan, and says so where it does.
func sumOf(values ...uint64) (uint64, error) {
	var total uint64
	for _, v := range values {
		next, carry := bits.Add64(total, v, 0)
		if carry != 0 || next > maxSatoshi {
			return 0, fmt.Errorf("%w: more than can exist", chainadapters.ErrPlan)
		}
		total = next
	}
	return total, nil
}
