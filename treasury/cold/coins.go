package cold

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// firstAddresses is how many addresses words show, for other devices to agree with.
const firstAddresses = 3

// coinBook is a vault of the Bitcoin family.
type coinBook struct {
	wallet *multisig.Wallet
	names  map[string]string // canonical address → name
	maxFee money.Units
}

func openCoins(d *Description) (*coinBook, error) {
	wallet, err := multisig.Open(*d.Multisig)
	if err != nil {
		return nil, fmt.Errorf("multisig: %w", err)
	}
	params, _ := network.ByName(d.Multisig.Network)
	b := &coinBook{wallet: wallet, names: make(map[string]string, len(d.Known)), maxFee: d.MaxFee}
	for i, key := range d.Multisig.Keys {
		if err := checkName(key.Name); err != nil {
			return nil, fmt.Errorf("multisig.keys[%d].name: %w", i, err)
		}
	}
	for i, k := range d.Known {
		parsed, err := params.Parse(k.Address)
		if err != nil {
			return nil, fmt.Errorf("known[%d].address: %w", i, err)
		}
		if other, twice := b.names[parsed]; twice {
			return nil, fmt.Errorf("known[%d].address: %s is %s already", i, parsed, other)
		}
		b.names[parsed] = k.Name
	}
	return b, nil
}

func (b *coinBook) inspect(file []byte) (*Review, error) {
	raw, err := multisig.Decode(file)
	if err != nil {
		return nil, err
	}
	e, err := b.wallet.Inspect(raw, b.names)
	if err != nil {
		return nil, err
	}
	if e.Fee.Cmp(b.maxFee) > 0 {
		return nil, fmt.Errorf("fee of %s base units is above the vault's maxFee of %s", e.Fee, b.maxFee)
	}
	r := &Review{Words: withoutSigners(e), Confirm: e.TxID, Need: e.K, Hashes: []Hash{{"transaction id", e.TxID}}}
	sums, err := inputHashes(raw)
	if err != nil {
		return nil, err
	}
	for i, sum := range sums {
		r.Hashes = append(r.Hashes, Hash{fmt.Sprintf("signature hash %d", i), hex.EncodeToString(sum)})
	}
	for _, key := range b.wallet.Vault().Keys {
		if who := (Signer{key.Name, key.Fingerprint}); slices.Contains(e.Signed, key.Fingerprint) {
			r.Signed = append(r.Signed, who)
		} else {
			r.Missing = append(r.Missing, who)
		}
	}
	return r, nil
}

// withoutSigners leaves out what the review says with names.
func withoutSigners(e *multisig.Effect) string {
	text := e.String()
	if len(e.Partly) > 0 {
		return text
	}
	before, _, _ := strings.Cut(text, "Signed by ")
	return before
}

// inputHashes are what each cosigner's device signs, input by input. raw was
// inspected: its scripts and amounts are the vault's.
func inputHashes(raw []byte) ([][]byte, error) {
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		return nil, fmt.Errorf("read PSBT: %w", err)
	}
	tx := packet.UnsignedTx
	spent := make(map[wire.OutPoint]*wire.TxOut, len(tx.TxIn))
	for i, in := range tx.TxIn {
		spent[in.PreviousOutPoint] = packet.Inputs[i].WitnessUtxo
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewMultiPrevOutFetcher(spent))
	sums := make([][]byte, len(tx.TxIn))
	for i := range packet.Inputs {
		in := &packet.Inputs[i]
		if sums[i], err = txscript.CalcWitnessSigHash(in.WitnessScript, hashes, txscript.SigHashAll, tx, i, in.WitnessUtxo.Value); err != nil {
			return nil, fmt.Errorf("hash of input %d: %w", i, err)
		}
	}
	return sums, nil
}

func (b *coinBook) sign(file []byte, hash string, key *Key) ([]byte, Signer, error) {
	raw, err := multisig.Decode(file)
	if err != nil {
		return nil, Signer{}, err
	}
	who, err := b.signerOf(key)
	if err != nil {
		return nil, Signer{}, err
	}
	master, err := key.master(b.wallet.Vault().Network)
	if err != nil {
		return nil, Signer{}, err
	}
	defer master.Zero()
	signed, err := b.wallet.Sign(raw, hash, master)
	if errors.Is(err, multisig.ErrKey) {
		return nil, Signer{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err != nil {
		return nil, Signer{}, err
	}
	return []byte(multisig.Encode(signed) + "\n"), who, nil
}

// signerOf finds whose key it is.
func (b *coinBook) signerOf(key *Key) (Signer, error) {
	own, err := key.Cosigner(b.wallet.Vault().Network)
	if err != nil {
		return Signer{}, err
	}
	for _, c := range b.wallet.Vault().Keys {
		if c.Fingerprint == own.Fingerprint {
			return Signer{c.Name, c.Fingerprint}, nil
		}
	}
	return Signer{}, fmt.Errorf("%w: %s is no cosigner of this vault", ErrKey, own.Fingerprint)
}

func (b *coinBook) combine(files [][]byte) ([]byte, error) {
	raws := make([][]byte, len(files))
	for i, file := range files {
		raw, err := multisig.Decode(file)
		if err != nil {
			return nil, fmt.Errorf("copy %d: %w", i+1, err)
		}
		raws[i] = raw
	}
	joined, err := b.wallet.Combine(raws...)
	if err != nil {
		return nil, err
	}
	return []byte(multisig.Encode(joined) + "\n"), nil
}

func (b *coinBook) finish(file []byte) (*Finished, error) {
	raw, err := multisig.Decode(file)
	if err != nil {
		return nil, err
	}
	tx, txid, err := b.wallet.Finalize(raw)
	if err != nil {
		return nil, err
	}
	return &Finished{ID: txid, Hex: hex.EncodeToString(tx)}, nil
}

func (b *coinBook) words() (string, error) {
	var text strings.Builder
	v := b.wallet.Vault()
	fmt.Fprintf(&text, "%d of %d keys, P2WSH on network %s, checksum %s\n", v.K, len(v.Keys), v.Network, b.wallet.ID())
	for _, key := range v.Keys {
		fmt.Fprintf(&text, "  %s  %s  %s\n    %s\n", key.Fingerprint, key.Path, key.Name, key.XPub)
	}
	for branch, name := range []string{"receive", "change"} {
		descriptor, err := b.wallet.Descriptor(uint32(branch))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "%s: %s\n", name, descriptor)
		for index := range uint32(firstAddresses) {
			address, err := b.wallet.Address(uint32(branch), index)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&text, "  %s %d  %s\n", name, index, address)
		}
	}
	return text.String(), nil
}
