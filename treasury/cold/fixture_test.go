package cold_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
	"strongroom/treasury/cold"
)

// house is a vault of coins with everybody's keys.
type house struct {
	*cold.Vault

	text   []byte // description
	wallet *multisig.Wallet
	keys   []*cold.Key
	params network.Params
}

func names() []string { return []string{"ada", "bob", "cem", "dia", "eve"} }

// zeros are entropy that differs by one byte.
type zeros byte

func (z zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(z)
	}
	return len(b), nil
}

const passphrase = "correct horse battery"

func newKey(tb testing.TB, n byte) *cold.Key {
	tb.Helper()
	key, _, err := cold.NewKey(zeros(n), passphrase, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func openHouse(tb testing.TB, networkName string, k, n int, known ...cold.Known) *house {
	tb.Helper()
	params, ok := network.ByName(networkName)
	if !ok {
		tb.Fatal("no network", networkName)
	}
	v := multisig.Vault{Network: networkName, K: k}
	h := &house{params: params}
	for i := range n {
		key := newKey(tb, byte(i+1))
		cosigner, err := key.Cosigner(networkName)
		if err != nil {
			tb.Fatal(err)
		}
		cosigner.Name = names()[i]
		v.Keys, h.keys = append(v.Keys, cosigner), append(h.keys, key)
	}
	var err error
	if h.wallet, err = multisig.Open(v); err != nil {
		tb.Fatal(err)
	}
	if h.text, err = json.Marshal(cold.Description{
		Kind: cold.KindMultisig, Name: "cold-1", Multisig: &v, Known: known, MaxFee: money.FromUint64(50_000),
	}); err != nil {
		tb.Fatal(err)
	}
	d, err := cold.ParseDescription(h.text)
	if err != nil {
		tb.Fatal(err)
	}
	if h.Vault, err = cold.Open(d); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *house) outside(tb testing.TB) string {
	tb.Helper()
	text, err := h.params.KeyAddress([]byte(strings.Repeat("k", 33)))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// coin is a coin at the vault's first address.
func (h *house) coin(tb testing.TB, amount int64) multisig.Coin {
	tb.Helper()
	address, err := h.wallet.Address(multisig.Receive, 0)
	if err != nil {
		tb.Fatal(err)
	}
	script, err := h.params.Script(address)
	if err != nil {
		tb.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{1}}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(amount, script))
	var raw strings.Builder
	if err := tx.Serialize(&raw); err != nil {
		tb.Fatal(err)
	}
	return multisig.Coin{Previous: []byte(raw.String())}
}

// spend is the file of a PSBT that pays 0.7 of one coin.
func (h *house) spend(tb testing.TB, rate uint64) []byte {
	tb.Helper()
	raw, err := h.wallet.Spend(multisig.Spending{
		Coins: []multisig.Coin{h.coin(tb, 100_000_000)}, ChangeIndex: 3, SatPerKVB: rate,
		Payments: []multisig.Payment{{To: h.outside(tb), Amount: money.FromUint64(70_000_000)}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(multisig.Encode(raw))
}

func (h *house) review(tb testing.TB, file []byte) *cold.Review {
	tb.Helper()
	r, err := h.Inspect(file)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func (h *house) sign(tb testing.TB, file []byte, who int) []byte {
	tb.Helper()
	signed, signer, err := h.Sign(file, h.review(tb, file).Confirm, h.keys[who])
	if err != nil {
		tb.Fatal(err)
	}
	if signer.Name != names()[who] {
		tb.Fatalf("signed as %s", signer)
	}
	return signed
}
