package multisig

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"
)

// mutation changes something, somewhere, in a way that rapid draws.
type mutation func(t *rapid.T, h *house, raw []byte) []byte

func mutations() map[string]mutation {
	return map[string]mutation{
		"bytes": func(t *rapid.T, _ *house, raw []byte) []byte {
			raw = slices.Clone(raw)
			for range rapid.IntRange(1, 3).Draw(t, "flips") {
				raw[rapid.IntRange(0, len(raw)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "with")
			}
			return raw
		},
		"length": func(t *rapid.T, _ *house, raw []byte) []byte {
			at := rapid.IntRange(0, len(raw)).Draw(t, "at")
			if rapid.Bool().Draw(t, "cut") {
				return slices.Concat(raw[:at], raw[min(len(raw), at+rapid.IntRange(1, 40).Draw(t, "cut by")):])
			}
			return slices.Concat(raw[:at], rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "more"), raw[at:])
		},
		"transaction": func(t *rapid.T, _ *house, raw []byte) []byte {
			return edited(t, raw, func(p *psbt.Packet) { mutateTx(t, p.UnsignedTx) })
		},
		"input": func(t *rapid.T, h *house, raw []byte) []byte {
			return edited(t, raw, func(p *psbt.Packet) { mutateInput(t, h, p) })
		},
		"output": func(t *rapid.T, h *house, raw []byte) []byte {
			return edited(t, raw, func(p *psbt.Packet) { mutateOutput(t, h, p) })
		},
		"order": func(t *rapid.T, _ *house, raw []byte) []byte {
			return edited(t, raw, func(p *psbt.Packet) { reorder(t, p) })
		},
	}
}

func mutateTx(t *rapid.T, tx *wire.MsgTx) {
	in := tx.TxIn[rapid.IntRange(0, len(tx.TxIn)-1).Draw(t, "input")]
	out := tx.TxOut[rapid.IntRange(0, len(tx.TxOut)-1).Draw(t, "output")]
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		tx.Version = rapid.Int32().Draw(t, "version")
	case 1:
		tx.LockTime = rapid.Uint32().Draw(t, "lock time")
	case 2:
		in.Sequence = rapid.Uint32Range(0xfffffff0, 0xffffffff).Draw(t, "sequence")
	case 3:
		in.PreviousOutPoint.Index = rapid.Uint32Range(0, 3).Draw(t, "vout")
	case 4:
		out.Value += rapid.Int64Range(-200_000, 200_000).Draw(t, "value")
	case 5:
		out.PkScript = slices.Clone(out.PkScript)
		out.PkScript[rapid.IntRange(0, len(out.PkScript)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "with")
	}
}

func mutateInput(t *rapid.T, h *house, p *psbt.Packet) {
	in := &p.Inputs[rapid.IntRange(0, len(p.Inputs)-1).Draw(t, "input")]
	branch, index := rapid.Uint32Range(0, 1).Draw(t, "branch"), rapid.Uint32Range(0, 9).Draw(t, "index")
	other, err := h.place(branch, index)
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 6).Draw(t, "what") {
	case 0:
		in.SighashType = txscript.SigHashType(rapid.SampledFrom([]uint32{1, 2, 3, 0x81, 0x82, 0x83, 0xff}).Draw(t, "type"))
	case 1:
		in.WitnessUtxo.Value += rapid.Int64().Draw(t, "value")
	case 2:
		in.WitnessScript, in.Bip32Derivation = other.witness, h.derivations(other)
	case 3:
		in.WitnessUtxo.PkScript, in.WitnessScript, in.Bip32Derivation = other.output, other.witness, h.derivations(other)
		in.NonWitnessUtxo.TxOut[1].PkScript = other.output
	case 4:
		in.NonWitnessUtxo.TxOut[rapid.IntRange(0, 1).Draw(t, "of")].Value += rapid.Int64().Draw(t, "value")
	case 5:
		d := in.Bip32Derivation[rapid.IntRange(0, 2).Draw(t, "key")]
		d.Bip32Path[rapid.IntRange(0, 5).Draw(t, "step")] = rapid.Uint32().Draw(t, "to")
	case 6:
		in.PartialSigs = nil
	}
}

func mutateOutput(t *rapid.T, h *house, p *psbt.Packet) {
	i := rapid.IntRange(0, len(p.Outputs)-1).Draw(t, "output")
	other, err := h.place(rapid.Uint32Range(0, 1).Draw(t, "branch"), rapid.Uint32Range(0, 9).Draw(t, "index"))
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		p.Outputs[i] = psbt.POutput{}
	case 1:
		p.Outputs[i] = psbt.POutput{WitnessScript: other.witness, Bip32Derivation: h.derivations(other)}
	case 2:
		p.Outputs[i] = psbt.POutput{WitnessScript: other.witness, Bip32Derivation: h.derivations(other)}
		p.UnsignedTx.TxOut[i].PkScript = other.output
	case 3:
		p.UnsignedTx.AddTxOut(wire.NewTxOut(rapid.Int64Range(0, 10_000).Draw(t, "value"), other.output))
		p.Outputs = append(p.Outputs, psbt.POutput{})
	}
}

func reorder(t *rapid.T, p *psbt.Packet) {
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		slices.Reverse(p.Inputs)
	case 1:
		slices.Reverse(p.Outputs)
	case 2:
		slices.Reverse(p.UnsignedTx.TxIn)
		slices.Reverse(p.Inputs)
	case 3:
		p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[:1], p.Inputs[:1]
	}
}

// oracle works out from the transaction and its true coins what it does, knowing
// nothing of PSBTs: where the coins go, in the order of outputs, and the fee.
func oracle(tx *wire.MsgTx, truth map[wire.OutPoint]int64) (scripts [][]byte, amounts []int64, fee int64, ours bool) {
	ours = true
	for _, in := range tx.TxIn {
		value, known := truth[in.PreviousOutPoint]
		ours, fee = ours && known, fee+value
	}
	for _, out := range tx.TxOut {
		scripts, amounts, fee = append(scripts, out.PkScript), append(amounts, out.Value), fee-out.Value
	}
	return scripts, amounts, fee, ours
}

// honest compares what Inspect said with the oracle.
func honest(t *testing.T, h *house, e *Effect, tx *wire.MsgTx, truth map[wire.OutPoint]int64) {
	t.Helper()
	scripts, amounts, fee, ours := oracle(tx, truth)
	if !ours || e.Fee != units(fee) || e.LockTime != tx.LockTime || len(e.Inputs) != len(tx.TxIn) {
		t.Fatalf("inputs ours: %v, fee %d:\n%s", ours, fee, e)
	}
	told := slices.Clone(e.Payments)
	if e.Change != nil {
		if own, err := h.Address(Change, e.Change.Index); err != nil || own != e.Change.Address {
			t.Fatalf("change to %s, ours is %s", e.Change.Address, own)
		}
		told = append(told, Paid{Address: e.Change.Address, Amount: e.Change.Amount})
	}
	for i, script := range scripts {
		address, _ := h.params.Address(script)
		at := slices.IndexFunc(told, func(p Paid) bool { return p.Address == address && p.Amount == units(amounts[i]) })
		if at < 0 {
			t.Fatalf("silent about %d to %s:\n%s", amounts[i], address, e)
		}
		told = slices.Delete(told, at, at+1)
	}
	if len(told) != 0 {
		t.Fatalf("tells of %v, which is not there", told)
	}
}

// 4,000 changes of a PSBT that one has signed and of one that nobody has: whatever
// Inspect still accepts is the same transaction, or another one that says all that
// it does, and is signed for nobody who approved the first.
func TestNoMutationIsAcceptedWithAnotherEffect(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3, "mutations")
	raw, _ := h.typical(t)
	signed := h.sign(t, raw, 0)
	truth := make(map[wire.OutPoint]int64)
	for i, in := range unsigned(t, raw).TxIn {
		value, _ := h.effect(t, raw).Inputs[i].Amount.Uint64()
		truth[in.PreviousOutPoint] = int64(value)
	}
	var tried, accepted int
	for name, mutate := range mutations() {
		for _, start := range [][]byte{raw, signed} {
			for seed := range 340 {
				bad := rapid.Custom(func(t *rapid.T) []byte { return mutate(t, h, start) }).Example(seed)
				if bytes.Equal(bad, start) {
					continue
				}
				tried++
				if judge(t, h, start, bad, truth) {
					accepted++
				}
			}
		}
		if t.Failed() {
			t.Fatalf("by changing %s", name)
		}
	}
	t.Logf("%d mutations, %d accepted with the effect that they told", tried, accepted)
	if tried < 3_000 {
		t.Errorf("only %d mutations", tried)
	}
}

// judge reports whether a mutation was accepted, and fails where it should not have been.
func judge(t *testing.T, h *house, start, bad []byte, truth map[wire.OutPoint]int64) bool {
	t.Helper()
	was := h.effect(t, start)
	e, err := h.Inspect(bad, nil)
	if err != nil {
		if !errors.Is(err, ErrPSBT) && !errors.Is(err, ErrRefused) {
			t.Errorf("refused for no reason of ours: %v", err)
		}
		return false
	}
	honest(t, h, e, unsigned(t, bad), truth)
	_, errSign := h.Sign(bad, was.TxID, h.masters[1])
	if (e.TxID == was.TxID) != (errSign == nil) {
		t.Errorf("%s for %s: %v", e.TxID, was.TxID, errSign)
	}
	if e.TxID != was.TxID && len(e.Signed)+len(e.Partly) > 0 {
		t.Errorf("a signature of %s counts for %s", was.TxID, e.TxID)
	}
	return true
}

func FuzzInspect(f *testing.F) {
	h := openHouse(f, "regtest", 2, 3, "fuzz")
	raw, _ := h.typical(f)
	f.Add(raw)
	f.Add(h.sign(f, raw, 1))
	f.Add([]byte(Encode(raw)))
	f.Fuzz(func(t *testing.T, file []byte) {
		raw, err := Decode(file)
		if err != nil {
			return
		}
		e, err := h.Inspect(raw, nil)
		if err != nil {
			return
		}
		if again, err := h.Combine(raw); err != nil || h.effect(t, again).TxID != e.TxID {
			t.Fatalf("accepted and then not: %v", err)
		}
	})
}

func FuzzParseDescriptor(f *testing.F) {
	h := openHouse(f, "regtest", 2, 3, "fuzz")
	text, err := h.Descriptor(Change)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("wsh(sortedmulti(2,[00000000/48h/1h/0h/2h]tpub/0/*))#00000000")
	f.Fuzz(func(t *testing.T, text string) {
		v, branch, err := ParseDescriptor("regtest", text)
		if err != nil {
			return
		}
		w, err := Open(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Descriptor(branch)
		if err != nil {
			t.Fatal(err)
		}
		if second, of, err := ParseDescriptor("regtest", again); err != nil || of != branch || !slices.Equal(second.Keys, v.Keys) {
			t.Fatalf("%s is read as %+v, %v", again, second, err)
		}
	})
}

// Lengths near the end of what is counted, and counts near what fits, are bounded
// before anything of that size is made.
func FuzzScan(f *testing.F) {
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))
	sum := sha256.Sum256(nil)
	f.Add(binary.LittleEndian.AppendUint64([]byte(magic), uint64(sum[0])))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := scan(raw); err != nil && !errors.Is(err, ErrPSBT) {
			t.Fatal(err)
		}
	})
}
