package multisig

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Sign adds one cosigner's signatures to every input of the transaction that txid
// names: the one that Inspect showed, so that no other can be signed in its place.
// key is the cosigner's master key, or the key of the account. Signatures have a low
// S and are deterministic (RFC 6979), so that signing again gives the same bytes.
// Errors wrap ErrKey, or are those of Inspect.
func (w *Wallet) Sign(raw []byte, txid string, key *hdkeychain.ExtendedKey) ([]byte, error) {
	k, err := w.inspect(raw, nil)
	if err != nil {
		return nil, err
	}
	if k.effect.TxID != txid {
		return nil, fmt.Errorf("%w: it is transaction %s, and %.70q was approved", ErrRefused, k.effect.TxID, txid)
	}
	cosigner, account, err := w.account(key)
	if err != nil {
		return nil, err
	}
	if account != key {
		defer account.Zero()
	}
	for i := range k.places {
		if k.signed[i][cosigner] {
			continue
		}
		if err := w.signInput(k, i, cosigner, account); err != nil {
			return nil, fmt.Errorf("sign input %d: %w", i, err)
		}
	}
	return w.checked(k.packet, txid)
}

// checked encodes a packet and reads it again.
func (w *Wallet) checked(packet *psbt.Packet, txid string) ([]byte, error) {
	raw, err := encode(packet)
	if err != nil {
		return nil, err
	}
	again, err := w.Inspect(raw, nil)
	if err != nil {
		return nil, err
	}
	if again.TxID != txid {
		return nil, fmt.Errorf("%w: became transaction %s", ErrRefused, again.TxID)
	}
	return raw, nil
}

// account finds whose key it is, and derives that cosigner's account from it.
func (w *Wallet) account(key *hdkeychain.ExtendedKey) (int, *hdkeychain.ExtendedKey, error) {
	if key == nil || !key.IsPrivate() {
		return 0, nil, fmt.Errorf("%w: it is no private key", ErrKey)
	}
	for i, o := range w.origins {
		account := key
		if key.Depth() == 0 {
			var err error
			if account, err = descend(key, o.path[:]...); err != nil {
				return 0, nil, err
			}
		}
		if samePoint(account, w.accounts[i]) && bytes.Equal(account.ChainCode(), w.accounts[i].ChainCode()) {
			return i, account, nil
		}
		if account != key {
			account.Zero()
		}
	}
	return 0, nil, fmt.Errorf("%w: it is neither the master key nor the account of any of its %d cosigners", ErrKey, len(w.accounts))
}

// descend derives along a path and wipes what is between.
func descend(key *hdkeychain.ExtendedKey, path ...uint32) (*hdkeychain.ExtendedKey, error) {
	at := key
	for _, step := range path {
		next, err := at.Derive(step)
		if at != key {
			at.Zero()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: derive %d: %w", ErrKey, step, err)
		}
		at = next
	}
	return at, nil
}

func (w *Wallet) signInput(k *known, i, cosigner int, account *hdkeychain.ExtendedKey) error {
	p := k.places[i]
	child, err := descend(account, p.branch, p.index)
	if err != nil {
		return err
	}
	defer child.Zero()
	private, err := child.ECPrivKey()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	defer private.Zero()
	digest, err := k.digest(i)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(p.keys, func(key placeKey) bool { return key.cosigner == cosigner })
	signature := ecdsa.Sign(private, digest)
	if !private.PubKey().IsEqual(p.keys[at].public) || !signature.Verify(digest, p.keys[at].public) {
		return fmt.Errorf("%w: its signature is not valid", ErrKey)
	}
	in := &k.packet.Inputs[i]
	in.PartialSigs = append(in.PartialSigs, &psbt.PartialSig{
		PubKey: p.keys[at].bytes, Signature: append(signature.Serialize(), byte(txscript.SigHashAll)),
	})
	return nil
}

// digest is what signatures of an input are over (BIP 143).
func (k *known) digest(i int) ([]byte, error) {
	hash, err := txscript.CalcWitnessSigHash(k.places[i].witness, k.hashes, txscript.SigHashAll, k.packet.UnsignedTx, i, k.spent[i].Value)
	if err != nil {
		return nil, fmt.Errorf("hash input %d: %w", i, err)
	}
	return hash, nil
}

// inspectSignatures verifies each signature that is there, and notes whose it is.
func (w *Wallet) inspectSignatures(k *known) error {
	outs := make(map[wire.OutPoint]*wire.TxOut, len(k.spent))
	for i, in := range k.packet.UnsignedTx.TxIn {
		outs[in.PreviousOutPoint] = k.spent[i]
	}
	k.hashes = txscript.NewTxSigHashes(k.packet.UnsignedTx, txscript.NewMultiPrevOutFetcher(outs))
	counts := make([]int, len(w.accounts))
	k.effect.Ready = true
	for i := range k.places {
		signed := make([]bool, len(w.accounts))
		digest, err := k.digest(i)
		if err != nil {
			return err
		}
		for _, partial := range k.packet.Inputs[i].PartialSigs {
			cosigner, err := verify(k.places[i], partial, digest)
			if err != nil {
				return fmt.Errorf("input %d: %w", i, err)
			}
			signed[cosigner] = true
			counts[cosigner]++
		}
		k.signed = append(k.signed, signed)
		k.effect.Ready = k.effect.Ready && len(k.packet.Inputs[i].PartialSigs) >= w.vault.K
	}
	for cosigner, n := range counts {
		switch fingerprint := w.vault.Keys[cosigner].Fingerprint; {
		case n == len(k.places):
			k.effect.Signed = append(k.effect.Signed, fingerprint)
		case n > 0:
			k.effect.Partly = append(k.effect.Partly, fingerprint)
		}
	}
	return nil
}

// verify says which cosigner a signature is of.
func verify(p *place, partial *psbt.PartialSig, digest []byte) (int, error) {
	at := slices.IndexFunc(p.keys, func(key placeKey) bool { return bytes.Equal(key.bytes, partial.PubKey) })
	if at < 0 {
		return 0, fmt.Errorf("%w: signed by key %x, which is not one of the vault's", ErrRefused, partial.PubKey)
	}
	last := len(partial.Signature) - 1
	if last < 0 || partial.Signature[last] != byte(txscript.SigHashAll) {
		return 0, fmt.Errorf("%w: signature of key %x does not cover the whole transaction", ErrRefused, partial.PubKey)
	}
	signature, err := ecdsa.ParseDERSignature(partial.Signature[:last])
	// Serialized again it has a low S and one form only.
	if err != nil || !bytes.Equal(signature.Serialize(), partial.Signature[:last]) {
		return 0, fmt.Errorf("%w: signature of key %x is not in canonical form", ErrRefused, partial.PubKey)
	}
	if !signature.Verify(digest, p.keys[at].public) {
		return 0, fmt.Errorf("%w: signature of key %x is not of this transaction", ErrRefused, partial.PubKey)
	}
	return p.keys[at].cosigner, nil
}
