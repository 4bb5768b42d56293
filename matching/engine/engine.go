package engine

import (
	"errors"
	"fmt"
	"math"

	"strongroom/internal/hugepage"
)

// ErrConfig is returned by New for a configuration that no shard can have.
var ErrConfig = errors.New("bad configuration of a shard")

// maxBalances bounds accounts times assets: rows for them are made at once.
const maxBalances = 1 << 28

// never is a time that does not come.
const never = math.MaxInt64

// Engine is the state of one shard. It is stepped by one goroutine; readers share
// that goroutine.
type Engine struct {
	cfg   Config
	now   int64
	seq   uint64
	ages  uint64
	due   int64 // when the next thing is due
	timer int64 // when the first auction or halt ends

	rows      []order
	free      uint32 // places that were used before, last freed first
	fresh     uint32 // highest place ever used
	live      uint32
	kept      uint32 // places kept back for brackets
	extras    []extra
	extraFree uint32
	ends      []uint32 // heap of orders with an end
	pages     []*page  // not in use
	made      []*page  // all that were ever made
	pagesMade int      // the last time
	pagesUsed uint32
	movers    uint32 // stops and pegs: orders whose price is not the client's alone
	sessions  sessions
	warmed    uint64 // what Warm has read, so that it has to

	markets   []market
	accounts  []account
	balances  []balance
	supply    []Amount // of each asset, all balances together
	sum       uint64   // of the hashes of all balances but those in unsummed
	unsummed  []uint32 // places of balances that may have changed
	changed   []uint64 // a bit for each balance: it is in unsummed
	guards    []guard  // by account, market
	keys      keys
	transfers transfers
	mirror    *Frozen // the copy that keys.dirty is of

	// What the step that runs has left to do.
	out      []Event
	dirty    []uint16    // markets by id
	tripped  []guardID   // in order
	finished []takeAfter // ended brackets, in order
}

type account struct {
	head, tail uint32 // its orders by age
	group      uint32
	tier       uint8
	made       bool
	killed     bool
}

// market is one market with its book.
type market struct {
	cfg            MarketConfig
	book, stops    [2]ladder
	id             MarketID
	made, traded   bool
	touched        bool // is in dirty
	state, next    State
	until          int64 // zero for none
	last, ref      int64
	low, high      int64 // dynamic band
	start, first   int64 // window of the breaker; first zero while none runs
	waiting        uint32
	pegs, trails   []uint32 // by id
	pegBid, pegAsk int64    // best unpegged prices when pegs last moved
}

// New makes an empty shard. All memory that its configuration bounds is taken here.
// Errors: ErrConfig.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Orders == 0 || cfg.Orders > MaxRows:
		return nil, fmt.Errorf("orders %d: %w", cfg.Orders, ErrConfig)
	case cfg.Accounts == 0 || cfg.Assets == 0 || cfg.Markets == 0:
		return nil, fmt.Errorf("no accounts, assets or markets: %w", ErrConfig)
	case uint64(cfg.Accounts)*uint64(cfg.Assets) > maxBalances:
		return nil, fmt.Errorf("balances: %w", ErrConfig)
	case cfg.Keys > MaxRows*16 || cfg.Transfers > MaxRows*16 || cfg.Retention < 0:
		return nil, fmt.Errorf("ids: %w", ErrConfig)
	}
	e := &Engine{
		cfg: cfg, due: never, timer: never,
		rows:     hugepage.Make[order](int(cfg.Orders) + 1),
		extras:   make([]extra, 1, 64),
		markets:  make([]market, cfg.Markets),
		accounts: make([]account, cfg.Accounts),
		balances: make([]balance, uint64(cfg.Accounts)*uint64(cfg.Assets)),
		supply:   make([]Amount, cfg.Assets),
		unsummed: make([]uint32, 0, maxUnsummed),
		changed:  make([]uint64, (uint64(cfg.Accounts)*uint64(cfg.Assets)+63)/64),
		keys:     newKeys(cfg.Keys, cfg.Retention == 0), transfers: newTransfers(cfg.Transfers),
	}
	e.accounts[0].made = true
	for i := range e.markets {
		m := &e.markets[i]
		m.id = MarketID(i)
		m.book[Sell].flip, m.stops[Buy].flip = -1, -1
		m.low, m.high = math.MinInt64, math.MaxInt64
	}
	return e, nil
}

// emit appends an event and returns it to be filled.
func (e *Engine) emit(kind EventKind) *Event {
	e.seq++
	n := len(e.out)
	if n < cap(e.out) {
		e.out = e.out[:n+1]
	} else {
		e.out = append(e.out, Event{})
	}
	ev := &e.out[n]
	*ev = Event{Seq: e.seq, Time: e.now, Kind: kind}
	return ev
}

// reject answers a command that changes nothing.
func (e *Engine) reject(c *Command, code Code) {
	ev := e.emit(EventRejected)
	ev.Market, ev.Account, ev.Order, ev.Key, ev.Code = c.Market, c.Account, c.Order, c.Key, code
}

// Configure makes or changes a market: it is Apply for OpMarket.
func (e *Engine) Configure(c *Command, cfg *MarketConfig, out []Event) []Event {
	e.out = out
	e.advance(c.Time)
	if code := e.configure(c, cfg); code != CodeNone {
		e.reject(c, code)
	}
	e.settleDown()
	out, e.out = e.out, nil
	return out
}

// Apply does what is due until the command's time and then what the command asks, and
// appends what happened to out. It allocates only where out or a slab has to grow.
func (e *Engine) Apply(c *Command, out []Event) []Event {
	e.out = out
	if c.Time > e.now {
		e.advance(c.Time)
	}
	if code := e.apply(c); code != CodeNone {
		e.reject(c, code)
	}
	if len(e.dirty) != 0 {
		e.settleDown()
	}
	out, e.out = e.out, nil
	return out
}

func (e *Engine) apply(c *Command) Code {
	switch c.Op {
	case OpNew:
		return e.place(c)
	case OpCancel:
		return e.cancelOne(c)
	case OpAmend:
		return e.amend(c)
	case OpTime:
		return CodeNone
	case OpState:
		return e.setState(c)
	case OpCheckpoint:
		e.checkpoint()
		return CodeNone
	case OpCredit, OpDebit:
		e.transfer(c)
		return CodeNone
	case OpAccount, OpMassCancel, OpKill, OpRevive, OpDisconnect, OpProtection:
		return e.applyAccount(c)
	case OpMarket:
		return CodeBadConfig
	case OpNone:
	}
	return CodeUnknownOp
}

// touch notes that a step has changed a market.
func (e *Engine) touch(m *market) {
	if m.touched {
		return
	}
	m.touched = true
	i := len(e.dirty)
	e.dirty = append(e.dirty, 0)
	for ; i > 0 && e.dirty[i-1] > uint16(m.id); i-- {
		e.dirty[i] = e.dirty[i-1]
	}
	e.dirty[i] = uint16(m.id)
}

// known returns a market that was made.
func (e *Engine) known(id MarketID) *market {
	if int(id) >= len(e.markets) || !e.markets[id].made {
		return nil
	}
	return &e.markets[id]
}

// trader returns an account that was made and is not the house.
func (e *Engine) trader(id AccountID) *account {
	if id == 0 || uint64(id) >= uint64(len(e.accounts)) || !e.accounts[id].made {
		return nil
	}
	return &e.accounts[id]
}
