package evm_test

import (
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

func quotedPlan() chainadapters.Plan {
	return chainadapters.Plan{
		Slot:     &chainadapters.Slot{From: from},
		Payments: []chainadapters.Payment{{To: to, Amount: money.FromUint64(1)}},
	}
}

func TestQuote(t *testing.T) {
	const gwei = 1_000_000_000
	noBase := header("1", 7)
	delete(noBase, "baseFeePerGas")
	base := func(wei string) any {
		h := header("1", 7)
		h["baseFeePerGas"] = wei
		return h
	}
	for name, c := range map[string]struct {
		change           func(*script)
		gas, tip, feeCap uint64
	}{
		"as suggested":    {func(*script) {}, 25_200, gwei, 3 * gwei},
		"gas margin":      {func(s *script) { s.set("eth_estimateGas", "0x186a0") }, 120_000, gwei, 3 * gwei},
		"tip below floor": {func(s *script) { s.set("eth_maxPriorityFeePerGas", "0x0") }, 25_200, gwei / 10, 2*gwei + gwei/10},
		"tip above ceiling": {
			func(s *script) { s.set("eth_maxPriorityFeePerGas", "0xffffffffffff") }, 25_200, 50 * gwei, 52 * gwei,
		},
		"node knows no tip":  {func(s *script) { s.set("eth_maxPriorityFeePerGas", refusal{-32601, "what"}) }, 25_200, gwei * 3 / 2, 2*gwei + gwei*3/2},
		"node says null tip": {func(s *script) { s.set("eth_maxPriorityFeePerGas", nil) }, 25_200, gwei * 3 / 2, 2*gwei + gwei*3/2},
		"no base fee, price instead": {func(s *script) {
			s.set("eth_getBlockByNumber", noBase)
			s.set("eth_gasPrice", "0x3b9aca00")
		}, 25_200, gwei, 3 * gwei},
		"neither base fee nor price": {func(s *script) { s.set("eth_getBlockByNumber", noBase) }, 25_200, gwei, 21 * gwei},
		"base fee above ceiling": {
			func(s *script) { s.set("eth_getBlockByNumber", base("0xffffffffffffffff")) }, 25_200, gwei, 1_000 * gwei,
		},
		"base fee beyond reason": {
			func(s *script) { s.set("eth_getBlockByNumber", base(hash("f"))) }, 25_200, gwei, 1_000 * gwei,
		},
	} {
		s := newScript()
		c.change(s)
		got, err := s.open(t).Quote(t.Context(), quotedPlan())
		want := chainadapters.Fee{GasLimit: c.gas, TipCap: money.FromUint64(c.tip), FeeCap: money.FromUint64(c.feeCap)}
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestQuoteRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer any
		want   error
	}{
		"revert by code":    {refusal{3, "execution reverted: ERC20InsufficientBalance"}, chainadapters.ErrPlan},
		"revert by text":    {refusal{-32000, "execution reverted"}, chainadapters.ErrPlan},
		"no funds":          {refusal{-32000, "insufficient funds for transfer"}, chainadapters.ErrFunds},
		"null":              {nil, chainadapters.ErrIncomplete},
		"zero":              {"0x0", chainadapters.ErrIncomplete},
		"more than a block": {"0x7fffffffffffffff", chainadapters.ErrPlan},
	} {
		s := newScript()
		s.set("eth_estimateGas", c.answer)
		if got, err := s.open(t).Quote(t.Context(), quotedPlan()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}
