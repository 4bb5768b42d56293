package naive

import (
	"errors"
	"math/big"

	"strongroom/matching/engine"
)

// ErrConfig means bounds that a shard cannot have.
var ErrConfig = errors.New("shard without room")

// Engine is one shard.
type Engine struct {
	cfg       engine.Config
	clock     int64
	seq       uint64
	out       []engine.Event
	accounts  map[engine.AccountID]*account
	markets   []*market // by id
	balances  map[holding]*balance
	orders    []*order // that have not ended, oldest first
	byID      map[engine.OrderID]*order
	returned  []engine.OrderID // ids to give next, the last first
	places    uint64           // places that were ever given
	accepted  uint64
	queued    uint64
	keys      []*clientKey
	transfers []transfer
}

// New makes an empty shard: no market, and no account but the house.
func New(cfg engine.Config) (*Engine, error) {
	if cfg.Orders == 0 || cfg.Accounts == 0 || cfg.Assets == 0 || cfg.Markets == 0 || cfg.Retention < 0 {
		return nil, ErrConfig
	}
	return &Engine{
		cfg:      cfg,
		accounts: map[engine.AccountID]*account{0: {}},
		balances: map[holding]*balance{},
		byID:     map[engine.OrderID]*order{},
	}, nil
}

// Apply does one command and returns out with what happened behind it.
func (e *Engine) Apply(c *engine.Command, out []engine.Event) []engine.Event {
	e.out = out
	e.runTo(c.Time)
	e.do(c)
	e.settleAll()
	return e.out
}

// Configure does OpMarket, whose configuration is given beside.
func (e *Engine) Configure(c *engine.Command, cfg *engine.MarketConfig, out []engine.Event) []engine.Event {
	e.out = out
	e.runTo(c.Time)
	if c.Op != engine.OpMarket {
		e.reject(c, engine.CodeUnknownOp)
	} else {
		e.configure(c, cfg)
	}
	e.settleAll()
	return e.out
}

// runTo lets happen what is due at or before t, and sets the clock.
func (e *Engine) runTo(t int64) {
	for {
		due, run := e.nextDue()
		if run == nil || due > t {
			break
		}
		e.clock = max(e.clock, due)
		run()
		e.settleAll()
	}
	e.clock = max(e.clock, t)
}

// nextDue is the earliest due thing: markets before orders, each by id.
func (e *Engine) nextDue() (int64, func()) {
	var due int64
	var run func()
	for _, m := range e.markets {
		if m.until != 0 && (run == nil || m.until < due) {
			due, run = m.until, func() { e.endOfState(m) }
		}
	}
	var first *order
	for _, o := range e.orders {
		sooner := first == nil || o.expires < first.expires || o.expires == first.expires && o.id < first.id
		if o.expires != 0 && sooner {
			first = o
		}
	}
	if first != nil && (run == nil || first.expires < due) {
		due, run = first.expires, func() { e.cancel(first, engine.CodeExpired) }
	}
	return due, run
}

func (e *Engine) do(c *engine.Command) {
	switch c.Op {
	case engine.OpTime:
	case engine.OpCredit, engine.OpDebit:
		e.move(c)
	case engine.OpAccount:
		e.setAccount(c)
	case engine.OpNew:
		e.newOrder(c)
	case engine.OpAmend:
		e.amend(c)
	case engine.OpCancel:
		e.cancelOne(c)
	case engine.OpMassCancel:
		e.massCancel(c)
	case engine.OpKill, engine.OpRevive:
		e.kill(c)
	case engine.OpDisconnect:
		e.disconnect(c)
	case engine.OpProtection:
		e.protection(c)
	case engine.OpState:
		e.changeState(c)
	case engine.OpMarket:
		e.reject(c, engine.CodeBadConfig)
	case engine.OpCheckpoint:
		e.checkpoint()
	case engine.OpNone:
		e.reject(c, engine.CodeUnknownOp)
	default:
		e.reject(c, engine.CodeUnknownOp)
	}
}

func (e *Engine) emit(v engine.Event) {
	e.seq++
	v.Seq, v.Time = e.seq, e.clock
	e.out = append(e.out, v)
}

func (e *Engine) reject(c *engine.Command, code engine.Code) {
	e.emit(engine.Event{
		Kind: engine.EventRejected, Market: c.Market, Account: c.Account, Order: c.Order, Key: c.Key, Code: code,
	})
}

func (e *Engine) market(id engine.MarketID) *market {
	for _, m := range e.markets {
		if m.id == id {
			return m
		}
	}
	return nil
}

// trader is the account if it was made and is not the house.
func (e *Engine) trader(id engine.AccountID) *account {
	if id == 0 {
		return nil
	}
	return e.accounts[id]
}

func (e *Engine) balance(a engine.AccountID, asset engine.AssetID) *balance {
	at := holding{a, asset}
	if e.balances[at] == nil {
		e.balances[at] = &balance{available: new(big.Int), reserved: new(big.Int)}
	}
	return e.balances[at]
}

// reserveNeeds takes from what is available, or gives back, until o has reserved what
// it needs.
func (e *Engine) reserveNeeds(o *order) {
	need := o.needs()
	more := minus(need, o.reserved)
	b := e.balance(o.account.id, o.pays())
	b.available = minus(b.available, more)
	b.reserved = plus(b.reserved, more)
	o.reserved = need
}

// covered reports whether the account of o could reserve need, with freed given back before.
func (e *Engine) covered(o *order, need, freed *big.Int) bool {
	b := e.balance(o.account.id, o.pays())
	return plus(b.available, freed).Cmp(need) >= 0
}
