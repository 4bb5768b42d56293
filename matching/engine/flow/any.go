package flow

import (
	"math"

	"strongroom/matching/engine"
)

// Feature is a part of the rules. Each seed of Any uses some of them, since some
// bugs only show where other features stay away.
type Feature uint32

// Features.
const (
	Amends Feature = 1 << iota
	Takers         // IOC, FOK and post-only orders
	Keyed          // client ids
	Icebergs
	Markets // market orders
	Stops
	SelfTrades // modes other than none, and groups
	Expiries
	Masses // mass cancel, kill, disconnect
	States // auctions and other states, by command
	Bands
	Breakers
	Guards
	Trails
	Pegs
	Pairs // OCO and bracket
	Bounds
	Configs  // markets that change
	Nonsense // fields at random
	Jumps    // large steps of time
	Wide     // prices far apart
)

// All is every feature.
const All = Wide<<1 - 1

// What Any trades on.
const (
	anyAssets   = 3
	anyAccounts = 6
	anyMid      = 100
	anyReach    = 8 // steps from the middle
	anyWideMid  = 100_000
	anyStart    = 20_000 * nsPerDay
	nsPerDay    = 24 * 60 * 60 * 1_000_000_000
	anyHalt     = 400
	anyKeys     = 40
)

// Any says anything that can be said.
type Any struct {
	dice     chance
	features Feature
	book     *book
	clock    int64
	mid      int64 // prices are some steps from here
	step     int64
	key      uint64
	queue    []Step
	configs  [2]engine.MarketConfig
}

// NewAny returns the stream of a seed with at most the given features; about a third of
// them is left out, but never where the seed divides by four.
func NewAny(seed uint64, features Feature) *Any {
	a := &Any{dice: chance{seed}, book: newBook(), clock: anyStart}
	a.features = features
	if seed%4 != 0 {
		some, more, most := a.dice.next(), a.dice.next(), a.dice.next()
		a.features &= Feature(some | more&most)
	}
	a.mid, a.step = anyMid, 1
	if a.has(Wide) {
		a.mid, a.step = anyWideMid, pick[int64](&a.dice, 1, 40, 300, 4000)
	}
	a.setup()
	return a
}

// Shard is the configuration that the stream is for: small, so that its bounds are met.
func (a *Any) Shard() engine.Config {
	return engine.Config{
		Orders: 48, Pages: 40, Accounts: anyAccounts + 1, Assets: anyAssets, Markets: 3, Keys: anyKeys / 2,
		Retention: 2000, Transfers: 1 << 16,
	}
}

func (a *Any) has(f Feature) bool { return a.features&f != 0 }

func (a *Any) setup() {
	for id := engine.AccountID(1); id < anyAccounts; id++ {
		c := engine.Command{Op: engine.OpAccount, Account: id, Tier: uint8(id % 3)}
		if a.has(SelfTrades) && id < 3 {
			c.Group = 7
		}
		a.queue = append(a.queue, Step{Command: c})
		for asset := range engine.AssetID(anyAssets) {
			a.queue = append(a.queue, Step{Command: a.transfer(engine.OpCredit, id, asset, 200_000)})
		}
	}
	for i := range a.configs {
		a.configs[i] = a.market(engine.AssetID(2 * i))
		cfg := a.configs[i]
		a.queue = append(a.queue,
			Step{Command: engine.Command{Op: engine.OpMarket, Market: engine.MarketID(i)}, Config: &cfg},
			Step{Command: engine.Command{Op: engine.OpState, Market: engine.MarketID(i), State: engine.Open}})
	}
	for i := range a.queue {
		a.queue[i].Command.Time = a.clock
	}
}

func (a *Any) transfer(op engine.Op, id engine.AccountID, asset engine.AssetID, most int64) engine.Command {
	a.key++
	return engine.Command{
		Op: op, Time: a.clock, Account: id, Asset: asset, Key: engine.Key{Hi: 9, Lo: a.key},
		Amount: engine.Amount{Lo: uint64(a.dice.between(1, most*a.mid/anyMid))},
	}
}

// market is a configuration for a base asset, with what the features ask for.
func (a *Any) market(base engine.AssetID) engine.MarketConfig {
	c := engine.MarketConfig{
		Base: base, Quote: 1, LotUnits: 7, TickUnits: 3, MinQty: 1, MaxQty: 60, MaxSlippage: a.dice.between(0, 6*a.step),
		MaxOrders: 40, MaxPegs: 4, MaxTrailing: 4, Reference: pick(&a.dice, 0, a.mid), HaltFor: pick(&a.dice, 0, int64(anyHalt)),
		DayEnd: a.dice.below(nsPerDay),
	}
	for i := range c.Tiers {
		c.Tiers[i] = engine.Fees{Maker: uint32(a.dice.below(20_000)), Taker: uint32(a.dice.below(90_000))}
	}
	if a.has(Bounds) {
		c.MinQty = a.dice.between(1, 3)
		c.MinNotional.Lo, c.MaxNotional.Lo = uint64(a.dice.below(9*a.mid)), uint64(a.dice.between(90*a.mid, 200*a.mid))
		c.StaticLow, c.StaticHigh = pick(&a.dice, 0, a.mid-(anyReach-1)*a.step), pick(&a.dice, 0, a.mid+(anyReach-1)*a.step)
	}
	if a.has(Bands) {
		c.DynamicPPM = uint32(a.dice.between(20_000, 80_000))
	}
	if a.has(Breakers) {
		c.BreakerPPM, c.BreakerWindow = uint32(a.dice.between(30_000, 90_000)), a.dice.between(1, 500)
	}
	return c
}

// Saw implements Stream.
func (a *Any) Saw(events []engine.Event) { a.book.saw(events) }

// Next implements Stream.
func (a *Any) Next() Step {
	if len(a.queue) > 0 {
		step := a.queue[0]
		a.queue = a.queue[1:]
		return step
	}
	a.tick()
	step := a.any()
	step.Command.Time = a.clock
	if a.has(Nonsense) && step.Config == nil && a.dice.percent(3) {
		a.spoil(&step.Command)
	}
	if a.dice.percent(1) {
		step.Command.Time = a.clock - a.dice.below(100) // it never goes back
	}
	return step
}

func (a *Any) tick() {
	a.clock += a.dice.below(12)
	if a.has(Jumps) && a.dice.percent(1) {
		a.clock += pick[int64](&a.dice, 1000, 100_000, nsPerDay/10, nsPerDay)
	}
}

func (a *Any) any() Step {
	roll := a.dice.below(1000)
	switch {
	case roll < 180:
		return Step{Command: a.cancel()}
	case roll < 300 && a.has(Amends):
		return Step{Command: a.amend()}
	case roll < 420:
		return a.rare(roll)
	default:
		return Step{Command: a.order()}
	}
}

// rare is anything but orders, amends and cancels.
func (a *Any) rare(roll int64) Step {
	id := a.account()
	switch c := (engine.Command{Account: id, Market: a.marketID()}); {
	case roll < 330:
		op := pick(&a.dice, engine.OpCredit, engine.OpCredit, engine.OpDebit)
		c = a.transfer(op, id, engine.AssetID(a.dice.below(anyAssets)), 30_000)
		if a.dice.percent(10) {
			c.Key.Lo = uint64(a.dice.between(1, int64(a.key)))
		}
		if a.dice.percent(2) {
			c.Amount = engine.Amount{Hi: math.MaxUint64, Lo: math.MaxUint64} // beyond what an asset may have
		}
		return Step{Command: c}
	case roll < 345 && a.has(Masses):
		return Step{Command: a.mass(c)}
	case roll < 365 && a.has(States):
		return Step{Command: a.state(c)}
	case roll < 375 && a.has(Guards):
		c.Op, c.Window, c.Qty, c.Count = engine.OpProtection, a.dice.below(500), a.dice.below(60), uint32(a.dice.below(6))
		return Step{Command: c}
	case roll < 378 && a.has(Configs):
		return a.reconfigure()
	case roll < 382:
		c.Op, c.Tier = engine.OpAccount, uint8(a.dice.below(engine.Tiers+1))
		if a.has(SelfTrades) {
			c.Group = uint32(a.dice.below(3))
		}
		return Step{Command: c}
	case roll < 384:
		return Step{Command: engine.Command{Op: engine.OpCheckpoint}}
	case roll < 400:
		return a.open()
	default:
		return Step{Command: engine.Command{Op: engine.OpTime}}
	}
}

func (a *Any) mass(c engine.Command) engine.Command {
	c.Op = pick(&a.dice, engine.OpMassCancel, engine.OpMassCancel, engine.OpKill, engine.OpRevive, engine.OpRevive, engine.OpDisconnect)
	c.Side, c.Session = engine.Side(a.dice.below(2)), engine.SessionID(a.dice.below(4))
	if c.Op == engine.OpMassCancel {
		c.Flags = pick(&a.dice, 0, engine.ScopeMarket, engine.ScopeSide, engine.ScopeMarket|engine.ScopeSide)
	}
	return c
}

func (a *Any) state(c engine.Command) engine.Command {
	c.Op, c.State = engine.OpState, engine.State(a.dice.below(7))
	if a.dice.percent(50) {
		c.State = engine.Auction
	}
	if a.dice.percent(50) {
		c.Until = a.clock + a.dice.between(-2, 300)
	}
	if a.dice.percent(20) {
		c.Flags = engine.Closing
	}
	return c
}

// open brings a market back that was halted for good.
func (a *Any) open() Step {
	return Step{Command: engine.Command{Op: engine.OpState, Market: a.marketID(), State: engine.Open}}
}

func (a *Any) reconfigure() Step {
	i := a.dice.below(int64(len(a.configs)))
	cfg := a.market(a.configs[i].Base)
	c := engine.Command{Op: engine.OpMarket, Market: engine.MarketID(i)}
	switch a.dice.below(8) {
	case 0:
		cfg.LotUnits++
	case 1:
		cfg.MaxQty = pick[int64](&a.dice, 0, -1, engine.MaxLots, engine.MaxLots+1)
	case 2:
		c.Market = engine.MarketID(a.dice.below(6))
	case 3:
		cfg.StaticLow, cfg.StaticHigh = a.dice.between(-1, 4), a.dice.between(-1, 4)
	case 4:
		cfg.MaxPegs, cfg.MaxTrailing, cfg.MaxOrders = 0, 0, uint32(a.dice.below(20))
	}
	return Step{Command: c, Config: &cfg}
}

func (a *Any) account() engine.AccountID {
	if a.dice.percent(2) {
		return engine.AccountID(a.dice.below(anyAccounts + 3))
	}
	return engine.AccountID(a.dice.between(1, anyAccounts-1))
}

func (a *Any) marketID() engine.MarketID {
	if a.dice.percent(1) {
		return engine.MarketID(a.dice.below(5))
	}
	return engine.MarketID(a.dice.below(int64(len(a.configs))))
}

// odd is a number at an end of what a field can hold.
func (a *Any) odd() int64 {
	return pick[int64](&a.dice, 0, -1, 1, math.MaxInt64, math.MinInt64, math.MaxInt64-1, 1<<40, 1<<40+1, 1<<62, a.mid)
}
