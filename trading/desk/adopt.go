package desk

import (
	"context"
	"errors"
	"math/big"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
)

// adoptTries bounds how often the history is asked for orders that it does not have yet.
const adoptTries = 5

// adopt learns the waiting orders of a customer somebody watches from shard and history,
// so that what is told of them from now on is whole although their beginning was not
// heard. It reports whether that is done; where the history lags, once more will do.
func (d *Desk) adopt(ctx context.Context, account engine.AccountID, customer string) bool {
	if d.cfg.History == nil {
		return true
	}
	rows, seq, err := d.rows(ctx, account)
	if err != nil {
		return false
	}
	done := true
	for _, r := range rows[:min(len(rows), maxEnriched)] {
		l, ok := d.memory.order(account, engine.OrderID(r.GetOrder()))
		if ok && l.whole || d.marketOf(r) == nil {
			continue
		}
		before, err := d.cfg.History.Order(ctx, customer, trading.OrderIDText(engine.OrderID(r.GetOrder())))
		if err == nil && d.memory.adopt(d.remembered(account, r, &before, seq)) {
			continue
		}
		done = false
	}
	return done
}

// remembered makes an order of what the shard has of it at seq and what the history says
// was traded; nil where these two do not belong together.
func (d *Desk) remembered(account engine.AccountID, r *matchingv1.Order, before *trading.Order, seq uint64) *live {
	m := d.marketOf(r)
	l := &live{id: engine.OrderID(r.GetOrder()), account: account, market: m, left: r.GetQty(), clientID: before.ClientID, adopted: seq, whole: true}
	if before.Remaining != m.Quantity(l.left) {
		return nil
	}
	var err error
	if l.filled, err = lotsOrNone(m, before.Filled); err != nil {
		return nil
	}
	if l.turnover, err = turnoverOf(m, before.Turnover); err != nil {
		return nil
	}
	if !before.CreatedAt.IsZero() {
		l.created = before.CreatedAt.UnixNano()
	}
	l.adopt(r, seq)
	l.updated = l.created
	return l
}

func lotsOrNone(m *trading.Market, text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	return m.Lots(text)
}

var errTurnover = errors.New("turnover is no sum of ticks times lots")

// turnoverOf is the inverse of quoteText.
func turnoverOf(m *trading.Market, text string) (engine.Amount, error) {
	units, err := m.Quote.Parse(text)
	if err != nil {
		return engine.Amount{}, err
	}
	sum, rest := new(big.Int).QuoRem(units.Big(), new(big.Int).SetUint64(m.Config.TickUnits), new(big.Int))
	if rest.Sign() != 0 {
		return engine.Amount{}, errTurnover
	}
	counted, err := money.FromBig(sum)
	if err != nil {
		return engine.Amount{}, err
	}
	return settle.AmountOf(counted)
}

// adopt remembers an order as it was at l.adopted, unless more is known of it. It reports
// whether the order is known or has ended.
func (m *memory) adopt(l *live) bool {
	if l == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.open[l.id]
	switch {
	case m.ended[l.id] != nil || have != nil && have.whole:
		return true
	case have != nil && have.seq > l.adopted: // it went on meanwhile
		return false
	}
	delete(m.open, l.id)
	m.keep(l)
	return true
}
