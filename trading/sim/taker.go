package sim

import (
	"context"
	"math/rand/v2"
	"time"
)

// How takers behave.
const (
	takerLeast = time.Second // between two orders of one of them
	takerMost  = 7 * time.Second
	limitShare = 3 // one order in so many is a limit order for what stands at the best price
)

// taker trades small quantities at random times.
type taker struct {
	rng     *rand.Rand
	grids   []grid
	account Account
	name    func() string
	orders  int // given in all
}

// wait is how long it does nothing.
func (t *taker) wait() time.Duration {
	return takerLeast + time.Duration(t.rng.Int64N(int64(takerMost-takerLeast)))
}

// turn gives one order in. The error is of a platform that is not there; a refusal is none.
func (t *taker) turn(ctx context.Context) error {
	g := t.grids[t.rng.IntN(len(t.grids))]
	o := Order{
		ClientID: t.name(), Market: g.market, Side: sideOf(t.rng.IntN(2) == 0), Type: "market",
		Quantity: g.quantity(g.least + t.rng.Int64N(max(g.level-g.least, 1))),
	}
	if t.rng.IntN(limitShare) == 0 {
		bid, ask, err := t.account.Top(ctx, g.market)
		if err != nil {
			return err
		}
		o.Type, o.TimeInForce, o.Price = "limit", "ioc", ask
		if o.Side == sell {
			o.Price = bid
		}
		if o.Price == "" {
			return nil // nobody is there to trade with
		}
	}
	t.orders++
	_, err := t.account.Place(ctx, o)
	if refused(err) { // it has not enough of what that takes, say
		return nil
	}
	return err
}
