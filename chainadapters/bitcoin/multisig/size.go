package multisig

import (
	"github.com/btcsuite/btcd/wire/v2"
)

// Sizes in weight units (BIP 141): a byte outside the witness weighs four.
const (
	perByte    = 4
	perKVB     = 1_000
	baseWeight = (4+4)*perByte + 2 // version, lock time; what marks a witness
	// signatureBytes is a low-S signature at its longest, with its sighash byte.
	// One in two is a byte shorter: that is all that the estimate is above.
	signatureBytes = 72
	inputBytes     = 36 + 1 + 4 // outpoint, empty script, sequence
	outputBytes    = 8 + 1      // value, length of a short script
	scriptHashOut  = 34         // a P2WSH output script
)

// Limits of what is built and read.
const (
	MaxInputs  = 100
	MaxOutputs = 100
	// MaxBytes bounds a PSBT, with its previous transactions.
	MaxBytes = 4 << 20
	// maxSatoshi is all that can exist on a network of this family (84 million
	// coins, Litecoin's number).
	maxSatoshi = 84_000_000 * 100_000_000
	// MinSatPerKVB is the fee that nodes relay, in base units per 1,000 virtual bytes.
	MinSatPerKVB = 1_000
	// MaxSatPerKVB is where a fee gets absurd.
	MaxSatPerKVB = 500_000
	// maxFeeShare: a fee of more than a tenth of what is spent is absurd.
	maxFeeShare = 10
	// longTermSatPerKVB is the rate at which change is expected to be spent.
	longTermSatPerKVB = 10_000
)

// inputWeight is what an input of the vault weighs when it is signed by K.
func (w *Wallet) inputWeight() int {
	script := 1 + len(w.accounts)*(1+publicKeyBytes) + 2
	witness := 1 + 1 + w.vault.K*(1+signatureBytes) + wire.VarIntSerializeSize(uint64(script)) + script
	return inputBytes*perByte + witness
}

// weight is the most that a signed transaction with these outputs weighs.
func (w *Wallet) weight(inputs int, outs []*wire.TxOut) uint64 {
	total := baseWeight + inputs*w.inputWeight()
	total += perByte * (wire.VarIntSerializeSize(uint64(inputs)) + wire.VarIntSerializeSize(uint64(len(outs)))) //nolint:gosec // counts
	for _, out := range outs {
		total += perByte * out.SerializeSize()
	}
	return uint64(total) //nolint:gosec // a sum of sizes
}

// virtual is a weight in virtual bytes.
func virtual(weight uint64) uint64 { return (weight + perByte - 1) / perByte }

// feeFor is what a weight costs at a rate, rounded up to whole virtual bytes and
// then to whole base units.
func feeFor(weight, satPerKVB uint64) uint64 {
	return (virtual(weight)*satPerKVB + perKVB - 1) / perKVB
}

// minChange is the least change that is worth making: more than dust, and more than
// it costs to make and to spend at the usual rate.
func (w *Wallet) minChange() uint64 {
	own := uint64(w.inputWeight() + (outputBytes+scriptHashOut)*perByte) //nolint:gosec // small
	return max(w.params.Dust, feeFor(own, longTermSatPerKVB)+1)
}
