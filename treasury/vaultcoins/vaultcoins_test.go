package vaultcoins_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/money"
	"strongroom/treasury/cold"
	"strongroom/treasury/vaultcoins"
)

const hot = "bcrt1q36vgka744klfrth8sw7dggl07al4rdwhha0gty"

// house is a vault of two of three with coins in it, and custody's rows.
type house struct {
	t      *testing.T
	wallet *multisig.Wallet
	keys   []*cold.Key
	vaults vaultcoins.Vaults
	coins  []custodydb.VaultCoin
	row    custodydb.IntentRow
	offer  []byte
	copies [][]byte
}

func open(t *testing.T, amounts ...int64) *house {
	t.Helper()
	h := &house{t: t}
	v := multisig.Vault{Network: "regtest", K: 2}
	for n := range 3 {
		key, _, err := cold.NewKey(bytes.NewReader(bytes.Repeat([]byte{byte(n + 1)}, 64)), "a passphrase of some length", 1)
		require.NoError(t, err)
		cosigner, err := key.Cosigner("regtest")
		require.NoError(t, err)
		h.keys, v.Keys = append(h.keys, key), append(v.Keys, cosigner)
	}
	var err error
	h.wallet, err = multisig.Open(v)
	require.NoError(t, err)
	descriptor, err := h.wallet.Descriptor(multisig.Receive)
	require.NoError(t, err)
	h.vaults, err = vaultcoins.Open(map[string][2]string{"cold-btc": {"regtest", descriptor}})
	require.NoError(t, err)
	for n, amount := range amounts {
		h.fund(amount, byte(n))
	}
	h.row = custodydb.IntentRow{Intent: custody.Intent{ID: "rfl_1", Kind: custody.IntentRefill, Asset: "BTC", To: hot, Amount: money.FromUint64(70_000)}, Vault: "cold-btc"}
	return h
}

// fund is a transaction of the house's that pays the vault.
func (h *house) fund(amount int64, n byte) {
	h.t.Helper()
	params, _ := network.ByName("regtest")
	address, err := h.wallet.Address(multisig.Receive, 0)
	require.NoError(h.t, err)
	script, err := params.Script(address)
	require.NoError(h.t, err)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{n + 1}, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(amount, script))
	var raw bytes.Buffer
	require.NoError(h.t, tx.Serialize(&raw))
	coin := custodydb.VaultCoin{Previous: raw.Bytes()}
	coin.TxID, coin.Address, coin.Amount = tx.TxHash().String(), address, money.FromUint64(uint64(amount))
	h.coins = append(h.coins, coin)
}

func (h *house) LoadIntent(context.Context, string) (custodydb.IntentRow, error) { return h.row, nil }

func (h *house) Raw(_ context.Context, _ chainadapters.ChainID, txids []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	for _, c := range h.coins {
		for _, id := range txids {
			if c.TxID == id {
				found[id] = c.Previous
			}
		}
	}
	return found, nil
}

func (h *house) Offer(_ context.Context, _, _ string, psbt []byte) error {
	if h.offer != nil && !bytes.Equal(h.offer, psbt) {
		return errors.New("another transaction was offered")
	}
	h.offer = psbt
	return nil
}

func (h *house) Copies(context.Context, string) ([][]byte, error) { return h.copies, nil }

func (h *house) spend(fee uint64) (chainadapters.Plan, string, error) {
	return h.vaults.Spend("cold-btc", h.coins, chainadapters.Payment{To: hot, Amount: h.row.Amount}, chainadapters.Fee{SatPerKVB: fee})
}

// signed is what a person brings back of what was offered.
func (h *house) signed(who int, psbt []byte) []byte {
	h.t.Helper()
	vault, err := cold.Open(h.describe())
	require.NoError(h.t, err)
	effect, err := h.wallet.Inspect(psbt, nil)
	require.NoError(h.t, err)
	out, _, err := vault.Sign(psbt, effect.TxID, h.keys[who])
	require.NoError(h.t, err)
	raw, err := multisig.Decode(out)
	require.NoError(h.t, err)
	return raw
}

func (h *house) describe() *cold.Description {
	v := h.wallet.Vault()
	for i := range v.Keys {
		v.Keys[i].Name = []string{"ada", "bob", "cem"}[i]
	}
	return &cold.Description{Kind: cold.KindMultisig, Name: "cold-btc", Multisig: &v, MaxFee: money.FromUint64(1_000_000)}
}

func TestCosignersBringARefillHome(t *testing.T) {
	h := open(t, 100_000, 50_000)
	plan, change, err := h.spend(2_000)
	require.NoError(t, err)
	require.Len(t, plan.Coins, 1, "one coin suffices")
	require.Len(t, plan.Payments, 2)
	again, _, err := h.spend(2_000)
	require.NoError(t, err)
	require.Equal(t, plan, again)
	back, err := h.wallet.Address(multisig.Change, 0)
	require.NoError(t, err)
	require.Equal(t, back, change)

	c, err := vaultcoins.NewCosigners(h.vaults, h, h)
	require.NoError(t, err)
	ask := func() (desk.Signature, error) {
		return c.Sign(t.Context(), desk.SignRequest{Intent: h.row.Intent, Attempt: 1, Plan: plan})
	}
	_, err = ask()
	require.ErrorIs(t, err, custody.ErrConsent)
	one := h.signed(0, h.offer)
	who, err := h.vaults.Check("cold-btc", h.offer, one)
	require.NoError(t, err)
	require.Len(t, who, 1)
	h.copies = [][]byte{one, one}
	_, err = ask()
	require.ErrorIs(t, err, custody.ErrConsent, "the same person twice is one")
	h.copies = append(h.copies, h.signed(2, h.offer))
	signature, err := ask()
	require.NoError(t, err)
	effect, err := h.wallet.Inspect(h.offer, nil)
	require.NoError(t, err)
	require.Equal(t, effect.TxID, signature.TxID)
	require.NotEmpty(t, signature.Raw)
}

func TestSpendTakesWhatSuffices(t *testing.T) {
	h := open(t, 50_000, 30_000, 20_000)
	plan, _, err := h.spend(2_000)
	require.NoError(t, err)
	require.Len(t, plan.Coins, 2)
	h.row.Amount = money.FromUint64(99_900)
	_, _, err = h.spend(50_000)
	require.ErrorIs(t, err, chainadapters.ErrFunds)
	_, _, err = h.vaults.Spend("cold-ltc", h.coins, chainadapters.Payment{To: hot, Amount: h.row.Amount}, chainadapters.Fee{SatPerKVB: 2_000})
	require.ErrorIs(t, err, vaultcoins.ErrVault)
	h.coins[0].Address = hot
	h.row.Amount = money.FromUint64(10_000)
	_, _, err = h.spend(2_000)
	require.ErrorIs(t, err, vaultcoins.ErrVault, "a coin that is not the vault's")
	_, err = vaultcoins.Open(map[string][2]string{"x": {"regtest", "wsh(nothing)"}})
	require.Error(t, err)
}

func TestWhatIsNotWhatWasOffered(t *testing.T) {
	h := open(t, 100_000)
	plan, _, err := h.spend(2_000)
	require.NoError(t, err)
	c, err := vaultcoins.NewCosigners(h.vaults, h, h)
	require.NoError(t, err)
	_, err = c.Sign(t.Context(), desk.SignRequest{Intent: h.row.Intent, Attempt: 1, Plan: plan})
	require.ErrorIs(t, err, custody.ErrConsent)
	other := open(t, 100_000)
	other.row.Amount = money.FromUint64(60_000)
	foreign, _, err := other.spend(2_000)
	require.NoError(t, err)
	oc, err := vaultcoins.NewCosigners(other.vaults, other, other)
	require.NoError(t, err)
	_, err = oc.Sign(t.Context(), desk.SignRequest{Intent: other.row.Intent, Attempt: 1, Plan: foreign})
	require.ErrorIs(t, err, custody.ErrConsent)
	for name, brought := range map[string][]byte{
		"another transaction": other.signed(0, other.offer), "no signature": h.offer, "no PSBT": []byte("psbt"),
	} {
		_, err := h.vaults.Check("cold-btc", h.offer, brought)
		require.Error(t, err, name)
	}
	h.copies = [][]byte{other.signed(0, other.offer)}
	_, err = c.Sign(t.Context(), desk.SignRequest{Intent: h.row.Intent, Attempt: 1, Plan: plan})
	require.Error(t, err)
	require.NotErrorIs(t, err, custody.ErrConsent, "%v", err)
	plan.Payments[0].To, plan.Payments[1].To = strings.Repeat("x", 5), "y"
	_, err = c.Sign(t.Context(), desk.SignRequest{Intent: h.row.Intent, Attempt: 1, Plan: plan})
	require.ErrorIs(t, err, custody.ErrIllegal)
	_, err = vaultcoins.NewCosigners(nil, nil, nil)
	require.Error(t, err)
}
