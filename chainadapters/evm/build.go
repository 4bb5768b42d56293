package evm

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"strongroom/chainadapters"
	"strongroom/money"
)

// minGas is what any transaction uses before it does anything (Yellow Paper,
// G_transaction); a lower limit can never be mined.
const minGas = 21_000

// payload is the EIP-1559 transaction without its signature, in RLP order.
type payload struct {
	ChainID    *big.Int
	Nonce      uint64
	TipCap     *big.Int
	FeeCap     *big.Int
	Gas        uint64
	To         common.Address
	Value      *big.Int
	Data       []byte
	AccessList types.AccessList
}

// Build returns the EIP-1559 signing payload of a plan: 0x02 ‖ RLP(chain id,
// nonce, tip, cap, gas, to, value, data, empty access list). The plan has a slot,
// one payment and a fee. A zero payment is allowed from an address to itself
// only: that is how a nonce is consumed to cancel. Errors wrap ErrPlan.
func (a *Adapter) Build(plan chainadapters.Plan) (chainadapters.Unsigned, error) {
	call, err := planCall(plan)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	maxFee, err := checkFee(plan.Fee)
	if err != nil {
		return chainadapters.Unsigned{}, err
	}
	encoded, err := rlp.EncodeToBytes(payload{
		ChainID:    a.chainID,
		Nonce:      plan.Slot.Nonce,
		TipCap:     plan.Fee.TipCap.Big(),
		FeeCap:     plan.Fee.FeeCap.Big(),
		Gas:        plan.Fee.GasLimit,
		To:         call.to,
		Value:      call.value.Big(),
		Data:       call.data,
		AccessList: types.AccessList{},
	})
	if err != nil {
		return chainadapters.Unsigned{}, fmt.Errorf("%w: encode: %w", chainadapters.ErrPlan, err)
	}
	return chainadapters.Unsigned{Bytes: append([]byte{types.DynamicFeeTxType}, encoded...), MaxFee: maxFee}, nil
}

// call is what a payment does on chain.
type call struct {
	from, to common.Address
	value    money.Units
	data     []byte
	// by is what the contract that is called does in turn, where a vault pays; else nil.
	by *call
}

// planCall reads the one call of a plan.
func planCall(plan chainadapters.Plan) (call, error) {
	if plan.Slot == nil || len(plan.Payments) != 1 || len(plan.Coins) != 0 || plan.ChangeTo != "" {
		return call{}, fmt.Errorf("%w: an account chain wants one slot, one payment and no coins", chainadapters.ErrPlan)
	}
	from, err := parseAddress(plan.Slot.From)
	if err != nil {
		return call{}, fmt.Errorf("%w: sender: %w", chainadapters.ErrPlan, err)
	}
	pay := plan.Payments[0]
	if pay.Vault != "" || len(plan.Exec) > 0 {
		return vaultCall(from, pay, plan.Exec)
	}
	return directCall(from, pay)
}

// directCall is what the sender does itself.
func directCall(from common.Address, pay chainadapters.Payment) (call, error) {
	to, err := parseAddress(pay.To)
	if err != nil {
		return call{}, fmt.Errorf("%w: recipient: %w", chainadapters.ErrPlan, err)
	}
	if pay.Amount.IsZero() && (pay.Contract != "" || to != from) {
		return call{}, fmt.Errorf("%w: payment of nothing", chainadapters.ErrPlan)
	}
	if pay.Contract == "" {
		return call{from: from, to: to, value: pay.Amount}, nil
	}
	contract, err := parseAddress(pay.Contract)
	if err != nil {
		return call{}, fmt.Errorf("%w: contract: %w", chainadapters.ErrPlan, err)
	}
	return call{from: from, to: contract, data: transferData(to, pay.Amount)}, nil
}

// checkFee returns the most that a fee can come to.
func checkFee(fee chainadapters.Fee) (money.Units, error) {
	switch {
	case fee.SatPerKVB != 0:
		return money.Units{}, fmt.Errorf("%w: a rate by size is not a fee of this chain", chainadapters.ErrPlan)
	case fee.GasLimit < minGas:
		return money.Units{}, fmt.Errorf("%w: gas limit %d is below %d", chainadapters.ErrPlan, fee.GasLimit, minGas)
	case fee.FeeCap.IsZero() || fee.FeeCap.Less(fee.TipCap):
		return money.Units{}, fmt.Errorf("%w: fee cap %s is zero or below the tip %s", chainadapters.ErrPlan, fee.FeeCap, fee.TipCap)
	}
	maxFee, err := fee.FeeCap.Mul(fee.GasLimit)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: gas limit times fee cap: %w", chainadapters.ErrPlan, err)
	}
	return maxFee, nil
}
