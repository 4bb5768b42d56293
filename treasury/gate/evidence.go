package gate

import (
	"context"
	"fmt"

	"strongroom/custody"
	"strongroom/treasury"
	"strongroom/treasury/consent"
)

// Evidence is what shows a signer that an intent may be paid: the canonical text that
// people agreed to, or that the policy lets pass without them, and who agreed. Before the
// first attempt it asks again where the time for which consent counts is over, or another
// policy has come into force; what was signed once by some consent goes on by it. Errors:
// custody.ErrConsent while people are asked.
func (g *Gate) Evidence(ctx context.Context, intentID string, attempt uint32) (text []byte, approvals []consent.Approval, err error) {
	is, err := g.standing(ctx, intentID, attempt)
	if err != nil {
		return nil, nil, fmt.Errorf("consent to %s: %w", intentID, err)
	}
	if is.State != treasury.Approved && is.State != treasury.Done {
		return nil, nil, fmt.Errorf("consent to %s is %s: %w", intentID, is.State, custody.ErrConsent)
	}
	if text, err = is.Intent.Canonical(); err != nil {
		return nil, nil, fmt.Errorf("consent to %s: %w", intentID, err)
	}
	for i := range is.Signed {
		if is.Signed[i].Verdict == consent.Approve {
			approvals = append(approvals, is.Signed[i].Approval)
		}
	}
	return text, approvals, nil
}

// standing is the request that asks for consent to an intent, as it is now.
func (g *Gate) standing(ctx context.Context, intentID string, attempt uint32) (treasury.Request, error) {
	r, err := g.cfg.Intents.LoadIntent(ctx, intentID)
	if err != nil {
		return treasury.Request{}, err
	}
	asset, known := g.cfg.Assets.AssetByCode(r.Asset)
	if !known {
		return treasury.Request{}, fmt.Errorf("asset %s: %w", r.Asset, custody.ErrAsset)
	}
	q, err := g.question(ctx, &r, asset)
	if err != nil {
		return treasury.Request{}, err
	}
	is, err := g.ask(ctx, &q)
	if err != nil || is.State != treasury.Approved || attempt > 1 {
		return is, err
	}
	q.Again = is.ID // the same request, if it still counts
	return g.cfg.Requests.Ask(ctx, q)
}
