package nodes

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
)

// NewWallet implements chaintest.Harness.
func (h *Coin) NewWallet(tb testing.TB) chaintest.Wallet {
	tb.Helper()
	h.keys++
	key, path := keyOf(h.keys), chainadapters.KeyPath{Account: chainadapters.HotAccount, Index: h.keys}
	return chaintest.Wallet{
		Address: h.addressOf(tb, key), Path: path,
		Sign: func(tb testing.TB, unsigned []byte) []byte {
			tb.Helper()
			return signAll(tb, unsigned, key)
		},
	}
}

// signAll signs every input of a PSBT with one key.
func signAll(tb testing.TB, unsigned []byte, key *btcec.PrivateKey) []byte {
	tb.Helper()
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(unsigned), false)
	if err != nil {
		tb.Fatalf("read PSBT: %v", err)
	}
	previous := map[wire.OutPoint]*wire.TxOut{}
	for i, in := range packet.UnsignedTx.TxIn {
		previous[in.PreviousOutPoint] = packet.Inputs[i].WitnessUtxo
	}
	tx := packet.UnsignedTx
	hashes := txscript.NewTxSigHashes(tx, txscript.NewMultiPrevOutFetcher(previous))
	for i, in := range tx.TxIn {
		utxo := packet.Inputs[i].WitnessUtxo
		if in.Witness, err = txscript.WitnessSignature(tx, hashes, i, utxo.Value, utxo.PkScript, txscript.SigHashAll, key, true); err != nil {
			tb.Fatalf("sign input %d: %v", i, err)
		}
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		tb.Fatal(err)
	}
	return raw.Bytes()
}

func signInput(tb testing.TB, tx *wire.MsgTx, i int, utxo *wire.TxOut, key *btcec.PrivateKey) {
	tb.Helper()
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(utxo.PkScript, utxo.Value))
	witness, err := txscript.WitnessSignature(tx, hashes, i, utxo.Value, utxo.PkScript, txscript.SigHashAll, key, true)
	if err != nil {
		tb.Fatal(err)
	}
	tx.TxIn[i].Witness = witness
}

func (h *Coin) addressOf(tb testing.TB, key *btcec.PrivateKey) string {
	tb.Helper()
	address, err := h.params.KeyAddress(key.PubKey().SerializeCompressed())
	if err != nil {
		tb.Fatal(err)
	}
	return address
}

func (h *Coin) scriptOf(tb testing.TB, address string) []byte {
	tb.Helper()
	script, err := h.params.Script(address)
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

// keyOf is the n-th key of the tests.
func keyOf(n uint32) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(chainhash.HashB(binary.BigEndian.AppendUint32(nil, n)))
	return key
}
