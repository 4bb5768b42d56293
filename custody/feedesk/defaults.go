package feedesk

import (
	"time"

	"strongroom/money"
)

// DefaultPace is what most chains do with: an eighth more, every ten minutes,
// twice the market after two hours.
func DefaultPace() Pace {
	return Pace{Step: MinStep, Patience: 10 * time.Minute, Deadline: 2 * time.Hour}
}

// DefaultGas bounds bids to 1,000 gwei per gas and 0.05 of the native asset.
func DefaultGas() GasPolicy {
	const gwei = 1_000_000_000
	return GasPolicy{
		Pace: DefaultPace(), TipFloor: money.FromUint64(gwei / 10), Ceiling: money.FromUint64(1_000 * gwei),
		Budget: money.FromUint64(50_000_000 * gwei),
	}
}

// DefaultRate bounds bids to 500 units per virtual byte and 0.02 of the native
// asset with eight decimals.
func DefaultRate() RatePolicy {
	return RatePolicy{Pace: DefaultPace(), Floor: 1_000, Ceiling: 500_000, Relay: 1_000, Budget: money.FromUint64(2_000_000)}
}
