package fakechain

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Broadcast implements chainadapters.Adapter.
func (a *Adapter) Broadcast(ctx context.Context, raw []byte) error {
	fault, err := a.reach(ctx)
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if fault == Refuse {
		return fmt.Errorf("broadcast: %w: this node takes nothing", chainadapters.ErrRefused)
	}
	err = a.chain.accept(raw)
	if fault == Duplicate {
		err = a.chain.accept(raw)
	}
	switch {
	case fault == LostReply:
		return fmt.Errorf("broadcast: reply was lost: %w", errDown)
	case err == nil, errors.Is(err, errKnown):
		return nil
	}
	return fmt.Errorf("broadcast: %w: %w", chainadapters.ErrRefused, err)
}

// Quote implements chainadapters.Adapter: ErrPlan where the call would fail.
func (a *Adapter) Quote(ctx context.Context, plan chainadapters.Plan) (chainadapters.Fee, error) {
	if err := a.checkPayments(plan); err != nil {
		return chainadapters.Fee{}, err
	}
	return view(ctx, a, func(Fault, []*block) (chainadapters.Fee, error) {
		if a.chain.family == chainadapters.UTXO {
			return chainadapters.Fee{SatPerKVB: max(suggestedRate, a.chain.price)}, nil
		}
		if plan.Slot == nil {
			return chainadapters.Fee{}, fmt.Errorf("%w: no slot", chainadapters.ErrPlan)
		}
		b := body{From: plan.Slot.From, Outputs: plan.Payments, Fee: chainadapters.Fee{GasLimit: gasToken}, Exec: plan.Exec}
		if !a.chain.now.succeeds(b) {
			return chainadapters.Fee{}, fmt.Errorf("%w: the call would fail", chainadapters.ErrPlan)
		}
		gas := gasUse(b)
		return chainadapters.Fee{
			GasLimit: gas + gas*gasMarginPercent/100,
			TipCap:   money.FromUint64(suggestedTip),
			FeeCap:   money.FromUint64(2*max(baseFee, a.chain.price) + suggestedTip),
		}, nil
	})
}

// Holdings implements chainadapters.Adapter. A coin that is not unspent with
// this owner and amount at the block counts nothing.
func (a *Adapter) Holdings(ctx context.Context, q chainadapters.Holdings) (money.Units, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) (money.Units, error) {
		if q.At.Height >= uint64(len(blocks)) || blocks[q.At.Height].header.Ref != q.At {
			return money.Units{}, fmt.Errorf("%w: block %d is not %s", chainadapters.ErrIncomplete, q.At.Height, q.At.Hash)
		}
		s := a.chain.stateAt(q.At.Height)
		if a.chain.family == chainadapters.UTXO {
			return coinHoldings(s, q.Coins)
		}
		return accountHoldings(s, q)
	})
}

func coinHoldings(s *state, coins []chainadapters.Coin) (money.Units, error) {
	var sum money.Units
	seen := map[chainadapters.Outpoint]bool{}
	for _, c := range coins {
		if seen[c.Outpoint] || s.coins[c.Outpoint] != (coin{c.Address, c.Amount}) {
			continue
		}
		seen[c.Outpoint] = true
		var err error
		if sum, err = sum.Add(c.Amount); err != nil {
			return money.Units{}, fmt.Errorf("sum coins: %w", err)
		}
	}
	return sum, nil
}

func accountHoldings(s *state, q chainadapters.Holdings) (money.Units, error) {
	var sum money.Units
	seen := map[string]bool{}
	for _, address := range q.Addresses {
		if seen[address] {
			continue
		}
		seen[address] = true
		var err error
		if sum, err = sum.Add(s.balance(address, q.Contract)); err != nil {
			return money.Units{}, fmt.Errorf("sum balances: %w", err)
		}
	}
	return sum, nil
}

// NextNonce implements chainadapters.Adapter.
func (a *Adapter) NextNonce(ctx context.Context, from string) (uint64, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) (uint64, error) {
		if a.chain.family == chainadapters.UTXO {
			return 0, nil
		}
		return a.chain.stateAt(uint64(len(blocks)) - 1).nonces[from], nil
	})
}
