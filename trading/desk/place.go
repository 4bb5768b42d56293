package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// Place implements trading.Orders.
func (d *Desk) Place(ctx context.Context, customer string, o trading.NewOrder) (trading.Order, bool, error) {
	market, command, err := convert(d.cfg.Catalog, &o)
	if err != nil {
		return trading.Order{}, false, d.refuse(opPlace, err)
	}
	account, err := d.account(ctx, customer)
	if err != nil {
		return trading.Order{}, false, err
	}
	command.Account, command.Key = account, trading.ClientKey(customer, o.ClientID)
	mine := placedKey{account, command.Key}
	done := d.memory.expect(mine, placed{clientID: o.ClientID, trigger: command.Trigger, expires: command.Expires})
	defer done()
	r, err := d.do(ctx, opPlace, command)
	switch {
	case err != nil:
		return trading.Order{}, false, fmt.Errorf("place order: %w", err)
	case r.Kind == engine.EventRejected && r.Code == engine.CodeDuplicate:
		order, err := d.first(ctx, customer, account, market, &o, r.Order)
		return order, true, err
	case r.Kind == engine.EventRejected:
		return trading.Order{}, false, refused(market, r.Code)
	}
	d.note(ctx, account, &command, r.Order)
	if l, ok := d.memory.accepted(mine, r.Order); ok {
		return l.view(customer), false, nil
	}
	order, err := d.first(ctx, customer, account, market, &o, r.Order) // its events were missed
	return order, false, err
}

// refuse counts a refusal of ours.
func (d *Desk) refuse(op string, err error) error {
	if no, ok := errors.AsType[*trading.Refusal](err); ok {
		d.metrics.refuse(op, no.Code)
	}
	return err
}

// first returns the order of a client id as it is now. Where the shard no longer has it
// and no history does yet, trading.ErrUnavailable; without a history its id and state
// unknown.
func (d *Desk) first(ctx context.Context, customer string, account engine.AccountID, m *trading.Market, o *trading.NewOrder, id engine.OrderID) (trading.Order, error) {
	order, err := d.find(ctx, customer, account, id)
	switch {
	case err == nil:
	case !errors.Is(err, trading.ErrNotFound):
		return trading.Order{}, err
	case d.cfg.History == nil:
		order = trading.Order{ID: trading.OrderIDText(id), Customer: customer, Market: m.Name}
	default:
		return trading.Order{}, fmt.Errorf("order %d: %w: the history does not have it yet", id, trading.ErrUnavailable)
	}
	order.ClientID = o.ClientID
	return order, nil
}

// find returns an order of a customer as it is now: from the events that were heard, from
// the shard where it waits, else from the history. Errors: trading.ErrNotFound,
// trading.ErrUnavailable, those of the history.
func (d *Desk) find(ctx context.Context, customer string, account engine.AccountID, id engine.OrderID) (trading.Order, error) {
	if l, ok := d.memory.order(account, id); ok && l.whole {
		return l.view(customer), nil
	}
	rows, seq, err := d.rows(ctx, account)
	if err != nil {
		return trading.Order{}, err
	}
	for _, r := range rows {
		if r.GetOrder() == uint64(id) {
			return d.rowOrder(ctx, customer, account, r, seq, true), nil
		}
	}
	if d.cfg.History == nil {
		return trading.Order{}, fmt.Errorf("order %d: %w", id, trading.ErrNotFound)
	}
	order, err := d.cfg.History.Order(ctx, customer, trading.OrderIDText(id))
	if err != nil {
		return trading.Order{}, fmt.Errorf("order %d: %w", id, err)
	}
	return order, nil
}
