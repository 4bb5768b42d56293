package evm_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
	"strongroom/chainadapters/evm/safe"
	"strongroom/money"
)

const vaultAddress = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

// executed is the call of a vault that two of its owners signed.
func executed(t *testing.T, tx safe.Tx) []byte {
	t.Helper()
	v := safe.Vault{ChainID: 31337, Address: common.HexToAddress(vaultAddress), Version: safe.Version, Threshold: 2}
	first, second := key(t, 101), key(t, 102)
	v.Owners = []common.Address{crypto.PubkeyToAddress(first.PublicKey), crypto.PubkeyToAddress(second.PublicKey)}
	slices.SortFunc(v.Owners, common.Address.Cmp)
	f, err := safe.File{Vault: v, Tx: tx}.Sign(first)
	if err == nil {
		f, err = f.Sign(second)
	}
	if err != nil {
		t.Fatal(err)
	}
	call, err := f.ExecCalldata()
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// carrying is a signed transaction that carries a call to the vault.
func carrying(t *testing.T, k *ecdsa.PrivateKey, plan chainadapters.Plan, exec []byte) (raw []byte, payload common.Hash) {
	t.Helper()
	vault := common.HexToAddress(vaultAddress)
	tx := types.NewTx(&types.DynamicFeeTx{
		ChainID: big.NewInt(31337), Nonce: plan.Slot.Nonce, GasTipCap: plan.Fee.TipCap.Big(), GasFeeCap: plan.Fee.FeeCap.Big(),
		Gas: plan.Fee.GasLimit, To: &vault, Data: exec,
	})
	signed, err := types.SignTx(tx, londonSigner, k)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = signed.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return raw, londonSigner.Hash(tx)
}

func vaultPlan(sender string, pay chainadapters.Payment, exec []byte) chainadapters.Plan {
	return chainadapters.Plan{
		Slot: &chainadapters.Slot{From: sender, Nonce: 7}, Payments: []chainadapters.Payment{pay}, Exec: exec,
		Fee: chainadapters.Fee{GasLimit: 120_000, TipCap: money.FromUint64(1), FeeCap: money.FromUint64(2)},
	}
}

func TestVaultsPayByCallsOfTheirs(t *testing.T) {
	a := openURL(t, "http://127.0.0.1:1")
	k := key(t, 1)
	sender := crypto.PubkeyToAddress(k.PublicKey)
	five := money.FromUint64(5)
	native := chainadapters.Payment{To: sender.Hex(), Amount: five, Vault: vaultAddress}
	token := chainadapters.Payment{To: sender.Hex(), Contract: to, Amount: five, Vault: vaultAddress}
	nativeCall := executed(t, safe.PayNative(sender, big.NewInt(5), 3))
	tokenCall := executed(t, safe.PayToken(common.HexToAddress(to), sender, big.NewInt(5), 3))
	for name, c := range map[string]struct {
		pay  chainadapters.Payment
		exec []byte
	}{"ether": {native, nativeCall}, "a token": {token, tokenCall}} {
		plan := vaultPlan(sender.Hex(), c.pay, c.exec)
		unsigned, err := a.Build(plan)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw, payload := carrying(t, k, plan, c.exec)
		if crypto.Keccak256Hash(unsigned.Bytes) != payload {
			t.Errorf("%s: the payload is another one", name)
		}
		got, err := a.Decode(raw)
		if err != nil || !slices.Equal(got.Payments, plan.Payments) || got.Spends[0].From != sender.Hex() {
			t.Errorf("%s: decoded %+v, %v", name, got, err)
		}
	}

	changed := func(by func(tx *safe.Tx)) []byte {
		tx := safe.PayNative(sender, big.NewInt(5), 3)
		by(&tx)
		return executed(t, tx)
	}
	other := native
	other.Amount = money.FromUint64(6)
	nothing := native
	nothing.Amount = money.Units{}
	bare := native
	bare.Vault = ""
	foreign := native
	foreign.To = to
	for name, plan := range map[string]chainadapters.Plan{
		"another amount":      vaultPlan(sender.Hex(), other, nativeCall),
		"another receiver":    vaultPlan(sender.Hex(), foreign, nativeCall),
		"a token for ether":   vaultPlan(sender.Hex(), native, tokenCall),
		"nothing":             vaultPlan(sender.Hex(), nothing, changed(func(tx *safe.Tx) { tx.Value = nil })),
		"no call":             vaultPlan(sender.Hex(), native, nil),
		"half a call":         vaultPlan(sender.Hex(), native, nativeCall[:len(nativeCall)-1]),
		"a call and no vault": vaultPlan(sender.Hex(), bare, nativeCall),
		"delegated":           vaultPlan(sender.Hex(), native, changed(func(tx *safe.Tx) { tx.Operation = safe.DelegateCall })),
		"gas of its own":      vaultPlan(sender.Hex(), native, changed(func(tx *safe.Tx) { tx.SafeTxGas = big.NewInt(1) })),
		"a gas price":         vaultPlan(sender.Hex(), native, changed(func(tx *safe.Tx) { tx.GasPrice = big.NewInt(1) })),
		"a refund":            vaultPlan(sender.Hex(), native, changed(func(tx *safe.Tx) { tx.RefundReceiver = sender })),
		"a foreign call":      vaultPlan(sender.Hex(), native, changed(func(tx *safe.Tx) { tx.Data = []byte{1, 2, 3, 4} })),
	} {
		if _, err := a.Build(plan); !errors.Is(err, chainadapters.ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	delegated := changed(func(tx *safe.Tx) { tx.Operation = safe.DelegateCall })
	raw, _ := carrying(t, k, vaultPlan(sender.Hex(), native, nil), delegated)
	if _, err := a.Decode(raw); !errors.Is(err, evm.ErrTransaction) {
		t.Errorf("a delegated call is decoded: %v", err)
	}
}
