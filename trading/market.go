package trading

import (
	"errors"
	"fmt"
	"math/big"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
)

// Errors of conversions. The text that wraps them names the field and the fix.
var (
	// ErrOffTick reports a price that is no multiple of the market's tick.
	ErrOffTick = errors.New("price is no multiple of the tick")
	// ErrOffLot reports a quantity that is no multiple of the market's lot.
	ErrOffLot = errors.New("quantity is no multiple of the lot")
	// ErrTerms reports a market that cannot be.
	ErrTerms = errors.New("market cannot be as described")
)

// priceScale is how many decimals a price may have.
const priceScale = 18

// Market is one market with what its numbers mean.
type Market struct {
	Name        string // "BTC-USDC"
	ID          engine.MarketID
	Base, Quote money.Asset
	Config      engine.MarketConfig

	// A tick of the price is tickNum/tickDen, counted in 10^-18 of a whole quote for a
	// whole base.
	tickNum, tickDen *big.Int
}

// NewMarket works out what ticks and lots mean. Errors: ErrTerms.
func NewMarket(name string, id engine.MarketID, base, quote money.Asset, cfg engine.MarketConfig) (*Market, error) {
	if cfg.LotUnits == 0 || cfg.TickUnits == 0 {
		return nil, fmt.Errorf("%w: %s has no lot or no tick", ErrTerms, name)
	}
	m := &Market{Name: name, ID: id, Base: base, Quote: quote, Config: cfg}
	// quote units a lot and tick / base units a lot = quote units a base unit and tick.
	m.tickNum = new(big.Int).Mul(new(big.Int).SetUint64(cfg.TickUnits), pow10(int(base.Scale)+priceScale))
	m.tickDen = new(big.Int).Mul(new(big.Int).SetUint64(cfg.LotUnits), pow10(int(quote.Scale)))
	one := new(big.Int).GCD(nil, nil, m.tickNum, m.tickDen)
	m.tickNum.Div(m.tickNum, one)
	m.tickDen.Div(m.tickDen, one)
	if m.tickDen.Cmp(big.NewInt(1)) != 0 {
		return nil, fmt.Errorf("%w: a tick of %s has more than %d decimals", ErrTerms, name, priceScale)
	}
	return m, nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// price is a decimal with priceScale digits behind the point.
func price() money.Asset { return money.Asset{Code: "a price", Scale: priceScale} }

// Ticks reads a price. Errors: money.ErrSyntax, money.ErrScale, money.ErrRange,
// ErrOffTick.
func (m *Market) Ticks(text string) (int64, error) {
	units, err := price().Parse(text)
	if err != nil {
		return 0, fmt.Errorf("price %.48q: %w", text, err)
	}
	ticks, rest := new(big.Int).QuoRem(units.Big(), m.tickNum, new(big.Int))
	switch {
	case units.IsZero():
		return 0, fmt.Errorf("price 0: %w", money.ErrRange)
	case rest.Sign() != 0:
		return 0, fmt.Errorf("%w of %s: %s is not, %s and %s are", ErrOffTick, m.Price(1), text, m.format(ticks), m.format(new(big.Int).Add(ticks, big.NewInt(1))))
	case !ticks.IsInt64():
		return 0, fmt.Errorf("price %s: %w", text, money.ErrRange)
	}
	return ticks.Int64(), nil
}

// Price writes ticks as a decimal.
func (m *Market) Price(ticks int64) string { return m.format(big.NewInt(ticks)) }

func (m *Market) format(ticks *big.Int) string {
	units, err := money.FromBig(new(big.Int).Mul(ticks, m.tickNum))
	if err != nil {
		return "out of range" // no price that was taken in comes here
	}
	return price().Format(units)
}

// Lots reads a quantity. Errors as of Ticks, with ErrOffLot.
func (m *Market) Lots(text string) (int64, error) {
	units, err := m.Base.Parse(text)
	if err != nil {
		return 0, fmt.Errorf("quantity %.48q: %w", text, err)
	}
	lots, rest := new(big.Int).QuoRem(units.Big(), new(big.Int).SetUint64(m.Config.LotUnits), new(big.Int))
	switch {
	case units.IsZero():
		return 0, fmt.Errorf("quantity 0: %w", money.ErrRange)
	case rest.Sign() != 0:
		return 0, fmt.Errorf("%w of %s %s: %s is not", ErrOffLot, m.Quantity(1), m.Base.Code, text)
	case !lots.IsInt64() || lots.Int64() > engine.MaxLots:
		return 0, fmt.Errorf("quantity %s: %w", text, money.ErrRange)
	}
	return lots.Int64(), nil
}

// Quantity writes lots as a decimal.
func (m *Market) Quantity(lots int64) string {
	units, err := money.FromUint64(m.Config.LotUnits).Mul(uint64(max(lots, 0)))
	if err != nil {
		return "out of range" // a lot and MaxLots fit
	}
	return m.Base.Format(units)
}

// Cost is what lots cost at a price, in quote units. It returns money.ErrRange beyond
// 256 bits.
func (m *Market) Cost(ticks, lots int64) (money.Units, error) {
	return m.Turnover(engine.Amount{Lo: uint64(max(ticks, 0))}, lots)
}

// Turnover is a sum of ticks times lots, in quote units.
func (m *Market) Turnover(sum engine.Amount, times int64) (money.Units, error) {
	units, err := settle.UnitsOf(sum).Mul(m.Config.TickUnits)
	if err == nil {
		units, err = units.Mul(uint64(max(times, 0)))
	}
	if err != nil {
		return units, fmt.Errorf("turnover on %s: %w", m.Name, err)
	}
	return units, nil
}

// QuoteAmount reads an amount of the quote asset, as the engine counts it.
func (m *Market) QuoteAmount(text string) (engine.Amount, error) {
	units, err := m.Quote.Parse(text)
	if err != nil {
		return engine.Amount{}, fmt.Errorf("quote amount %.48q: %w", text, err)
	}
	if units.IsZero() {
		return engine.Amount{}, fmt.Errorf("quote amount 0: %w", money.ErrRange)
	}
	amount, err := settle.AmountOf(units)
	if err != nil {
		return engine.Amount{}, fmt.Errorf("quote amount %s: %w", text, err)
	}
	return amount, nil
}
