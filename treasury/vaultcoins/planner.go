package vaultcoins

import (
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// houseIndex is the address of each branch that the house uses: sweeps go to the first
// one of the receiving branch, and what remains of a payment to the first of the other.
const houseIndex = 0

// ErrVault reports a vault that nobody described.
var ErrVault = errors.New("vault is not described")

// Vaults are the wallets of vaults by name. It is immutable and safe for concurrent use.
type Vaults map[string]*multisig.Wallet

var _ custodydb.VaultPlanner = Vaults{}

// Open opens vaults by their descriptors: name → network and descriptor.
func Open(descriptors map[string][2]string) (Vaults, error) {
	vaults := Vaults{}
	for name, d := range descriptors {
		v, _, err := multisig.ParseDescriptor(d[0], d[1])
		if err != nil {
			return nil, fmt.Errorf("vault %s: %w", name, err)
		}
		if vaults[name], err = multisig.Open(v); err != nil {
			return nil, fmt.Errorf("vault %s: %w", name, err)
		}
	}
	return vaults, nil
}

// Spend implements custodydb.VaultPlanner: the largest coins that suffice.
func (v Vaults) Spend(vault string, coins []custodydb.VaultCoin, payment chainadapters.Payment, fee chainadapters.Fee) (chainadapters.Plan, string, error) {
	w := v[vault]
	if w == nil {
		return chainadapters.Plan{}, "", fmt.Errorf("%q: %w", vault, ErrVault)
	}
	var sum money.Units
	var err error
	for n := 1; n <= min(len(coins), multisig.MaxInputs); n++ {
		if sum, err = sum.Add(coins[n-1].Amount); err != nil {
			return chainadapters.Plan{}, "", fmt.Errorf("add coins of %s up: %w", vault, err)
		}
		if sum.Less(payment.Amount) {
			continue
		}
		raw, err := v.psbt(w, coins[:n], payment, fee)
		if err == nil {
			return planOf(w, raw, coins[:n], fee)
		}
		if !errors.Is(err, multisig.ErrPlan) {
			return chainadapters.Plan{}, "", err
		}
	}
	return chainadapters.Plan{}, "", fmt.Errorf("%d coins of %s hold %s, %s and a fee are needed: %w", len(coins), vault, sum, payment.Amount, chainadapters.ErrFunds)
}

func (Vaults) psbt(w *multisig.Wallet, coins []custodydb.VaultCoin, payment chainadapters.Payment, fee chainadapters.Fee) ([]byte, error) {
	s := multisig.Spending{
		Payments: []multisig.Payment{{To: payment.To, Amount: payment.Amount}}, ChangeIndex: houseIndex, SatPerKVB: max(fee.SatPerKVB, multisig.MinSatPerKVB),
	}
	for i := range coins {
		branch, err := placeOf(w, coins[i].Address)
		if err != nil {
			return nil, err
		}
		s.Coins = append(s.Coins, multisig.Coin{Previous: coins[i].Previous, Vout: coins[i].Vout, Branch: branch, Index: houseIndex})
	}
	raw, err := w.Spend(s)
	if err != nil {
		return nil, fmt.Errorf("build PSBT: %w", err)
	}
	return raw, nil
}

// placeOf is the branch of a wallet that an address is on.
func placeOf(w *multisig.Wallet, address string) (branch uint32, err error) {
	for _, branch := range []uint32{multisig.Receive, multisig.Change} {
		at, err := w.Address(branch, houseIndex)
		if err != nil {
			return 0, fmt.Errorf("derive address: %w", err)
		}
		if at == address {
			return branch, nil
		}
	}
	return 0, fmt.Errorf("%s is not an address that the house uses: %w", address, ErrVault)
}

// planOf reads what a PSBT does: what goes back to the vault is a payment like the other,
// since the rest of custody knows no vaults.
func planOf(w *multisig.Wallet, raw []byte, coins []custodydb.VaultCoin, fee chainadapters.Fee) (plan chainadapters.Plan, change string, err error) {
	effect, err := w.Inspect(raw, nil)
	if err != nil {
		return plan, "", fmt.Errorf("read PSBT: %w", err)
	}
	plan.Fee = fee
	for i := range coins {
		plan.Coins = append(plan.Coins, coins[i].Coin)
	}
	for _, p := range effect.Payments {
		plan.Payments = append(plan.Payments, chainadapters.Payment{To: p.Address, Amount: p.Amount})
	}
	if effect.Change != nil {
		change = effect.Change.Address
		plan.Payments = append(plan.Payments, chainadapters.Payment{To: change, Amount: effect.Change.Amount})
	}
	return plan, change, nil
}
