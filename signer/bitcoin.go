package signer

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// What a transaction of the platform looks like.
const (
	psbtVersionBytes = 2          // transaction version
	replaceable      = 0xfffffffd // sequence: opts in to replacement (BIP 125), no relative lock
)

// bitcoinChain signs for one network of the Bitcoin family.
type bitcoinChain struct {
	policy Chain
	params network.Params
	keys   keyring
}

func newBitcoinChain(policy Chain, keys keyring) (*bitcoinChain, error) {
	params, known := network.ByName(policy.Network)
	if !known {
		return nil, fmt.Errorf("%w: network %q", ErrPolicy, policy.Network)
	}
	return &bitcoinChain{policy: policy, params: params, keys: keys}, nil
}

// publicKeys implements chain.
func (c *bitcoinChain) publicKeys() (deposit, hot string, err error) {
	return bothXpubs(c.keys, c.policy.Network)
}

// draft implements chain.
func (c *bitcoinChain) draft(o order) (draft, error) {
	if o.fromPath != nil || o.Contract != "" || o.Kind == kindGasTopUp {
		return draft{}, fmt.Errorf("%w: a Bitcoin request has neither from_path, contract nor gas", ErrInvalid)
	}
	if o.Kind == kindCancel && o.changePath != nil {
		return draft{}, fmt.Errorf("%w: a cancellation is all change", ErrInvalid)
	}
	packet, err := decodePSBT(o.unsigned)
	if err != nil {
		return draft{}, err
	}
	keys, total, coins, err := c.checkInputs(o, packet)
	if err != nil {
		return draft{}, err
	}
	paid, err := c.checkOutputs(o, packet.UnsignedTx.TxOut)
	if err != nil {
		return draft{}, err
	}
	fee, err := total.Sub(paid)
	if err != nil {
		return draft{}, fmt.Errorf("%w: outputs exceed inputs", ErrInvalid)
	}
	if err := checkFee(fee, o.maxFee, c.policy.FeeCeiling); err != nil {
		return draft{}, err
	}
	return draft{coins: coins, fee: fee, sign: func() (signature, error) { return signPSBT(packet, keys) }}, nil
}

// decodePSBT reads a PSBT (BIP 174) that holds an unsigned transaction and the
// witness UTXO of each input, in canonical form, and nothing else whatever.
func decodePSBT(raw []byte) (*psbt.Packet, error) {
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	tx := packet.UnsignedTx
	if tx.Version != psbtVersionBytes || tx.LockTime != 0 || len(tx.TxIn) == 0 || len(tx.TxIn) > maxInputs {
		return nil, fmt.Errorf("%w: version %d, lock time %d, %d inputs", ErrInvalid, tx.Version, tx.LockTime, len(tx.TxIn))
	}
	// Built anew from what was understood: any other field, an order of fields
	// that is not canonical or trailing bytes make a difference.
	bare, err := psbt.NewFromUnsignedTx(tx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for i := range packet.Inputs {
		if packet.Inputs[i].WitnessUtxo == nil {
			return nil, fmt.Errorf("%w: input %d has no witness UTXO", ErrInvalid, i)
		}
		bare.Inputs[i].WitnessUtxo = packet.Inputs[i].WitnessUtxo
	}
	var again bytes.Buffer
	if err := bare.Serialize(&again); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if !bytes.Equal(again.Bytes(), raw) {
		return nil, fmt.Errorf("%w: PSBT has fields that nobody asked for", ErrInvalid)
	}
	return bare, nil
}

// checkInputs holds each input against its path and returns keys, the sum and
// the coins.
func (c *bitcoinChain) checkInputs(o order, packet *psbt.Packet) ([]signingKey, money.Units, []spentCoin, error) {
	var total money.Units
	tx := packet.UnsignedTx
	if len(o.inputPaths) != len(tx.TxIn) {
		return nil, total, nil, fmt.Errorf("%w: %d input paths for %d inputs", ErrInvalid, len(o.inputPaths), len(tx.TxIn))
	}
	keys, coins := make([]signingKey, len(tx.TxIn)), make([]spentCoin, len(tx.TxIn))
	seen := make(map[wire.OutPoint]bool, len(tx.TxIn))
	for i, in := range tx.TxIn {
		utxo := packet.Inputs[i].WitnessUtxo
		if in.Sequence != replaceable || seen[in.PreviousOutPoint] {
			return nil, total, nil, fmt.Errorf("%w: input %d has sequence %#x or comes twice", ErrInvalid, i, in.Sequence)
		}
		seen[in.PreviousOutPoint] = true
		key, err := c.checkInput(o, o.inputPaths[i], utxo)
		if err != nil {
			return nil, total, nil, fmt.Errorf("input %d: %w", i, err)
		}
		amount := money.FromUint64(uint64(utxo.Value)) //nolint:gosec // checkInput refused negative values
		if total, err = total.Add(amount); err != nil {
			return nil, total, nil, fmt.Errorf("%w: inputs: %w", ErrInvalid, err)
		}
		keys[i], coins[i] = key, spentCoin{Outpoint: in.PreviousOutPoint.String(), Amount: amount}
	}
	return keys, total, coins, nil
}

func (c *bitcoinChain) checkInput(o order, path keyPath, utxo *wire.TxOut) (signingKey, error) {
	if err := checkAccounts(o, path); err != nil {
		return nil, err
	}
	if utxo.Value <= 0 || utxo.Value > maxSatoshi {
		return nil, fmt.Errorf("%w: value %d", ErrInvalid, utxo.Value)
	}
	key, err := c.keys.private(path)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(utxo.PkScript, network.KeyScript(key.PubKey().SerializeCompressed())) {
		return nil, fmt.Errorf("%w: script is not of our key %s", ErrInvalid, path)
	}
	return key, nil
}

// maxSatoshi is all that can exist on a network of this family (84 million
// coins, Litecoin's number).
const maxSatoshi = 84_000_000 * 100_000_000

// checkOutputs finds the payment exactly once, and beside it nothing but change
// to our own change key. It returns the sum.
func (c *bitcoinChain) checkOutputs(o order, outs []*wire.TxOut) (money.Units, error) {
	payment, err := c.params.Script(o.To)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := c.checkOwnDestination(o, payment); err != nil {
		return money.Units{}, err
	}
	change, err := c.changeScript(o)
	if err != nil {
		return money.Units{}, err
	}
	expected := 1
	if change != nil {
		expected++
	}
	if len(outs) != expected || bytes.Equal(payment, change) {
		return money.Units{}, fmt.Errorf("%w: %d outputs for %d, or change to the payee", ErrInvalid, len(outs), expected)
	}
	return sumOutputs(outs, payment, change, o.Amount)
}

// sumOutputs adds outputs, one of which must be the payment and all others
// change. There are as many as the request says, so change is there once at most.
func sumOutputs(outs []*wire.TxOut, payment, change []byte, amount money.Units) (total money.Units, err error) {
	paid := false
	for i, out := range outs {
		if out.Value <= 0 || out.Value > maxSatoshi {
			return total, fmt.Errorf("%w: output %d of %d", ErrInvalid, i, out.Value)
		}
		value := money.FromUint64(uint64(out.Value))
		switch {
		case !paid && bytes.Equal(out.PkScript, payment) && value == amount:
			paid = true
		case change != nil && bytes.Equal(out.PkScript, change):
		default:
			return total, fmt.Errorf("%w: output %d is neither payment nor change", ErrInvalid, i)
		}
		if total, err = total.Add(value); err != nil {
			return total, fmt.Errorf("%w: outputs: %w", ErrInvalid, err)
		}
	}
	if !paid {
		return total, fmt.Errorf("%w: nothing is paid", ErrInvalid)
	}
	return total, nil
}

// checkOwnDestination makes sure that what stays in the house ends at the key it names.
func (c *bitcoinChain) checkOwnDestination(o order, script []byte) error {
	if o.toPath == nil {
		return c.checkOutsider(script)
	}
	key, err := c.keys.private(*o.toPath)
	if err != nil {
		return err
	}
	if !bytes.Equal(script, network.KeyScript(key.PubKey().SerializeCompressed())) {
		return fmt.Errorf("%w: %s is not our key %s", ErrInvalid, o.To, o.toPath)
	}
	return nil
}

// checkOutsider refuses withdrawals to the hot wallet's own receiving address.
func (c *bitcoinChain) checkOutsider(script []byte) error {
	key, err := c.keys.private(keyPath{accountHot, branchReceive, 0})
	if err != nil {
		return err
	}
	if bytes.Equal(script, network.KeyScript(key.PubKey().SerializeCompressed())) {
		return fmt.Errorf("%w: withdrawal to ourselves", ErrInvalid)
	}
	return nil
}

// changeScript returns the script of the change key, or nil where the request
// names none. Change goes to the hot wallet's change branch only.
func (c *bitcoinChain) changeScript(o order) ([]byte, error) {
	if o.changePath == nil {
		return nil, nil
	}
	if o.changePath.account != accountHot || o.changePath.branch != branchChange {
		return nil, fmt.Errorf("%w: change to %s", ErrInvalid, o.changePath)
	}
	key, err := c.keys.private(*o.changePath)
	if err != nil {
		return nil, err
	}
	return network.KeyScript(key.PubKey().SerializeCompressed()), nil
}

// signPSBT signs each input and runs the script interpreter over the result.
func signPSBT(packet *psbt.Packet, keys []signingKey) (signature, error) {
	tx := packet.UnsignedTx.Copy()
	previous := make(map[wire.OutPoint]*wire.TxOut, len(tx.TxIn))
	for i, in := range tx.TxIn {
		previous[in.PreviousOutPoint] = packet.Inputs[i].WitnessUtxo
	}
	fetcher := txscript.NewMultiPrevOutFetcher(previous)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i := range tx.TxIn {
		utxo := packet.Inputs[i].WitnessUtxo
		witness, err := witnessOf(tx, hashes, i, utxo, keys[i])
		if err != nil {
			return signature{}, fmt.Errorf("sign input %d: %w", i, err)
		}
		tx.TxIn[i].Witness = witness
	}
	for i := range tx.TxIn {
		utxo := packet.Inputs[i].WitnessUtxo
		vm, err := txscript.NewEngine(utxo.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, utxo.Value, fetcher)
		if err != nil {
			return signature{}, fmt.Errorf("verify input %d: %w", i, err)
		}
		if err := vm.Execute(); err != nil {
			return signature{}, fmt.Errorf("verify input %d: %w: %w", i, errSelfCheck, err)
		}
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return signature{}, fmt.Errorf("encode signed transaction: %w", err)
	}
	return signature{raw: raw.Bytes(), txid: tx.TxHash().String()}, nil
}

// witnessOf signs one input: the signature in DER with its hash type, and the key.
func witnessOf(tx *wire.MsgTx, hashes *txscript.TxSigHashes, i int, utxo *wire.TxOut, key signingKey) (wire.TxWitness, error) {
	hash, err := txscript.CalcWitnessSigHash(utxo.PkScript, hashes, txscript.SigHashAll, tx, i, utxo.Value)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	compact, err := key.compact(hash)
	if err != nil {
		return nil, err
	}
	var r, s btcec.ModNScalar
	r.SetByteSlice(compact[1 : 1+wordSize])
	s.SetByteSlice(compact[1+wordSize:])
	der := append(ecdsa.NewSignature(&r, &s).Serialize(), byte(txscript.SigHashAll))
	return wire.TxWitness{der, key.PubKey().SerializeCompressed()}, nil
}
