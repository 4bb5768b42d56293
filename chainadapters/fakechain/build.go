package fakechain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Size of a transaction with coins, in virtual bytes, and the least output.
const (
	sizeBase   = 11
	sizeInput  = 68
	sizeOutput = 31
	dustCoin   = 546
)

// Build implements chainadapters.Adapter. The bytes are canonical JSON.
func (a *Adapter) Build(plan chainadapters.Plan) (chainadapters.Unsigned, error) {
	if err := a.checkPayments(plan); err != nil {
		return chainadapters.Unsigned{}, err
	}
	b := body{Network: a.chain.network, Outputs: slices.Clone(plan.Payments)}
	var out chainadapters.Unsigned
	var err error
	if a.Family() == chainadapters.Account {
		out.MaxFee, err = accountPlan(&b, plan)
	} else {
		out.MaxFee, out.Change, err = coinPlan(&b, plan)
		out.Size = sizeOf(len(b.Inputs), len(b.Outputs))
	}
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	if out.Bytes, err = json.Marshal(b); err != nil {
		return chainadapters.Unsigned{}, fmt.Errorf("%w: %w", chainadapters.ErrPlan, err)
	}
	return out, nil
}

// checkPayments refuses what neither family can pay.
func (a *Adapter) checkPayments(plan chainadapters.Plan) error {
	if n := len(plan.Payments); n == 0 || n >= maxOutputs || (plan.Slot != nil && len(plan.Coins) > 0) {
		return fmt.Errorf("%w: %d payments, slot %t, %d coins", chainadapters.ErrPlan, len(plan.Payments), plan.Slot != nil, len(plan.Coins))
	}
	for _, p := range plan.Payments {
		if err := a.checkPayment(p, plan.Slot); err != nil {
			return err
		}
	}
	return nil
}

// checkPayment lets nothing be paid only from an address to itself: that is how
// a nonce is consumed to cancel.
func (a *Adapter) checkPayment(p chainadapters.Payment, slot *chainadapters.Slot) error {
	cancel := slot != nil && p.To == slot.From && p.Contract == ""
	if _, err := a.ParseAddress(p.To); err != nil {
		return fmt.Errorf("%w: recipient: %w", chainadapters.ErrPlan, err)
	}
	if p.Contract != "" && p.Contract != a.chain.Token() {
		return fmt.Errorf("%w: no token %s", chainadapters.ErrPlan, p.Contract)
	}
	if p.Amount.Less(a.Dust()) && !cancel {
		return fmt.Errorf("%w: payment of %s", chainadapters.ErrPlan, p.Amount)
	}
	return nil
}

func accountPlan(b *body, plan chainadapters.Plan) (maxFee money.Units, err error) {
	if plan.Slot == nil || len(plan.Payments) != 1 {
		return money.Units{}, fmt.Errorf("%w: an account chain wants a slot and one payment", chainadapters.ErrPlan)
	}
	if plan.Fee.GasLimit < gasNative || plan.Fee.FeeCap.IsZero() || plan.Fee.FeeCap.Less(plan.Fee.TipCap) {
		return money.Units{}, fmt.Errorf("%w: fee %+v", chainadapters.ErrPlan, plan.Fee)
	}
	if (plan.Payments[0].Vault == "") != (len(plan.Exec) == 0) {
		return money.Units{}, fmt.Errorf("%w: a vault pays by a call, and nobody else does", chainadapters.ErrPlan)
	}
	b.From, b.Nonce, b.Fee, b.Exec = plan.Slot.From, plan.Slot.Nonce, plan.Fee, plan.Exec
	maxFee, err = plan.Fee.FeeCap.Mul(plan.Fee.GasLimit)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: fee: %w", chainadapters.ErrPlan, err)
	}
	return maxFee, nil
}

// coinPlan spends all coins of the plan and returns to ChangeTo what is left,
// unless that is dust.
func coinPlan(b *body, plan chainadapters.Plan) (fee, change money.Units, err error) {
	if len(plan.Coins) == 0 || plan.Fee.SatPerKVB == 0 {
		return fee, change, fmt.Errorf("%w: no coins or no fee rate", chainadapters.ErrPlan)
	}
	seen := map[chainadapters.Outpoint]bool{}
	var in money.Units
	for _, c := range plan.Coins {
		if seen[c.Outpoint] {
			return fee, change, fmt.Errorf("%w: coin %s:%d twice", chainadapters.ErrPlan, c.TxID, c.Vout)
		}
		seen[c.Outpoint] = true
		b.Inputs = append(b.Inputs, c.Outpoint)
		if in, err = in.Add(c.Amount); err != nil {
			return fee, change, fmt.Errorf("%w: coins: %w", chainadapters.ErrPlan, err)
		}
	}
	paid, err := total(plan.Payments)
	if err != nil {
		return fee, change, err
	}
	left, err := in.Sub(paid)
	if err != nil || left.Less(sizeFee(len(plan.Coins), len(plan.Payments), plan.Fee)) {
		return fee, change, fmt.Errorf("%w: coins of %s for %s and the fee", chainadapters.ErrFunds, in, paid)
	}
	change = left.SubFloor(sizeFee(len(plan.Coins), len(plan.Payments)+1, plan.Fee))
	if plan.ChangeTo == "" || change.Less(money.FromUint64(dustCoin)) {
		return left, money.Units{}, nil
	}
	b.Outputs = append(b.Outputs, chainadapters.Payment{To: plan.ChangeTo, Amount: change})
	return left.SubFloor(change), change, nil
}

func total(payments []chainadapters.Payment) (money.Units, error) {
	var sum money.Units
	for _, p := range payments {
		var err error
		if sum, err = sum.Add(p.Amount); err != nil {
			return money.Units{}, fmt.Errorf("%w: payments: %w", chainadapters.ErrPlan, err)
		}
	}
	return sum, nil
}

// sizeFee is the rate times the size, rounded up.
func sizeFee(inputs, outputs int, fee chainadapters.Fee) money.Units {
	return money.FromUint64((sizeOf(inputs, outputs)*fee.SatPerKVB + 999) / 1000)
}

// sizeOf is the size in virtual bytes.
func sizeOf(inputs, outputs int) uint64 {
	return uint64(sizeBase + sizeInput*inputs + sizeOutput*outputs) //nolint:gosec // counts are bounded
}

// SelectCoins implements chainadapters.Adapter: coins in blocks first, of them the
// largest.
func (a *Adapter) SelectCoins(available []chainadapters.Coin, payments []chainadapters.Payment, fee chainadapters.Fee) ([]chainadapters.Coin, error) {
	if a.Family() == chainadapters.Account {
		return nil, fmt.Errorf("%w: an account chain has no coins", chainadapters.ErrPlan)
	}
	paid, err := total(payments)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(available)
	slices.SortFunc(sorted, func(x, y chainadapters.Coin) int {
		return cmp.Or(cmp.Compare(x.Pending, y.Pending), y.Amount.Cmp(x.Amount), cmp.Compare(x.TxID, y.TxID), cmp.Compare(x.Vout, y.Vout))
	})
	var in money.Units
	for i, c := range sorted {
		if in, err = in.Add(c.Amount); err != nil {
			return nil, fmt.Errorf("%w: coins: %w", chainadapters.ErrPlan, err)
		}
		need, err := paid.Add(sizeFee(i+1, len(payments)+1, fee))
		if err == nil && !in.Less(need) {
			return sorted[:i+1], nil
		}
	}
	return nil, fmt.Errorf("%w: %d coins of %s for %s and the fee", chainadapters.ErrFunds, len(available), in, paid)
}

// Decode implements chainadapters.Adapter. Errors wrap ErrTransaction.
func (a *Adapter) Decode(raw []byte) (chainadapters.Signed, error) {
	tx, err := unseal(a.chain.network, raw)
	if err != nil {
		return chainadapters.Signed{}, err
	}
	signed := chainadapters.Signed{TxID: tx.id, Payments: tx.body.Outputs}
	if a.Family() == chainadapters.Account {
		signed.Spends = []chainadapters.Spend{{TxID: tx.id, From: tx.body.From, Nonce: tx.body.Nonce}}
	}
	for _, in := range tx.body.Inputs {
		signed.Spends = append(signed.Spends, chainadapters.Spend{TxID: tx.id, Outpoint: in})
	}
	return signed, nil
}
