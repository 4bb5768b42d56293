package collector

import (
	"context"
	"fmt"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// Defaults of the gas station, in units of 10^-18 of the native asset.
const (
	milli           = 1_000_000_000_000_000
	defaultPause    = time.Minute
	defaultMaxPause = 24 * time.Hour
)

// DefaultGas is the policy of a chain for which none is configured: 0.02 of the
// native asset (of 18 decimals) per address and day, 0.5 and 2 per token, 1 and 5
// per chain, by the hour and by the day.
func DefaultGas() custody.GasPolicy {
	return custody.GasPolicy{
		PerAddressDay: money.FromUint64(20 * milli), PerAssetHour: money.FromUint64(500 * milli), PerAssetDay: money.FromUint64(2_000 * milli),
		PerHour: money.FromUint64(1_000 * milli), PerDay: money.FromUint64(5_000 * milli),
		Pause: defaultPause, MaxPause: defaultMaxPause,
	}
}

func (p *planner) gasPolicy() custody.GasPolicy {
	if policy, set := p.c.cfg.Gas[p.hot.Chain]; set {
		return policy
	}
	return DefaultGas()
}

// rests says whether a pile is left alone because collections failed, and notes why.
func (p *planner) rests(ctx context.Context, pile custodydb.AddressPile, use custody.GasUse) (bool, error) {
	until, reason := p.gasPolicy().Rests(use, p.c.cfg.Clock())
	if reason == "" {
		return false, nil
	}
	return true, p.hold(ctx, pile, until, reason)
}

// topUp opens a gas top-up where the limits have room for it and what it may cost
// itself, and notes where they have not.
func (p *planner) topUp(ctx context.Context, pile custodydb.AddressPile, native custody.AssetInfo, use custody.GasUse, amount money.Units) error {
	fee, err := p.topUpFee(ctx, pile, amount)
	if err != nil {
		return err
	}
	cost, err := amount.Add(fee)
	if err != nil {
		return p.hold(ctx, pile, time.Time{}, "gas costs more than can exist")
	}
	if reason := p.gasPolicy().Exceeds(cost, use); reason != "" {
		return p.hold(ctx, pile, time.Time{}, reason)
	}
	if err := p.c.cfg.Store.FreePile(ctx, pile.Chain, pile.Address, pile.Asset); err != nil {
		return err
	}
	return p.open(ctx, custodydb.HouseIntent{
		Kind: custody.IntentGasTopUp, Asset: native.Code, ForAsset: pile.Asset, Chain: native.Chain, To: pile.Address, Amount: amount,
	})
}

// topUpFee is what sending gas to the address may cost.
func (p *planner) topUpFee(ctx context.Context, pile custodydb.AddressPile, amount money.Units) (money.Units, error) {
	fee, err := p.adapter.Quote(ctx, chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: pile.Address, Amount: amount}},
		Slot:     &chainadapters.Slot{From: p.hot.Address, Path: p.hot.Path},
	})
	if err != nil {
		return money.Units{}, fmt.Errorf("quote fee of gas: %w", err)
	}
	return custody.Reserve(fee, 0)
}

// hold notes why a pile is not collected. It is logged once, when it begins.
func (p *planner) hold(ctx context.Context, pile custodydb.AddressPile, until time.Time, reason string) error {
	began, err := p.c.cfg.Store.HoldPile(ctx, custodydb.HeldPile{
		Chain: pile.Chain, Address: pile.Address, Asset: pile.Asset, Reason: reason, Until: until, Since: p.c.cfg.Clock(),
	})
	if err != nil {
		return err
	}
	if began {
		p.c.cfg.Log.WarnContext(ctx, "pile held", "chain", pile.Chain, "asset", pile.Asset, "address", pile.Address, "reason", reason, "until", until)
	}
	return nil
}
