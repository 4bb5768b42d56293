package multisig

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// tampering changes a PSBT that a cosigner has signed; the reason is a part of what
// the refusal must say.
type tampering struct {
	name   string
	change func(p *psbt.Packet)
	reason string
}

// edited applies a change to a copy.
func edited(t fataler, raw []byte, change func(p *psbt.Packet)) []byte {
	t.Helper()
	p, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	change(p)
	again, err := encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func (h *house) tamperings(t *testing.T, stranger *house) []tampering {
	t.Helper()
	theirs := unsignedPacket(t, stranger)
	changeAt := func(p *psbt.Packet) int {
		return slices.IndexFunc(p.Outputs, func(o psbt.POutput) bool { return o.WitnessScript != nil })
	}
	near, _ := h.place(Change, 4)
	receive, _ := h.place(Receive, 3)
	return []tampering{
		{"witness script of another address", func(p *psbt.Packet) { p.Inputs[0].WitnessScript = near.witness }, "witness script is not that"},
		{"witness script missing", func(p *psbt.Packet) { p.Inputs[0].WitnessScript = nil }, "witness script is not that"},
		{"paths missing", func(p *psbt.Packet) { p.Inputs[0].Bip32Derivation = nil }, "does not name the paths"},
		{"a path missing", func(p *psbt.Packet) { p.Inputs[0].Bip32Derivation = p.Inputs[0].Bip32Derivation[:2] }, "paths of 2 keys"},
		{"another path", func(p *psbt.Packet) { p.Inputs[0].Bip32Derivation[1].Bip32Path[2]++ }, "at another path"},
		{"another fingerprint", func(p *psbt.Packet) { p.Inputs[0].Bip32Derivation[1].MasterKeyFingerprint++ }, "at another path"},
		{"another index", func(p *psbt.Packet) {
			for _, d := range p.Inputs[0].Bip32Derivation {
				d.Bip32Path[5]++
			}
		}, "is not one of the vault's"},
		{"index out of bounds", func(p *psbt.Packet) {
			for _, d := range p.Inputs[0].Bip32Derivation {
				d.Bip32Path[5] = MaxIndex + 1
			}
		}, "no address at"},
		{"paths of another address", func(p *psbt.Packet) {
			p.Inputs[0].Bip32Derivation, p.Inputs[0].WitnessScript = h.derivations(near), near.witness
		}, "coin is not of the vault's address"},
		{"keys of a stranger", func(p *psbt.Packet) { p.Inputs[0].Bip32Derivation = theirs.Inputs[0].Bip32Derivation }, "is not one of the vault's"},
		{"input missing", func(p *psbt.Packet) { p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[1:], p.Inputs[1:] }, "outputs of"},
		{"input missing, less paid", func(p *psbt.Packet) {
			p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[:1], p.Inputs[:1]
			p.UnsignedTx.TxOut = p.UnsignedTx.TxOut[:1]
			p.Outputs = p.Outputs[:1]
			p.UnsignedTx.TxOut[0].Value = p.Inputs[0].WitnessUtxo.Value - 10_000
		}, "not of this transaction"},
		{"a stranger's input", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxIn(theirs.UnsignedTx.TxIn[0])
			p.Inputs = append(p.Inputs, theirs.Inputs[0])
		}, "is not one of the vault's"},
		{"another of our inputs", func(p *psbt.Packet) {
			more := h.coin(t, Receive, 9, 40_000, 77)
			in, err := h.input(more)
			if err != nil {
				t.Fatal(err)
			}
			p.UnsignedTx.AddTxIn(in.tx)
			p.Inputs = append(p.Inputs, in.psbt)
		}, "not of this transaction"},
		{"an input twice", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxIn(p.UnsignedTx.TxIn[0])
			p.Inputs = append(p.Inputs, p.Inputs[0])
		}, "again"},
		{"another coin", func(p *psbt.Packet) { p.UnsignedTx.TxIn[0].PreviousOutPoint.Index = 0 }, "says"},
		{"a coin that is not there", func(p *psbt.Packet) { p.UnsignedTx.TxIn[0].PreviousOutPoint.Index = 2 }, "has no output 2"},
		{"change to a stranger's vault", func(p *psbt.Packet) {
			i, j := changeAt(p), changeAt(theirs)
			p.UnsignedTx.TxOut[i].PkScript, p.Outputs[i] = theirs.UnsignedTx.TxOut[j].PkScript, theirs.Outputs[j]
		}, "foreign change"},
		{"change elsewhere, called ours", func(p *psbt.Packet) {
			p.UnsignedTx.TxOut[changeAt(p)].PkScript = network.KeyScript(make([]byte, 33))
		}, "foreign change"},
		{"change elsewhere, called a payment", func(p *psbt.Packet) {
			i := changeAt(p)
			p.UnsignedTx.TxOut[i].PkScript, p.Outputs[i] = network.KeyScript(make([]byte, 33)), psbt.POutput{}
		}, "not of this transaction"},
		{"change with another script", func(p *psbt.Packet) { p.Outputs[changeAt(p)].WitnessScript = near.witness }, "foreign change"},
		{"change with one key of a stranger", func(p *psbt.Packet) {
			p.Outputs[changeAt(p)].Bip32Derivation[0].PubKey = theirs.Outputs[changeAt(theirs)].Bip32Derivation[0].PubKey
		}, "foreign change"},
		{"change to the branch of deposits", func(p *psbt.Packet) {
			i := changeAt(p)
			p.UnsignedTx.TxOut[i].PkScript = receive.output
			p.Outputs[i].WitnessScript, p.Outputs[i].Bip32Derivation = receive.witness, h.derivations(receive)
		}, "not to the change branch"},
		{"change twice", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxOut(wire.NewTxOut(20_000, near.output))
			p.Outputs = append(p.Outputs, psbt.POutput{WitnessScript: near.witness, Bip32Derivation: h.derivations(near)})
			p.UnsignedTx.TxOut[changeAt(p)].Value -= 30_000
		}, "a second change output"},
		{"payment to another", func(p *psbt.Packet) {
			p.UnsignedTx.TxOut[1-changeAt(p)].PkScript = network.KeyScript(make([]byte, 33))
		}, "not of this transaction"},
		{"another amount paid", func(p *psbt.Packet) { p.UnsignedTx.TxOut[1-changeAt(p)].Value -= 1_000 }, "not of this transaction"},
		{"a payment more", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxOut(wire.NewTxOut(1_000, network.KeyScript(make([]byte, 33))))
			p.UnsignedTx.TxOut[changeAt(p)].Value -= 1_500
			p.Outputs = append(p.Outputs, psbt.POutput{})
		}, "not of this transaction"},
		{"data instead of an address", func(p *psbt.Packet) { p.UnsignedTx.TxOut[1-changeAt(p)].PkScript = []byte{txscript.OP_RETURN, 1, 7} }, "pays to no address"},
		{"a witness version without rules", func(p *psbt.Packet) {
			p.UnsignedTx.TxOut[1-changeAt(p)].PkScript = append([]byte{txscript.OP_9, 32}, make([]byte, 32)...)
		}, "pays to no address"},
		{"dust", func(p *psbt.Packet) { p.UnsignedTx.TxOut[1-changeAt(p)].Value = 100 }, "dust"},
		{"a negative amount", func(p *psbt.Packet) { p.UnsignedTx.TxOut[1-changeAt(p)].Value = -1 }, "amount of -1"},
		{"more than exists", func(p *psbt.Packet) { p.UnsignedTx.TxOut[1-changeAt(p)].Value = maxSatoshi + 1 }, "amount of"},
		{"half of it as a fee", func(p *psbt.Packet) { p.UnsignedTx.TxOut[changeAt(p)].Value = 10_000 }, "absurd fee"},
		{"a rate of 600 per byte", func(p *psbt.Packet) { p.UnsignedTx.TxOut[changeAt(p)].Value -= 600 * 350 }, "absurd fee"},
		{"next to no fee", func(p *psbt.Packet) { p.UnsignedTx.TxOut[changeAt(p)].Value += 3_300 }, "do not relay"},
		{"more out than in", func(p *psbt.Packet) { p.UnsignedTx.TxOut[changeAt(p)].Value += 10_000_000 }, "outputs of"},
		{"sighash none", func(p *psbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashNone }, "do not cover"},
		{"sighash single", func(p *psbt.Packet) { p.Inputs[1].SighashType = txscript.SigHashSingle }, "do not cover"},
		{"anyone can pay", func(p *psbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay }, "do not cover"},
		{"another amount of the input", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo.Value++ }, "the previous transaction says"},
		{"another script of the input", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo.PkScript = near.output }, "another script"},
		{"amount without its proof", func(p *psbt.Packet) { p.Inputs[0].NonWitnessUtxo = nil }, "without its previous transaction"},
		{"proof without the amount", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo = nil }, "without its witness UTXO"},
		{"previous transactions swapped", func(p *psbt.Packet) {
			p.Inputs[0].NonWitnessUtxo, p.Inputs[1].NonWitnessUtxo = p.Inputs[1].NonWitnessUtxo, p.Inputs[0].NonWitnessUtxo
		}, "the coin is of"},
		{"previous transaction with another amount", func(p *psbt.Packet) {
			p.Inputs[0].NonWitnessUtxo.TxOut[1].Value *= 2
			p.Inputs[0].WitnessUtxo.Value *= 2
		}, "the coin is of"},
		{"another version", func(p *psbt.Packet) { p.UnsignedTx.Version = 1 }, "version 1"},
		{"a lock time", func(p *psbt.Packet) { p.UnsignedTx.LockTime = 500 }, "not of this transaction"},
		{"a lock time that does not count", func(p *psbt.Packet) {
			p.UnsignedTx.LockTime = 500
			for _, in := range p.UnsignedTx.TxIn {
				in.Sequence = wire.MaxTxInSequenceNum
			}
		}, "no input lets count"},
		{"a relative lock", func(p *psbt.Packet) { p.UnsignedTx.TxIn[0].Sequence = 65_535 }, "locks it relatively"},
		{"no replacement any more", func(p *psbt.Packet) { p.UnsignedTx.TxIn[0].Sequence = wire.MaxTxInSequenceNum }, "not of this transaction"},
		{"signature of another input", func(p *psbt.Packet) {
			p.Inputs[0].PartialSigs[0].Signature = p.Inputs[1].PartialSigs[0].Signature
		}, "not of this transaction"},
		{"signature of a stranger", func(p *psbt.Packet) {
			p.Inputs[0].PartialSigs[0].PubKey = theirs.Inputs[0].Bip32Derivation[0].PubKey
		}, "is not one of the vault's"},
		{"signature of another type", func(p *psbt.Packet) {
			s := p.Inputs[0].PartialSigs[0]
			s.Signature[len(s.Signature)-1] = byte(txscript.SigHashNone)
		}, "does not cover"},
		{"signature with a high S", func(p *psbt.Packet) {
			p.Inputs[1].PartialSigs[0].Signature = highS(t, p.Inputs[1].PartialSigs[0].Signature)
		}, "canonical form"},
		{"a redeem script", func(p *psbt.Packet) { p.Inputs[0].RedeemScript = []byte{1} }, "has field 04"},
		{"a finished input", func(p *psbt.Packet) { p.Inputs[0].FinalScriptSig = []byte{1} }, "has field 07"},
		{"a finished witness", func(p *psbt.Packet) { p.Inputs[0].FinalScriptWitness = []byte{1, 0} }, "has field 08"},
		{"an unknown global field", func(p *psbt.Packet) {
			p.Unknowns = append(p.Unknowns, &psbt.Unknown{Key: []byte{0xfb}, Value: []byte{2, 0, 0, 0}})
		}, "has field fb"},
		{"an unknown input field", func(p *psbt.Packet) {
			p.Inputs[0].Unknowns = append(p.Inputs[0].Unknowns, &psbt.Unknown{Key: []byte{0x77}, Value: []byte{1}})
		}, "has field 77"},
		{"an unknown output field", func(p *psbt.Packet) {
			p.Outputs[0].Unknowns = append(p.Outputs[0].Unknowns, &psbt.Unknown{Key: []byte{0x77}, Value: []byte{1}})
		}, "has field 77"},
		{"a redeem script of an output", func(p *psbt.Packet) { p.Outputs[0].RedeemScript = []byte{1} }, "has field 00"},
	}
}

func unsignedPacket(t fataler, h *house) *psbt.Packet {
	t.Helper()
	raw, _ := h.typical(t)
	p, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// highS is the other signature of the same message, which relaying nodes refuse.
func highS(t *testing.T, signature []byte) []byte {
	t.Helper()
	s, err := ecdsa.ParseDERSignature(signature[:len(signature)-1])
	if err != nil {
		t.Fatal(err)
	}
	r, low := s.R(), s.S()
	high := low.Negate().Bytes()
	number := func(b []byte) []byte {
		b = bytes.TrimLeft(b, "\x00")
		if b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	rBytes := r.Bytes()
	body := slices.Concat(number(rBytes[:]), number(high[:]))
	return slices.Concat([]byte{0x30, byte(len(body))}, body, []byte{byte(txscript.SigHashAll)})
}

// After one has signed, nothing can be changed: not for the next signer, not for who
// combines, and not for who finishes it.
func TestTamperingIsRefusedWithItsReason(t *testing.T) {
	h, stranger := openHouse(t, "regtest", 2, 3, "tamper"), openHouse(t, "regtest", 2, 3, "strangers")
	raw, _ := h.typical(t)
	signed := h.sign(t, raw, 0)
	txid := h.effect(t, raw).TxID
	for _, tc := range h.tamperings(t, stranger) {
		bad := edited(t, signed, tc.change)
		_, err := h.Inspect(bad, nil)
		if err == nil || !strings.Contains(err.Error(), tc.reason) || (!errors.Is(err, ErrRefused) && !errors.Is(err, ErrPSBT)) {
			t.Errorf("%s: %v, want a word of %q", tc.name, err, tc.reason)
			continue
		}
		_, errSign := h.Sign(bad, txid, h.masters[1])
		_, errFirst := h.Combine(bad, signed)
		_, errLast := h.Combine(signed, bad)
		_, _, errFinal := h.Finalize(bad)
		for _, err := range []error{errSign, errFirst, errLast, errFinal} {
			if err == nil || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("%s: %v, want a word of %q", tc.name, err, tc.reason)
			}
		}
	}
}

// Before anybody has signed, a changed transaction is another one, which says so: it
// has another id, which nobody approved, and other payments.
func TestAnotherTransactionIsNotTheOneThatWasAskedFor(t *testing.T) {
	h, stranger := openHouse(t, "regtest", 2, 3, "tamper"), openHouse(t, "regtest", 2, 3, "strangers")
	raw, s := h.typical(t)
	approved := h.effect(t, raw)
	var others int
	for _, tc := range h.tamperings(t, stranger) {
		if tc.reason != "not of this transaction" || strings.Contains(tc.name, "signature") {
			continue
		}
		bad := edited(t, raw, tc.change)
		e, err := h.Inspect(bad, nil)
		if err != nil || e.TxID == approved.TxID || e.String() == approved.String() {
			t.Errorf("%s: %v, %v", tc.name, e, err)
		}
		if _, err := h.Sign(bad, approved.TxID, h.masters[0]); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: signed, %v", tc.name, err)
		}
		if _, err := h.Combine(h.sign(t, raw, 0), bad); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: combined, %v", tc.name, err)
		}
		if err := e.Fulfils(s.Payments, approved.Fee); strings.Contains(tc.name, "pa") && !errors.Is(err, ErrRefused) && !strings.Contains(tc.name, "replacement") {
			t.Errorf("%s: fulfils what was asked for, %v", tc.name, err)
		}
		others++
	}
	if others < 8 {
		t.Errorf("only %d others", others)
	}
	if err := approved.Fulfils(append(s.Payments, s.Payments...), approved.Fee); !errors.Is(err, ErrRefused) {
		t.Errorf("one payment for two: %v", err)
	}
	if err := approved.Fulfils(s.Payments, money.FromUint64(10)); !errors.Is(err, ErrRefused) {
		t.Errorf("the fee: %v", err)
	}
	if err := approved.Fulfils(nil, approved.Fee); !errors.Is(err, ErrRefused) {
		t.Errorf("a payment for none: %v", err)
	}
}

// Two different signatures of one key cannot both be of a signer who signs as we do.
func TestConflictingSignaturesAreRefused(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3, "conflict")
	raw, _ := h.typical(t)
	signed := h.sign(t, raw, 0)
	k, err := h.inspect(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := k.digest(0)
	if err != nil {
		t.Fatal(err)
	}
	child, err := descend(h.masters[0], append(h.origins[0].path[:], k.places[0].branch, k.places[0].index)...)
	if err != nil {
		t.Fatal(err)
	}
	private, err := child.ECPrivKey()
	if err != nil {
		t.Fatal(err)
	}
	other := edited(t, signed, func(p *psbt.Packet) {
		for _, s := range p.Inputs[0].PartialSigs {
			s.Signature = withAnotherNonce(private, digest)
		}
	})
	if e := h.effect(t, other); len(e.Signed) != 1 {
		t.Fatalf("not a valid signature: %+v", e)
	}
	if _, err := h.Combine(signed, other); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another signature") {
		t.Errorf("combined: %v", err)
	}
}

// withAnotherNonce signs as no deterministic signer does.
func withAnotherNonce(private *btcec.PrivateKey, digest []byte) []byte {
	var nonce, e, s btcec.ModNScalar
	nonce.SetInt(12_345)
	e.SetByteSlice(digest)
	var point btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&nonce, &point)
	point.ToAffine()
	var r btcec.ModNScalar
	r.SetByteSlice(point.X.Bytes()[:])
	s.Mul2(&private.Key, &r).Add(&e).Mul(nonce.InverseNonConst())
	if s.IsOverHalfOrder() {
		s.Negate()
	}
	return append(ecdsa.NewSignature(&r, &s).Serialize(), byte(txscript.SigHashAll))
}
