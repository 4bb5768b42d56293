package flow

import (
	"math"
	"slices"

	"strongroom/matching/engine"
)

// The bench mix, in percent: limit orders near the middle, cancels and replaces of
// orders that wait, and the rest crosses with IOC orders.
const (
	mixAdds     = 45
	mixCancels  = 35
	mixReplaces = 10
)

// Where the orders of the bench mix stand, in ticks and lots.
const (
	mixMid    = 1_000_000
	mixNear   = 50
	mixMaxQty = 100
	mixReach  = 10
	zipfOne   = 1 << 32 // weight of the first market
	mixFar    = 100_000 // how far away the orders of the prefill stand at most
)

// MixConfig says what the bench mix trades on.
type MixConfig struct {
	Seed     uint64
	Markets  int // chosen by Zipf with exponent 1 if there are several
	Accounts int // besides the house
	Depth    int // orders that wait before the mix begins, over all markets
}

// Mix is the bench mix. Setup comes first.
type Mix struct {
	cfg   MixConfig
	dice  chance
	book  *book
	sums  []int64 // of the Zipf weights up to each market
	clock int64
}

// NewMix returns the mix at its beginning.
func NewMix(cfg MixConfig) *Mix {
	m := &Mix{cfg: cfg, dice: chance{cfg.Seed}, book: newBook()}
	total := int64(0)
	for i := range cfg.Markets {
		total += zipfOne / int64(i+1)
		m.sums = append(m.sums, total)
	}
	return m
}

// Shard is a configuration with room for the mix.
func (m *Mix) Shard() engine.Config {
	return engine.Config{
		Orders: uint32(2*m.cfg.Depth + 1<<18), Accounts: uint32(m.cfg.Accounts + 1), Assets: uint16(m.cfg.Markets + 1),
		Markets: uint16(m.cfg.Markets), Keys: 1 << 10, Retention: math.MaxInt64, Transfers: uint32(4 * (m.cfg.Accounts + 1) * (m.cfg.Markets + 1)),
	}
}

// Setup makes accounts, markets and balances, and fills the books: half of the orders
// buy, half sell, up to 100,000 ticks from the middle.
func (m *Mix) Setup() []Step {
	var steps []Step
	add := func(c engine.Command, cfg *engine.MarketConfig) { steps = append(steps, Step{Command: c, Config: cfg}) }
	quote := engine.AssetID(m.cfg.Markets)
	for a := 1; a <= m.cfg.Accounts; a++ {
		add(engine.Command{Op: engine.OpAccount, Account: engine.AccountID(a)}, nil)
		for asset := range m.cfg.Markets + 1 {
			add(engine.Command{
				Op: engine.OpCredit, Account: engine.AccountID(a), Asset: engine.AssetID(asset),
				Key: engine.Key{Hi: uint64(a), Lo: uint64(asset + 1)}, Amount: engine.Amount{Hi: 1 << 32},
			}, nil)
		}
	}
	for id := range m.cfg.Markets {
		add(engine.Command{Op: engine.OpMarket, Market: engine.MarketID(id)}, &engine.MarketConfig{
			Base: engine.AssetID(id), Quote: quote, LotUnits: 1000, TickUnits: 10, MinQty: 1, MaxQty: 1 << 30,
			MaxSlippage: 1000, MaxOrders: m.Shard().Orders, MaxPegs: 16, MaxTrailing: 16,
		})
		add(engine.Command{Op: engine.OpState, Market: engine.MarketID(id), State: engine.Open}, nil)
	}
	for range m.cfg.Depth {
		c := m.order()
		away := m.dice.between(1, mixFar)
		c.Price = mixMid - away
		if c.Side == engine.Sell {
			c.Price = mixMid + away
		}
		add(c, nil)
	}
	return steps
}

// Next implements Stream.
func (m *Mix) Next() Step {
	m.clock++
	roll := m.dice.below(100)
	switch {
	case roll >= mixAdds && roll < mixAdds+mixCancels && len(m.book.orders) > 0:
		o := m.anyLive()
		return Step{Command: engine.Command{
			Op: engine.OpCancel, Time: m.clock, Market: o.market, Account: o.account, Order: o.id,
		}}
	case roll >= mixAdds && roll < mixAdds+mixCancels+mixReplaces && len(m.book.orders) > 0:
		o := m.anyLive()
		c := engine.Command{
			Op: engine.OpAmend, Time: m.clock, Market: o.market, Account: o.account, Order: o.id,
			Qty: m.dice.between(1, mixMaxQty), Price: m.near(o.side),
		}
		return Step{Command: c}
	case roll < mixAdds+mixCancels+mixReplaces:
		c := m.order()
		c.Price = m.near(c.Side)
		return Step{Command: c}
	default:
		c := m.order()
		c.TIF, c.Price = engine.IOC, mixMid+mixReach
		if c.Side == engine.Sell {
			c.Price = mixMid - mixReach
		}
		return Step{Command: c}
	}
}

// Saw implements Stream.
func (m *Mix) Saw(events []engine.Event) { m.book.saw(events) }

func (m *Mix) anyLive() live { return m.book.orders[m.dice.below(int64(len(m.book.orders)))] }

func (m *Mix) order() engine.Command {
	return engine.Command{
		Op: engine.OpNew, Time: m.clock, Market: m.market(), Account: engine.AccountID(m.dice.between(1, int64(m.cfg.Accounts))),
		Side: engine.Side(m.dice.below(2)), Qty: m.dice.between(1, mixMaxQty),
	}
}

// near is a price on the own side of the middle.
func (m *Mix) near(side engine.Side) int64 {
	if side == engine.Buy {
		return mixMid - m.dice.between(1, mixNear)
	}
	return mixMid + m.dice.between(1, mixNear)
}

// market is one of the markets by Zipf.
func (m *Mix) market() engine.MarketID {
	i, _ := slices.BinarySearch(m.sums, m.dice.between(1, m.sums[len(m.sums)-1]))
	return engine.MarketID(i)
}
