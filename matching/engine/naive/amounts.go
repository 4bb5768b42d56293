package naive

import (
	"math"
	"math/big"

	"strongroom/matching/engine"
)

// amountBits is how many bits an amount has.
const amountBits = 128

func whole(n int64) *big.Int { return big.NewInt(n) }

func fromAmount(a engine.Amount) *big.Int {
	n := new(big.Int).SetUint64(a.Hi)
	return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(a.Lo))
}

// toAmount needs a number that fits.
func toAmount(n *big.Int) engine.Amount {
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return engine.Amount{Hi: new(big.Int).Rsh(n, 64).Uint64(), Lo: low.Uint64()}
}

func product(first *big.Int, more ...*big.Int) *big.Int {
	n := new(big.Int).Set(first)
	for _, f := range more {
		n.Mul(n, f)
	}
	return n
}

func plus(a, b *big.Int) *big.Int  { return new(big.Int).Add(a, b) }
func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

// ratioUp is a/b, rounded up.
func ratioUp(a, b *big.Int) *big.Int {
	return new(big.Int).Div(plus(a, minus(b, whole(1))), b)
}

// ratioDown is a/b, rounded down.
func ratioDown(a, b *big.Int) *big.Int { return new(big.Int).Div(a, b) }

func fits(n *big.Int) bool { return n.BitLen() <= amountBits }

// base is what lots are in units of the base asset.
func (m *market) base(lots int64) *big.Int {
	return product(whole(lots), new(big.Int).SetUint64(m.cfg.LotUnits))
}

// quote is what lots cost at a price, in units of the quote asset.
func (m *market) quote(price, lots int64) *big.Int {
	return product(whole(price), whole(lots), new(big.Int).SetUint64(m.cfg.TickUnits))
}

// fee is what a rate takes from what was received.
func fee(received *big.Int, ppm uint32) *big.Int {
	return ratioUp(product(received, whole(int64(ppm))), whole(engine.PPM))
}

// moved reports whether price differs from origin by the share ppm: more than it, or
// at least it.
func moved(price, origin int64, ppm uint32, orEqual bool) bool {
	away := minus(whole(price), whole(origin))
	away.Abs(away).Mul(away, whole(engine.PPM))
	bound := product(whole(origin), whole(int64(ppm)))
	c := away.Cmp(bound)
	return c > 0 || orEqual && c == 0
}

// later is a time plus a span; what does not fit is the largest time.
func later(t, span int64) int64 {
	if span > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + span
}
