package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm/safe"
	"strongroom/money"
)

// vaultCall is the call of a Safe by which it makes a payment: the call MUST make exactly
// this one. Errors wrap ErrPlan.
func vaultCall(from common.Address, pay chainadapters.Payment, exec []byte) (call, error) {
	vault, err := parseAddress(pay.Vault)
	if err != nil {
		return call{}, fmt.Errorf("%w: vault: %w", chainadapters.ErrPlan, err)
	}
	does, inner, err := vaultPayment(vault, exec)
	if err != nil {
		return call{}, fmt.Errorf("%w: %w", chainadapters.ErrPlan, err)
	}
	if does != pay || pay.Amount.IsZero() {
		return call{}, fmt.Errorf("%w: the vault's call pays %s %s to %s, meant is %s %s to %s", chainadapters.ErrPlan,
			does.Amount, does.Contract, does.To, pay.Amount, pay.Contract, pay.To)
	}
	return call{from: from, to: vault, data: exec, by: &inner}, nil
}

// vaultPayment reads what a call of a Safe pays. It takes plain transfers only, which undo
// the whole transaction where they fail and pay nobody for gas.
func vaultPayment(vault common.Address, exec []byte) (chainadapters.Payment, call, error) {
	tx, _, err := safe.ParseExec(exec)
	if err != nil {
		return chainadapters.Payment{}, call{}, fmt.Errorf("call of a vault: %w", err)
	}
	gas := zero(tx.SafeTxGas) && zero(tx.BaseGas) && zero(tx.GasPrice)
	if tx.Operation != 0 || !gas || tx.GasToken != (common.Address{}) || tx.RefundReceiver != (common.Address{}) {
		return chainadapters.Payment{}, call{}, fmt.Errorf("call of a vault: delegated, or with gas of its own: %w", ErrTransaction)
	}
	value, err := money.FromBig(tx.Value)
	if err != nil {
		return chainadapters.Payment{}, call{}, fmt.Errorf("call of a vault: value: %w", err)
	}
	inner := call{from: vault, to: tx.To, value: value, data: tx.Data}
	if len(tx.Data) == 0 {
		return chainadapters.Payment{To: tx.To.Hex(), Amount: value, Vault: vault.Hex()}, inner, nil
	}
	to, amount, ok := parseTransfer(tx.Data)
	if !ok || !value.IsZero() {
		return chainadapters.Payment{}, call{}, fmt.Errorf("call of a vault: no transfer: %w", ErrTransaction)
	}
	return chainadapters.Payment{To: to.Hex(), Contract: tx.To.Hex(), Amount: amount, Vault: vault.Hex()}, inner, nil
}

func zero(n *big.Int) bool { return n == nil || n.Sign() == 0 }

// execSelector is the first four bytes of keccak256 of a Safe's execTransaction.
const execSelector = "\x6a\x76\x12\x02"

// isExec reports whether data is a call of execTransaction, by its selector.
func isExec(data []byte) bool { return strings.HasPrefix(string(data), execSelector) }

// Call asks the node about anything, once it is known to be on our network; result is what
// the JSON of its answer is read into, or nil. It is for reading vaults.
func (a *Adapter) Call(ctx context.Context, result any, method string, params ...any) error {
	raw, err := onOurs(ctx, a, func() (*json.RawMessage, error) { return ask[json.RawMessage](ctx, a.rpc, method, params...) })
	switch {
	case err != nil:
		return err
	case raw == nil || result == nil:
		return nil
	}
	if err := json.Unmarshal(*raw, result); err != nil {
		return fmt.Errorf("%s: %w: %w", method, chainadapters.ErrIncomplete, err)
	}
	return nil
}
