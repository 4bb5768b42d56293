package collector

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// coins plans the collection of a UTXO chain: one at a time, of several coins.
func (p *planner) coins(ctx context.Context) error {
	info, ok := p.native()
	if !ok {
		return nil
	}
	free, err := p.c.cfg.Store.CollectableCoins(ctx, p.hot.Chain, p.final, p.c.cfg.MaxCoins)
	if err != nil || len(free) == 0 {
		return err
	}
	list := make([]chainadapters.Coin, len(free))
	for i, f := range free {
		list[i] = f.Coin
	}
	fee, err := p.adapter.Quote(ctx, chainadapters.Plan{Payments: p.payment(p.adapter.Dust())})
	if err != nil {
		return fmt.Errorf("quote fee: %w", err)
	}
	if back, err := p.standsBack(ctx, fee); err != nil || back {
		return err
	}
	plan, err := custody.PlanCoins(list, p.minimum(info), func(coins []chainadapters.Coin) (money.Units, error) {
		return p.coinFee(coins, fee)
	})
	if err != nil || len(plan.Coins) == 0 {
		return err
	}
	h := custodydb.HouseIntent{
		Kind: custody.IntentCollect, Asset: info.Code, Chain: info.Chain, To: p.hot.Address, Amount: plan.Amount, Coins: plan.Coins,
	}
	for _, f := range free[:len(plan.Coins)] {
		h.Deposits = append(h.Deposits, f.Deposit)
	}
	return p.open(ctx, h)
}

// native returns the asset that pays for gas on the chain.
func (p *planner) native() (custody.AssetInfo, bool) {
	for _, info := range p.c.cfg.Assets.AssetsOf(p.hot.Chain) {
		if info.IsNative() {
			return info, true
		}
	}
	return custody.AssetInfo{}, false
}

func (p *planner) payment(amount money.Units) []chainadapters.Payment {
	return []chainadapters.Payment{{To: p.hot.Address, Amount: amount}}
}

// coinFee returns what spending these coins may cost, with the margin. The
// adapter is asked to build a payment with change, which is the larger: what it
// calls fee then suffices for a payment without.
func (p *planner) coinFee(coins []chainadapters.Coin, fee chainadapters.Fee) (money.Units, error) {
	unsigned, err := p.adapter.Build(chainadapters.Plan{
		Payments: p.payment(p.adapter.Dust()), Coins: coins, ChangeTo: p.hot.Address, ChangePath: p.hot.Path, Fee: fee,
	})
	if errors.Is(err, chainadapters.ErrFunds) { // they do not even pay for themselves
		return all(coins)
	}
	if err != nil {
		return money.Units{}, fmt.Errorf("measure collection: %w", err)
	}
	cost, err := custody.WithMargin(unsigned.MaxFee, p.c.cfg.MarginPercent)
	if err != nil {
		return money.Units{}, err
	}
	return cost, nil
}

func all(coins []chainadapters.Coin) (sum money.Units, err error) {
	for _, c := range coins {
		if sum, err = sum.Add(c.Amount); err != nil {
			return sum, fmt.Errorf("add coins up: %w", err)
		}
	}
	return sum, nil
}

// piles plans the collections of an account chain: one at a time per address. A
// failure at one address does not keep the others.
func (p *planner) piles(ctx context.Context) error {
	piles, err := p.c.cfg.Store.Piles(ctx, p.hot.Chain, p.final, maxPiles)
	if err != nil {
		return err
	}
	var failed []error
	for _, pile := range piles {
		if err := p.pile(ctx, pile); err != nil {
			failed = append(failed, fmt.Errorf("%s at %s: %w", pile.Asset, pile.Address, err))
		}
	}
	return errors.Join(failed...)
}

func (p *planner) pile(ctx context.Context, pile custodydb.AddressPile) error {
	info, known := p.c.cfg.Assets.AssetByCode(pile.Asset)
	native, has := p.native()
	if !known || !has {
		return fmt.Errorf("asset %s: %w", pile.Asset, custody.ErrAsset)
	}
	if info.FeeOnTransfer {
		return nil // less would arrive than is booked: it stays where it is
	}
	use, err := p.c.cfg.Store.GasUse(ctx, pile.Chain, pile.Address, pile.Asset, p.c.cfg.Clock())
	if err != nil {
		return err
	}
	if rests, err := p.rests(ctx, pile, use); err != nil || rests {
		return err
	}
	here, err := p.look(ctx, pile, info, native)
	if err != nil || here.Settled.IsZero() {
		return err
	}
	reserve, err := p.reserve(ctx, pile, info, here.Settled)
	if err != nil {
		return err
	}
	plan := custody.PlanPile(here, info.IsNative(), reserve, p.minimum(info))
	switch {
	case !plan.TopUp.IsZero():
		return p.topUp(ctx, pile, native, use, plan.TopUp)
	case !plan.Collect.IsZero():
		return p.take(ctx, pile, plan.Collect)
	}
	return nil
}

// take opens the collection of an amount of a pile.
func (p *planner) take(ctx context.Context, pile custodydb.AddressPile, amount money.Units) error {
	if err := p.c.cfg.Store.FreePile(ctx, pile.Chain, pile.Address, pile.Asset); err != nil {
		return err
	}
	return p.open(ctx, custodydb.HouseIntent{
		Kind: custody.IntentCollect, Asset: pile.Asset, Chain: pile.Chain, From: pile.Address, To: p.hot.Address,
		Amount: amount, Deposits: pile.Deposits,
	})
}

// look asks what lies at the address: of the pile and, for a token, of gas.
func (p *planner) look(ctx context.Context, pile custodydb.AddressPile, info, native custody.AssetInfo) (here custody.Pile, err error) {
	if here.Settled, err = p.settled(ctx, pile.Address, info); err != nil || here.Settled.IsZero() || info.IsNative() {
		return here, err
	}
	here.Gas, err = p.settled(ctx, pile.Address, native)
	return here, err
}

// settled is what the node says that an address has, less what must stay there.
func (p *planner) settled(ctx context.Context, address string, info custody.AssetInfo) (money.Units, error) {
	held, err := p.adapter.Holdings(ctx, chainadapters.Holdings{Contract: info.Contract, Addresses: []string{address}, At: p.at})
	if err != nil {
		return money.Units{}, fmt.Errorf("ask for holdings: %w", err)
	}
	unsettled, err := p.c.cfg.Store.Unsettled(ctx, info.Chain, address, info.Code, p.final)
	if err != nil {
		return money.Units{}, err
	}
	return held.SubFloor(unsettled), nil
}

// reserve is what moving a pile may cost. The quote is for half of a native pile,
// for the node refuses to estimate a call that leaves nothing for its gas.
func (p *planner) reserve(ctx context.Context, pile custodydb.AddressPile, info custody.AssetInfo, amount money.Units) (money.Units, error) {
	if info.IsNative() {
		half, err := amount.MulDiv(money.FromUint64(1), money.FromUint64(2), money.Down)
		if err != nil {
			return money.Units{}, fmt.Errorf("halve the pile: %w", err)
		}
		amount = half
	}
	fee, err := p.adapter.Quote(ctx, chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: p.hot.Address, Contract: info.Contract, Amount: amount}},
		Slot:     &chainadapters.Slot{From: pile.Address, Path: pile.Path},
	})
	if err != nil {
		return money.Units{}, fmt.Errorf("quote fee: %w", err)
	}
	return custody.Reserve(fee, p.c.cfg.MarginPercent)
}
