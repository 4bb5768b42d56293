package signer

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// evmMutators rebuild the payload with a change that means something; a payload
// that was damaged before is left as it is.
func evmMutators(t *testing.T) []mutator {
	t.Helper()
	attacker := common.HexToAddress("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")
	change := func(f func(r *rand.Rand, p *evmPayload)) mutator {
		return func(r *rand.Rand, q *signerv1.SignRequest) {
			if p, err := decodeEVM(q.UnsignedTx); err == nil {
				f(r, &p)
				q.UnsignedTx = p.bytes(t)
			}
		}
	}
	return []mutator{
		change(func(r *rand.Rand, p *evmPayload) { p.ChainID = big.NewInt(int64(r.IntN(5))) }),
		change(func(r *rand.Rand, p *evmPayload) { p.Nonce += 1 + r.Uint64N(10) }),
		change(func(_ *rand.Rand, p *evmPayload) { p.TipCap = new(big.Int).Add(p.FeeCap, big.NewInt(1)) }),
		change(func(r *rand.Rand, p *evmPayload) { p.FeeCap = new(big.Int).Lsh(p.FeeCap, 1+uint(r.IntN(300))) }),
		change(func(r *rand.Rand, p *evmPayload) { p.Gas = r.Uint64() }),
		change(func(_ *rand.Rand, p *evmPayload) { p.To = attacker }),
		change(func(r *rand.Rand, p *evmPayload) { p.Value = new(big.Int).Add(p.Value, big.NewInt(1+r.Int64N(9))) }),
		change(func(_ *rand.Rand, p *evmPayload) { p.Value = new(big.Int).Lsh(big.NewInt(1), 256) }),
		change(func(_ *rand.Rand, p *evmPayload) { p.Data = transferCall(attacker, units(500)) }),
		change(func(_ *rand.Rand, p *evmPayload) { p.Data = append(p.Data, 0) }),
		change(func(_ *rand.Rand, p *evmPayload) { // approve in place of transfer
			p.Data = append([]byte{0x09, 0x5e, 0xa7, 0xb3}, transferCall(attacker, units(500))[4:]...)
		}),
		change(func(r *rand.Rand, p *evmPayload) { // dirty bytes above an address
			if len(p.Data) > 16 {
				p.Data[4+r.IntN(12)] = 1
			} else {
				p.Data = []byte{0}
			}
		}),
		change(func(_ *rand.Rand, p *evmPayload) { p.AccessList = []rlp.RawValue{{0xc0}} }),
	}
}

// psbtMutators do the same to a PSBT.
func psbtMutators(t *testing.T, s *Signer) []mutator {
	t.Helper()
	attacker := append([]byte{0x00, 0x14}, bytes.Repeat([]byte{0x66}, 20)...)
	change := func(f func(r *rand.Rand, p *psbt.Packet)) mutator {
		return func(r *rand.Rand, q *signerv1.SignRequest) {
			p, err := psbt.NewFromRawBytes(bytes.NewReader(q.UnsignedTx), false)
			if err != nil || len(p.Inputs) == 0 || p.Inputs[0].WitnessUtxo == nil || len(p.Outputs) == 0 {
				return // what an earlier change left is broken enough
			}
			f(r, p)
			var out bytes.Buffer
			if p.Serialize(&out) == nil {
				q.UnsignedTx = out.Bytes()
			}
		}
	}
	key, err := s.chains[btcName].(*bitcoinChain).keys.private(hotPath)
	if err != nil {
		t.Fatal(err)
	}
	derivation := &psbt.Bip32Derivation{PubKey: key.PubKey().SerializeCompressed(), Bip32Path: []uint32{1, 0, 0}}
	return append(psbtFieldMutators(change, derivation),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.AddTxOut(wire.NewTxOut(600, attacker))
			p.Outputs = append(p.Outputs, psbt.POutput{})
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxOut[r.IntN(len(p.UnsignedTx.TxOut))].PkScript = attacker
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxOut[r.IntN(len(p.UnsignedTx.TxOut))].Value += 1 + r.Int64N(1_000_000)
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxOut[r.IntN(len(p.UnsignedTx.TxOut))].Value = pick[int64](r, 0, -1, -1<<63, 1<<62)
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			if n := len(p.UnsignedTx.TxOut); n > 1 {
				p.UnsignedTx.TxOut, p.Outputs = p.UnsignedTx.TxOut[:1], p.Outputs[:1]
			}
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxIn[r.IntN(len(p.UnsignedTx.TxIn))].PreviousOutPoint.Hash = chainhash.Hash{byte(r.IntN(256)), 9}
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxIn[0].PreviousOutPoint = p.UnsignedTx.TxIn[len(p.UnsignedTx.TxIn)-1].PreviousOutPoint
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{77}, 0), nil, nil))
			p.Inputs = append(p.Inputs, psbt.PInput{WitnessUtxo: wire.NewTxOut(1000, attacker)})
		}),
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.UnsignedTx.TxIn[0].Sequence = pick[uint32](r, 0, 0xfffffffe, 0xffffffff)
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.UnsignedTx.LockTime = 500_000_001 }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.UnsignedTx.Version = 1 }),
	)
}

// psbtFieldMutators add or change fields beside the transaction.
func psbtFieldMutators(change func(func(*rand.Rand, *psbt.Packet)) mutator, derivation *psbt.Bip32Derivation) []mutator {
	return []mutator{
		change(func(r *rand.Rand, p *psbt.Packet) {
			p.Inputs[0].WitnessUtxo.Value += pick[int64](r, -1, 1, 1000, -49_999)
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].WitnessUtxo.PkScript = []byte{txscript.OP_TRUE} }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].WitnessUtxo = nil }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashNone }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashAll }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].WitnessScript = []byte{txscript.OP_TRUE} }),
		change(func(_ *rand.Rand, p *psbt.Packet) { p.Inputs[0].Bip32Derivation = []*psbt.Bip32Derivation{derivation} }),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.Outputs[len(p.Outputs)-1].Bip32Derivation = []*psbt.Bip32Derivation{derivation}
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.Unknowns = append(p.Unknowns, &psbt.Unknown{Key: []byte{0xfc, 1}, Value: []byte{1}})
		}),
		change(func(_ *rand.Rand, p *psbt.Packet) {
			p.Inputs[0].Unknowns = append(p.Inputs[0].Unknowns, &psbt.Unknown{Key: []byte{0xfc, 1}, Value: []byte{1}})
		}),
	}
}
