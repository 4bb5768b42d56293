package settle

import (
	"cmp"
	"fmt"
	"slices"

	"strongroom/matching/engine"
	"strongroom/money"
)

// purse is one balance: of an account in an asset.
type purse struct {
	account engine.AccountID
	asset   engine.AssetID
}

// flow is what a part moves into and out of a purse.
type flow struct{ in, out money.Units }

// part is a run of events that is settled in one SQL transaction.
type part struct {
	events    []engine.Event
	trades    []*engine.Event
	transfers []*engine.Event
	flows     map[purse]flow
}

// Bounds of a part.
const (
	maxEvents = 8_192
	// maxPurses keeps the legs, at most one a purse, within what a ledger transaction
	// may have; a trade touches at most tradePurses.
	maxPurses   = 8_000
	tradePurses = 6
)

// marketTerms is what a market's lots and ticks are worth.
type marketTerms struct {
	base, quote engine.AssetID
	lot, tick   money.Units
}

// fold takes events in, from the first, until a bound or a checkpoint is reached, and
// returns the part. A checkpoint is a part of its own. Errors are reasons to halt.
func fold(events []engine.Event, markets map[engine.MarketID]marketTerms) (*part, error) {
	p := &part{flows: make(map[purse]flow)}
	n := 0
	for ; n < len(events) && n < maxEvents && len(p.flows) <= maxPurses-tradePurses; n++ {
		e := &events[n]
		if e.Kind == engine.EventCheckpoint {
			if n == 0 {
				n = 1
			}
			break
		}
		if err := p.take(e, markets); err != nil {
			return nil, fmt.Errorf("event %d: %w", e.Seq, err)
		}
	}
	p.events = events[:n]
	return p, nil
}

func (p *part) checkpoint() *engine.Event {
	if p.events[0].Kind == engine.EventCheckpoint {
		return &p.events[0]
	}
	return nil
}

func (p *part) take(e *engine.Event, markets map[engine.MarketID]marketTerms) error {
	switch e.Kind { //nolint:exhaustive // the others move nothing
	case engine.EventTrade:
		terms, ok := markets[e.Market]
		if !ok {
			return fmt.Errorf("market %d: %w", e.Market, ErrUnknown)
		}
		p.trades = append(p.trades, e)
		return p.trade(e, terms)
	case engine.EventTransfer:
		if e.Account == 0 {
			return fmt.Errorf("a transfer of the house: %w", ErrInvalid)
		}
		p.transfers = append(p.transfers, e)
	}
	return nil
}

// trade moves base to the buyer and quote to the seller; each pays its fee, to the
// house, in what it receives.
func (p *part) trade(e *engine.Event, terms marketTerms) error {
	if e.Price <= 0 || e.Qty <= 0 || e.Side > engine.Sell || e.Account == 0 || e.MakerAccount == 0 {
		return fmt.Errorf("a trade of %d at %d: %w", e.Qty, e.Price, ErrInvalid)
	}
	base, err := terms.lot.Mul(uint64(e.Qty))
	if err != nil {
		return fmt.Errorf("base amount: %w", err)
	}
	quote, err := money.FromUint64(uint64(e.Price)).Mul(uint64(e.Qty))
	if err != nil {
		return fmt.Errorf("quote amount: %w", err)
	}
	tick, _ := terms.tick.Uint64() // a uint64 in the engine
	if quote, err = quote.Mul(tick); err != nil {
		return fmt.Errorf("quote amount: %w", err)
	}
	buyer, seller := e.Account, e.MakerAccount
	buyerFee, sellerFee := UnitsOf(e.Amount), UnitsOf(e.Balance)
	if e.Side == engine.Sell {
		buyer, seller, buyerFee, sellerFee = seller, buyer, sellerFee, buyerFee
	}
	if err := p.pay(purse{seller, terms.base}, purse{buyer, terms.base}, base, buyerFee); err != nil {
		return err
	}
	return p.pay(purse{buyer, terms.quote}, purse{seller, terms.quote}, quote, sellerFee)
}

func (p *part) pay(from, to purse, amount, fee money.Units) error {
	rest, err := amount.Sub(fee)
	if err != nil {
		return fmt.Errorf("fee %s of %s: %w", fee, amount, ErrInvalid)
	}
	for _, side := range []struct {
		at      purse
		in, out money.Units
	}{{from, money.Units{}, amount}, {to, rest, money.Units{}}, {purse{0, to.asset}, fee, money.Units{}}} {
		f := p.flows[side.at]
		var over [2]error
		f.in, over[0] = f.in.Add(side.in)
		f.out, over[1] = f.out.Add(side.out)
		if over[0] != nil || over[1] != nil {
			return fmt.Errorf("sum of a batch: %w", money.ErrRange)
		}
		p.flows[side.at] = f
	}
	return nil
}

// net is what is left of a flow: a payment out of a purse, or into it.
type net struct {
	purse
	amount money.Units
	in     bool
}

// netted returns what is left, first what is paid, each in order of account and asset.
func (p *part) netted() []net {
	nets := make([]net, 0, len(p.flows))
	for at, f := range p.flows {
		switch f.in.Cmp(f.out) {
		case 1:
			nets = append(nets, net{at, f.in.SubFloor(f.out), true})
		case -1:
			nets = append(nets, net{at, f.out.SubFloor(f.in), false})
		}
	}
	slices.SortFunc(nets, func(a, b net) int {
		if a.in != b.in {
			if b.in {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.asset, b.asset))
	})
	return nets
}
