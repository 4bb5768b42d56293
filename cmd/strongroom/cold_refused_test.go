package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/multisig"
)

// changed is a PSBT after somebody has changed it on its way.
func changed(t *testing.T, raw []byte, change func(p *psbt.Packet)) string {
	t.Helper()
	p, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		t.Fatal(err)
	}
	change(p)
	var b bytes.Buffer
	if err := p.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return multisig.Encode(b.Bytes())
}

// kept is the output that calls itself change.
func kept(p *psbt.Packet) int {
	for i := range p.Outputs {
		if len(p.Outputs[i].Bip32Derivation) > 0 {
			return i
		}
	}
	return -1
}

// Whatever comes with a PSBT that should not: no command takes it, and the folder stays
// as it was.
func TestPSBTsThatAreRefused(t *testing.T) {
	h := newColdHouse(t, "regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := h.params.Script(to)
	if err != nil {
		t.Fatal(err)
	}
	raw, txid := h.spend(t, append(h.coins(t, 1), h.coins(t, 2)...), to)
	d := h.desks[0]
	for name, bad := range map[string]struct {
		want   string
		change func(p *psbt.Packet)
	}{
		"wrong witness script": {"witness script is not", func(p *psbt.Packet) { p.Inputs[0].WitnessScript[1] ^= 1 }},
		"wrong output script":  {"another script than", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo.PkScript = foreign }},
		"wrong amount":         {"previous transaction says", func(p *psbt.Packet) { p.Inputs[1].WitnessUtxo.Value++ }},
		"no proof of amount":   {"previous transaction", func(p *psbt.Packet) { p.Inputs[1].NonWitnessUtxo = nil }},
		"sighash none":         {"do not cover", func(p *psbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashNone }},
		"anyone can pay": {"do not cover", func(p *psbt.Packet) {
			p.Inputs[1].SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay
		}},
		"foreign change": {"foreign change", func(p *psbt.Packet) { p.UnsignedTx.TxOut[kept(p)].PkScript = foreign }},
		"extra input": {"input 2", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{9}}, nil, nil))
			p.Inputs = append(p.Inputs, psbt.PInput{})
		}},
		"the same input twice": {"again", func(p *psbt.Packet) {
			p.UnsignedTx.TxIn[1].PreviousOutPoint = p.UnsignedTx.TxIn[0].PreviousOutPoint
		}},
		"absurd fee": {"absurd fee", func(p *psbt.Packet) { p.UnsignedTx.TxOut[kept(p)].Value = 1_000_000 }},
		"outputs above inputs": {"outputs of", func(p *psbt.Packet) {
			p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[:1], p.Inputs[:1]
			p.UnsignedTx.TxOut[kept(p)].Value = 90_000_000
		}},
	} {
		put(t, d.file("bad.psbt"), changed(t, raw, bad.change))
		for _, args := range [][]string{
			d.inspect("bad.psbt"), d.sign("bad.psbt", txid),
			{"cold", "finish", "--vault", d.file("vault.json"), d.file("bad.psbt")},
			{"cold", "combine", "--vault", d.file("vault.json"), d.file("spend.psbt"), d.file("bad.psbt")},
		} {
			t.Run(name+" "+args[1], func(t *testing.T) { d.refused(t, bad.want, args...) })
		}
	}
}

// What is well-formed but another transaction than the one that was compared: without
// an input, with another amount or payee, changed in any way that inspect lets pass.
func TestAnotherTransactionThanComparedIsRefused(t *testing.T) {
	h := newColdHouse(t, "regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := h.params.Script(to)
	if err != nil {
		t.Fatal(err)
	}
	raw, txid := h.spend(t, append(h.coins(t, 1), h.coins(t, 2)...), to)
	d := h.desks[0]
	for name, change := range map[string]func(p *psbt.Packet){
		"an input less": func(p *psbt.Packet) {
			p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[:1], p.Inputs[:1]
			p.UnsignedTx.TxOut[kept(p)].Value -= 100_000_000
		},
		"a base unit more to miners": func(p *psbt.Packet) { p.UnsignedTx.TxOut[kept(p)].Value-- },
		"change that is a payment": func(p *psbt.Packet) {
			p.UnsignedTx.TxOut[kept(p)].PkScript = foreign
			p.Outputs[kept(p)] = psbt.POutput{}
		},
		"a lock time": func(p *psbt.Packet) { p.UnsignedTx.LockTime = 1_000 },
	} {
		put(t, d.file("bad.psbt"), changed(t, raw, change))
		if out := well(t, d.inspect("bad.psbt")...); strings.Contains(out, txid) {
			t.Errorf("%s: has the same id", name)
		}
		d.refused(t, "nothing was signed", d.sign("bad.psbt", txid)...)
		d.refused(t, "refused", "cold", "combine", "--vault", d.file("vault.json"), d.file("spend.psbt"), d.file("bad.psbt"))
	}
}

func TestFilesThatAreNoTransaction(t *testing.T) {
	h := newColdHouse(t, "regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	_, txid := h.spend(t, h.coins(t, 1), to)
	d := h.desks[0]
	d.refused(t, "no such file", d.inspect("none")...)
	put(t, d.file("huge"), strings.Repeat("A", 9<<20))
	d.refused(t, "more than", d.inspect("huge")...)
	for _, text := range []string{"", "hello", "cHNidP8=", take(t, d.file("spend.psbt"))[:400], "{}"} {
		put(t, d.file("bad"), text)
		d.refused(t, "refused", d.inspect("bad")...)
		d.refused(t, "refused", d.sign("bad", txid)...)
	}
	other := newColdHouse(t, "regtest")
	put(t, d.file("vault.json"), take(t, other.desks[0].file("vault.json")))
	d.refused(t, "refused", d.sign("spend.psbt", txid)...)
	put(t, d.file("vault.json"), `{"kind":"multisig","Name":"x"}`)
	d.refused(t, "Name", d.sign("spend.psbt", txid)...)
}
