package multisig

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// fataler is what *testing.T, *testing.F and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var _ fataler = (*rapid.T)(nil)

// house is a vault with everybody's keys.
type house struct {
	*Wallet

	masters []*hdkeychain.ExtendedKey
}

// openHouse makes a vault out of seeds that follow from salt.
func openHouse(t fataler, networkName string, k, n int, salt string) *house {
	t.Helper()
	v, masters := vaultOf(t, networkName, k, n, salt)
	w, err := Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return &house{w, masters}
}

func vaultOf(t fataler, networkName string, k, n int, salt string) (Vault, []*hdkeychain.ExtendedKey) {
	t.Helper()
	params, known := network.ByName(networkName)
	if !known {
		t.Fatalf("network %s is unknown", networkName)
	}
	v := Vault{Network: networkName, K: k}
	var masters []*hdkeychain.ExtendedKey
	for i := range n {
		seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", salt, i))
		master, err := hdkeychain.NewMaster(seed[:], &chaincfg.RegressionNetParams)
		if err != nil {
			t.Fatal(err)
		}
		master, err = master.CloneWithVersion(params.HDPrivateID[:])
		if err != nil {
			t.Fatal(err)
		}
		masters = append(masters, master)
		v.Keys = append(v.Keys, cosignerOf(t, master, params))
	}
	return v, masters
}

func cosignerOf(t fataler, master *hdkeychain.ExtendedKey, params network.Params) Cosigner {
	t.Helper()
	public, err := master.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	account, err := descend(master, hardened+48, hardened+params.CoinType, hardened, hardened+2)
	if err != nil {
		t.Fatal(err)
	}
	neutered := hdkeychain.NewExtendedKey(params.HDPublicID[:], publicOf(t, account), account.ChainCode(), parentOf(account), account.Depth(), account.ChildIndex(), false)
	return Cosigner{
		Fingerprint: hex.EncodeToString(address.Hash160(public.SerializeCompressed())[:4]),
		Path:        fmt.Sprintf("m/48'/%d'/0'/2'", params.CoinType), XPub: neutered.String(),
	}
}

func publicOf(t fataler, key *hdkeychain.ExtendedKey) []byte {
	t.Helper()
	public, err := key.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	return public.SerializeCompressed()
}

func parentOf(key *hdkeychain.ExtendedKey) []byte {
	return binary.BigEndian.AppendUint32(nil, key.ParentFingerprint())
}

// coin is a coin at an address of the vault, out of a transaction that pays others too.
func (h *house) coin(t fataler, branch, index uint32, amount int64, salt byte) Coin {
	t.Helper()
	p, err := h.place(branch, index)
	if err != nil {
		t.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{Hash: sha256.Sum256([]byte{salt})}, nil, nil)
	in.Witness = wire.TxWitness{make([]byte, 71), make([]byte, 33)}
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(12_345, network.KeyScript(make([]byte, 33))))
	tx.AddTxOut(wire.NewTxOut(amount, p.output))
	return Coin{Previous: bytesOf(t, tx), Vout: 1, Branch: branch, Index: index}
}

func bytesOf(t fataler, tx *wire.MsgTx) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// outside is an address of somebody else.
func (h *house) outside(t fataler, n byte) string {
	t.Helper()
	key := sha256.Sum256([]byte{n})
	text, err := h.params.KeyAddress(key[:])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// typical spends two coins of 1 and 0.5 coins for 0.7, with change at 1/3.
func (h *house) typical(t fataler) (raw []byte, s Spending) {
	t.Helper()
	s = Spending{
		Coins:    []Coin{h.coin(t, Receive, 7, 100_000_000, 1), h.coin(t, Change, 2, 50_000_000, 2)},
		Payments: []Payment{{To: h.outside(t, 1), Amount: money.FromUint64(70_000_000)}}, ChangeIndex: 3, SatPerKVB: 12_000,
	}
	return h.spend(t, s), s
}

func (h *house) spend(t fataler, s Spending) []byte {
	t.Helper()
	raw, err := h.Spend(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h *house) effect(t fataler, raw []byte) *Effect {
	t.Helper()
	e, err := h.Inspect(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sign adds the signatures of a cosigner.
func (h *house) sign(t fataler, raw []byte, cosigner int) []byte {
	t.Helper()
	signed, err := h.Sign(raw, h.effect(t, raw).TxID, h.masters[cosigner])
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (h *house) combine(t fataler, raws ...[]byte) []byte {
	t.Helper()
	raw, err := h.Combine(raws...)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unsigned(t fataler, raw []byte) *wire.MsgTx {
	t.Helper()
	packet, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return packet.UnsignedTx
}
