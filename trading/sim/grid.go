package sim

import (
	"errors"
	"fmt"
	"math/big"

	"strongroom/money"
	"strongroom/trading"
)

// errTerms reports a market that cannot be played on.
var errTerms = errors.New("sim: market has no reference price, tick or lot")

// decimals counts prices and quantities in 10^-18.
func decimals() money.Asset { return money.Asset{Code: "decimals", Scale: 18} }

// grid is one market as those who trade on it count: prices in ticks, quantities in lots.
type grid struct {
	market      string
	base, quote string
	tick, lot   money.Units // in 10^-18
	reference   int64       // ticks: about where the price stays
	level       int64       // lots of a level of the maker's ladder
	least       int64       // lots of the smallest order
}

// newGrid reads a market's terms. level is the quantity of a level of the ladder, about.
func newGrid(t *trading.Terms, level string) (grid, error) {
	g := grid{market: t.Name, base: t.Base, quote: t.Quote}
	var err error
	if g.tick, err = decimals().Parse(t.Tick); err != nil {
		return g, fmt.Errorf("tick of %s: %w", t.Name, err)
	}
	if g.lot, err = decimals().Parse(t.Lot); err != nil {
		return g, fmt.Errorf("lot of %s: %w", t.Name, err)
	}
	if g.tick.IsZero() || g.lot.IsZero() || t.Reference == "" {
		return g, fmt.Errorf("%w: %s", errTerms, t.Name)
	}
	for text, into := range map[*int64]struct {
		decimal string
		step    money.Units
	}{&g.reference: {t.Reference, g.tick}, &g.level: {level, g.lot}, &g.least: {t.MinQuantity, g.lot}} {
		if *text, err = steps(into.decimal, into.step); err != nil {
			return g, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	g.level = max(g.level, g.least)
	return g, nil
}

// steps is how many whole steps a decimal has.
func steps(decimal string, step money.Units) (int64, error) {
	units, err := decimals().Parse(decimal)
	if err != nil {
		return 0, fmt.Errorf("read %.48q: %w", decimal, err)
	}
	n := new(big.Int).Div(units.Big(), step.Big())
	if !n.IsInt64() {
		return 0, fmt.Errorf("read %.48q: %w", decimal, money.ErrRange)
	}
	return n.Int64(), nil
}

// price and quantity write numbers as the API takes them.
func (g grid) price(ticks int64) string   { return text(g.tick, ticks) }
func (g grid) quantity(lots int64) string { return text(g.lot, lots) }

func text(step money.Units, n int64) string {
	units, err := step.Mul(uint64(max(n, 0)))
	if err != nil {
		return "" // beyond 256 bits: the API refuses it
	}
	return decimals().Format(units)
}

// read takes an order of the API back into ticks and lots.
func (g grid) read(o Order) (resting, error) {
	price, err := steps(o.Price, g.tick)
	if err != nil {
		return resting{}, err
	}
	lots, err := steps(o.Remaining, g.lot)
	return resting{id: o.ID, sell: o.Side == sell, price: price, lots: lots}, err
}
