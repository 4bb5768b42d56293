package collector

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// consolidate merges small coins of the hot wallet where that is cheap and in
// nobody's way.
func (p *planner) consolidate(ctx context.Context) error {
	info, ok := p.native()
	if !ok {
		return nil
	}
	hot, err := p.c.cfg.Store.HotCoins(ctx, p.hot.Chain, p.final)
	if err != nil || len(hot.Free) <= p.c.cfg.Merge.Above {
		return err
	}
	fee, err := p.adapter.Quote(ctx, chainadapters.Plan{Payments: p.payment(p.adapter.Dust())})
	if err != nil {
		return fmt.Errorf("quote fee: %w", err)
	}
	plan, reason, err := custody.PlanConsolidation(hot, p.c.cfg.Merge, fee.SatPerKVB, func(coins []chainadapters.Coin) (money.Units, error) {
		return p.coinFee(coins, fee)
	})
	if err != nil {
		return fmt.Errorf("plan consolidation: %w", err)
	}
	if reason != "" || plan.Amount.Less(p.adapter.Dust()) {
		p.c.cfg.Log.DebugContext(ctx, "coins not merged", "chain", p.hot.Chain, "coins", len(hot.Free), "reason", reason)
		return nil
	}
	return p.open(ctx, custodydb.HouseIntent{
		Kind: custody.IntentConsolidate, Asset: info.Code, Chain: info.Chain, To: p.hot.Address, Amount: plan.Amount, Coins: plan.Coins,
	})
}

// standsBack says whether a collection waits for a consolidation that is on its
// way: both would bid for the same cheap hour. It does not where money is needed.
func (p *planner) standsBack(ctx context.Context, fee chainadapters.Fee) (bool, error) {
	if fee.SatPerKVB > p.c.cfg.Merge.LowSatPerKVB {
		return false, nil
	}
	hot, err := p.c.cfg.Store.HotCoins(ctx, p.hot.Chain, p.final)
	if err != nil {
		return false, err
	}
	// No collection is open, or there would be nothing to collect.
	return hot.Moving > 0 && hot.Waiting == 0, nil
}
