package evm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Bounds of a quote, in wei per gas. Development chains and quiet days have no
// market to ask; the floor keeps the pool from refusing, and the ceilings keep a
// node that is wrong from spending the house's money.
const (
	tipFloor     = 100_000_000        // 0.1 gwei
	tipFallback  = 1_500_000_000      // 1.5 gwei, where the node cannot say
	tipCeiling   = 50_000_000_000     // 50 gwei
	capCeiling   = 1_000_000_000_000  // 1,000 gwei
	baseFallback = 10_000_000_000     // 10 gwei, where the node tells neither base fee nor price
	maxGas       = uint64(16_777_216) // EIP-7825: no transaction may use more
	gasMargin    = uint64(20)         // percent above the estimate
	baseFactor   = 2                  // the base fee doubles in six full blocks
)

// Quote estimates the gas of this very call, with a margin, and a fee that
// covers twice the base fee and the tip that the node suggests, within floor and
// ceiling. ErrPlan where the call would revert or a token answers false, ErrFunds
// where the sender cannot pay for it.
func (a *Adapter) Quote(ctx context.Context, plan chainadapters.Plan) (chainadapters.Fee, error) {
	c, err := planCall(plan)
	if err != nil {
		return chainadapters.Fee{}, err
	}
	fee, err := onOurs(ctx, a, func() (chainadapters.Fee, error) {
		gas, err := a.estimate(ctx, c)
		if err != nil {
			return chainadapters.Fee{}, err
		}
		tip, err := a.tip(ctx)
		if err != nil {
			return chainadapters.Fee{}, err
		}
		base, err := a.baseFee(ctx)
		if err != nil {
			return chainadapters.Fee{}, err
		}
		return priceFee(gas, base, tip)
	})
	if err != nil {
		return chainadapters.Fee{}, fmt.Errorf("quote: %w", err)
	}
	return fee, nil
}

// priceFee turns what the node said into a bounded fee. It is pure.
func priceFee(gas uint64, base, tip money.Units) (chainadapters.Fee, error) {
	tip = clamp(tip, tipFloor, tipCeiling)
	twice, err := base.Mul(baseFactor)
	if err != nil {
		twice = money.FromUint64(capCeiling)
	}
	feeCap, err := twice.Add(tip)
	if err != nil {
		feeCap = money.FromUint64(capCeiling)
	}
	if gas > maxGas {
		return chainadapters.Fee{}, fmt.Errorf("%w: it would use %d gas", chainadapters.ErrPlan, gas)
	}
	limit := min(max(gas+gas*gasMargin/100, minGas), maxGas)
	return chainadapters.Fee{GasLimit: limit, TipCap: tip, FeeCap: clamp(feeCap, tipFloor, capCeiling)}, nil
}

func clamp(u money.Units, low, high uint64) money.Units {
	if u.Less(money.FromUint64(low)) {
		return money.FromUint64(low)
	}
	return money.Min(u, money.FromUint64(high))
}

func (a *Adapter) estimate(ctx context.Context, c call) (uint64, error) {
	args := map[string]any{"from": c.from, "to": c.to, "value": (*hexutil.Big)(c.value.Big())}
	if len(c.data) > 0 {
		// Old nodes read "data", new ones "input"; both read both.
		args["data"], args["input"] = hexutil.Bytes(c.data), hexutil.Bytes(c.data)
	}
	gas, err := ask[hexutil.Uint64](ctx, a.rpc, "eth_estimateGas", args)
	if err != nil {
		return 0, estimateError(err)
	}
	if gas == nil || *gas == 0 {
		return 0, fmt.Errorf("%w: no estimate of gas", chainadapters.ErrIncomplete)
	}
	if c.by != nil { // a Safe does not look at what a token answers it
		inner := map[string]any{"from": c.by.from, "to": c.by.to, "data": hexutil.Bytes(c.by.data), "input": hexutil.Bytes(c.by.data)}
		if err := a.tryToken(ctx, *c.by, inner); err != nil {
			return 0, err
		}
	}
	return uint64(*gas), a.tryToken(ctx, c, args)
}

// tryToken makes sure that a token does not answer false: such a transfer would
// succeed as a transaction and move nothing. Old tokens answer nothing at all,
// and that is success.
func (a *Adapter) tryToken(ctx context.Context, c call, args map[string]any) error {
	if len(c.data) == 0 {
		return nil
	}
	answer, err := ask[hexutil.Bytes](ctx, a.rpc, "eth_call", args, "latest")
	switch {
	case contractFault(err):
		return fmt.Errorf("%w: %w", chainadapters.ErrPlan, err)
	case err != nil:
		return err
	case answer == nil:
		return fmt.Errorf("%w: null for a call", chainadapters.ErrIncomplete)
	case len(*answer) > 0 && len(bytes.Trim(*answer, "\x00")) == 0:
		return fmt.Errorf("%w: the token answers that the transfer fails", chainadapters.ErrPlan)
	}
	return nil
}

// estimateError tells a call that cannot work from a node that does not.
func estimateError(err error) error {
	var said *NodeError
	if !errors.As(err, &said) {
		return err
	}
	text := strings.ToLower(said.Message)
	switch {
	case strings.Contains(text, "insufficient funds"), strings.Contains(text, "gas required exceeds allowance"):
		return fmt.Errorf("%w: %w", chainadapters.ErrFunds, err)
	case contractFault(err):
		return fmt.Errorf("%w: %w", chainadapters.ErrPlan, err)
	}
	return err
}

// tip asks for the node's suggestion; a node that does not know the method gets
// the fallback.
func (a *Adapter) tip(ctx context.Context) (money.Units, error) {
	return a.price(ctx, "eth_maxPriorityFeePerGas", tipFallback)
}

// baseFee is the base fee of the head, or the node's gas price where the chain
// has none.
func (a *Adapter) baseFee(ctx context.Context) (money.Units, error) {
	head, err := ask[rpcHeader](ctx, a.rpc, "eth_getBlockByNumber", "latest", false)
	if err != nil {
		return money.Units{}, err
	}
	if head == nil {
		return money.Units{}, fmt.Errorf("%w: null for the head", chainadapters.ErrIncomplete)
	}
	if !head.BaseFee.Set {
		return a.price(ctx, "eth_gasPrice", baseFallback)
	}
	return units(&head.BaseFee.V), nil
}

func (a *Adapter) price(ctx context.Context, method string, fallback uint64) (money.Units, error) {
	price, err := ask[hexutil.Big](ctx, a.rpc, method)
	var said *NodeError
	switch {
	case errors.As(err, &said) && said.Code == codeNoMethod:
		return money.FromUint64(fallback), nil
	case err != nil:
		return money.Units{}, err
	case price == nil || price.ToInt().BitLen() > math.MaxUint8:
		return money.FromUint64(fallback), nil
	}
	units, err := money.FromBig(price.ToInt())
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: %s: %w", chainadapters.ErrIncomplete, method, err)
	}
	return units, nil
}
