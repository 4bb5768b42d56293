package main

import (
	"strongroom/chainadapters"
	"strongroom/compliance/screening"
	"strongroom/custody"
)

// screening opens the sanctions lists. A list that cannot be used stops credits and
// payouts until it can; it does not keep the worker from starting.
func (c *workerCommand) screening(e *env, chains []chainadapters.Config, assets custody.Assets) (*screening.Screener, error) {
	cfg := screening.Config{Lists: c.Sanctions, MaxAge: c.ListAge, Clock: e.clock, Log: e.log}
	for _, chain := range chains {
		named := screening.Chain{ID: chain.Chain}
		for _, asset := range assets.AssetsOf(chain.Chain) {
			if asset.IsNative() {
				named.Currencies = append(named.Currencies, screening.Currencies(asset.Code)...)
			}
		}
		cfg.Chains = append(cfg.Chains, named)
	}
	if len(c.Sanctions) == 0 {
		e.log.WarnContext(e.ctx, "no sanctions list is configured: nothing will be credited or paid out")
	}
	return screening.New(cfg)
}
