package bitcoin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"

	"strongroom/chainadapters"
)

// Fee rates in satoshi per 1,000 virtual bytes.
const (
	floorSatPerKVB    = 1_000   // what nodes relay by default
	fallbackSatPerKVB = 5_000   // where the node has seen too little to estimate
	ceilingSatPerKVB  = 500_000 // above it, waiting is better than paying
	quoteBlocks       = 3       // "soon"
)

// Bounds of decimal numbers from the node.
const (
	satoshiDigits   = 8
	maxNumberText   = 32
	maxNumberPlaces = 20
)

// Quote implements the port: the node's estimate for the next few blocks,
// between floor and ceiling. Core has estimatesmartfee and btcd estimatefee; a
// node that knows nothing gets the fallback. The plan does not matter.
func (a *Adapter) Quote(ctx context.Context, _ chainadapters.Plan) (chainadapters.Fee, error) {
	if err := a.ensure(ctx); err != nil {
		return chainadapters.Fee{}, err
	}
	rate, err := a.estimate(ctx)
	if err != nil {
		return chainadapters.Fee{}, fmt.Errorf("estimate fee: %w", err)
	}
	return chainadapters.Fee{SatPerKVB: min(max(rate, floorSatPerKVB), ceilingSatPerKVB)}, nil
}

func (a *Adapter) estimate(ctx context.Context) (uint64, error) {
	smart, err := ask[struct {
		FeeRate json.Number `json:"feerate"`
	}](ctx, a.rpc, "estimatesmartfee", quoteBlocks)
	if err == nil && smart != nil {
		return rateOf(smart.FeeRate), nil
	}
	if _, refused := refusal(err); err != nil && !refused {
		return 0, err
	}
	plain, err := ask[json.Number](ctx, a.rpc, "estimatefee", quoteBlocks)
	if err == nil && plain != nil {
		return rateOf(*plain), nil
	}
	if _, refused := refusal(err); err != nil && !refused {
		return 0, err
	}
	return fallbackSatPerKVB, nil
}

// rateOf reads coins per 1,000 bytes as satoshi, rounded up. What is no positive
// number says that the node does not know.
func rateOf(n json.Number) uint64 {
	sats, ok := satoshi(n)
	if !ok || !sats.IsPositive() {
		return fallbackSatPerKVB
	}
	sats = decimal.Min(sats.Ceil(), decimal.NewFromInt(ceilingSatPerKVB))
	return uint64(sats.IntPart()) //nolint:gosec // between 1 and the ceiling
}

// satoshi reads a number of coins without passing through a float. Nodes write
// them with eight decimals or with an exponent ("1e-05").
func satoshi(n json.Number) (decimal.Decimal, bool) {
	if n == "" || len(n) > maxNumberText {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(n.String())
	if err != nil || d.Exponent() > maxNumberPlaces || d.Exponent() < -maxNumberPlaces {
		return decimal.Decimal{}, false
	}
	return d.Shift(satoshiDigits), true
}
