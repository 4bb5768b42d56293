package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/trading"
)

// clientPrefix stands before a client id where an order's id is asked for.
const clientPrefix = "client:"

// target is an order that waits.
type target struct {
	account engine.AccountID
	market  *trading.Market
	id      engine.OrderID
	// before is the order as it was, where its beginning was not heard; else nil.
	before *trading.Order
}

// locate finds an order of a customer that waits. Errors: trading.ErrNotFound, a Refusal
// where it has ended, trading.ErrUnavailable.
func (d *Desk) locate(ctx context.Context, customer, ref string) (target, error) {
	account, err := d.account(ctx, customer)
	if err != nil {
		return target{}, err
	}
	n, err := d.named(customer, account, ref)
	if err != nil {
		return target{}, err
	}
	t := target{account: account, id: n.id}
	if l, ok := d.memory.order(account, t.id); ok && l.whole && !l.ended() {
		t.market = l.market
		return t, nil
	}
	rows, seq, err := d.rows(ctx, account)
	if err != nil {
		return target{}, err
	}
	for _, r := range rows {
		if !n.is(r) {
			continue
		}
		t.id, t.market = engine.OrderID(r.GetOrder()), d.marketOf(r)
		if t.market == nil {
			break
		}
		before := d.rowOrder(ctx, customer, account, r, seq, true)
		t.before = &before
		return t, nil
	}
	return target{}, d.gone(ctx, customer, account, t.id, n.clientID)
}

// marketOf returns the market of an order, nil where it is not in the catalog.
func (d *Desk) marketOf(r *matchingv1.Order) *trading.Market {
	return d.cfg.Catalog.ByID(engine.MarketID(r.GetMarket())) //nolint:gosec // the shard's bound
}

// reference is how a customer names an order.
type reference struct {
	id       engine.OrderID // zero where it is not known yet
	clientID string
	key      engine.Key
}

func (n *reference) is(r *matchingv1.Order) bool {
	return n.id != 0 && r.GetOrder() == uint64(n.id) || n.clientID != "" && keyOf(r.GetClientId()) == n.key
}

func (d *Desk) named(customer string, account engine.AccountID, ref string) (n reference, err error) {
	clientID, byClient := strings.CutPrefix(ref, clientPrefix)
	if byClient {
		if no := checkClientID(clientID); no != nil {
			return n, no
		}
		n.clientID, n.key = clientID, trading.ClientKey(customer, clientID)
		n.id, _ = d.memory.byKey(placedKey{account, n.key})
		return n, nil
	}
	var ok bool
	if n.id, ok = trading.ParseOrderID(ref); !ok {
		return n, fmt.Errorf("order %.40q: %w", ref, trading.ErrNotFound)
	}
	return n, nil
}

// gone says what became of an order that does not wait.
func (d *Desk) gone(ctx context.Context, customer string, account engine.AccountID, id engine.OrderID, clientID string) error {
	var o trading.Order
	l, ok := d.memory.order(account, id)
	err := fmt.Errorf("order %s: %w", clientPrefix+clientID, trading.ErrNotFound)
	switch {
	case ok:
		o, err = l.view(customer), nil
	case d.cfg.History != nil && clientID != "":
		o, err = d.cfg.History.OrderByClientID(ctx, customer, clientID)
	case d.cfg.History != nil:
		o, err = d.cfg.History.Order(ctx, customer, trading.OrderIDText(id))
	}
	switch {
	case errors.Is(err, trading.ErrNotFound):
		return fmt.Errorf("no such order waits: %w", trading.ErrNotFound)
	case err != nil:
		return fmt.Errorf("find order: %w", err)
	}
	no := refused(nil, engine.CodeUnknownOrder)
	no.Text = "order " + o.ID + " does not wait: it is " + string(o.State)
	return no
}

// Cancel implements trading.Orders. id may be the order's own, or "client:" and its
// client id.
func (d *Desk) Cancel(ctx context.Context, customer, id string) (trading.Order, error) {
	t, err := d.locate(ctx, customer, id)
	if err != nil {
		return trading.Order{}, d.refuse(opCancel, err)
	}
	r, err := d.do(ctx, opCancel, engine.Command{Op: engine.OpCancel, Market: t.market.ID, Account: t.account, Order: t.id})
	switch {
	case err != nil:
		return trading.Order{}, fmt.Errorf("cancel order: %w", err)
	case r.Kind == engine.EventRejected && r.Code == engine.CodeUnknownOrder:
		return trading.Order{}, d.gone(ctx, customer, t.account, t.id, "")
	case r.Kind == engine.EventRejected:
		return trading.Order{}, refused(t.market, r.Code)
	}
	l, ok := d.memory.order(t.account, t.id)
	switch {
	case ok && l.whole:
		return l.view(customer), nil
	case t.before == nil: // its events were missed just now
		return d.find(ctx, customer, t.account, t.id)
	}
	o := *t.before
	o.State, o.Reason, o.Seq = trading.OrderCancelled, trading.CodeName(engine.CodeByClient), r.Event
	if ok {
		o.Remaining, o.UpdatedAt = t.market.Quantity(l.left), at(l.updated)
	}
	return o, nil
}

// CancelAll implements trading.Orders.
func (d *Desk) CancelAll(ctx context.Context, customer, market, side string) (int, error) {
	c := engine.Command{Op: engine.OpMassCancel}
	if market != "" {
		m := d.cfg.Catalog.Market(market)
		if m == nil {
			return 0, d.refuse(opCancelAll, noMarket(d.cfg.Catalog, market))
		}
		c.Market, c.Flags = m.ID, engine.ScopeMarket
	}
	if side != "" {
		s, ok := sideOf(side)
		if !ok {
			return 0, d.refuse(opCancelAll, badSide(side))
		}
		c.Side = s
		c.Flags |= engine.ScopeSide
	}
	account, err := d.account(ctx, customer)
	if err != nil {
		return 0, err
	}
	c.Account = account
	count := d.memory.expectSweep(account)
	r, err := d.do(ctx, opCancelAll, c)
	n, heard := count(r.Event)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cancel all orders: %w", err)
	case r.Kind == engine.EventRejected && r.Code == engine.CodeUnknownAccount:
		return 0, nil // it has none
	case r.Kind == engine.EventRejected:
		return 0, refused(d.cfg.Catalog.Market(market), r.Code)
	case !heard:
		return 0, fmt.Errorf("count cancelled orders: %w: they are cancelled, but how many was not heard", trading.ErrUnavailable)
	}
	return n, nil
}

// Amend implements trading.Orders. id is as of Cancel; the order keeps it.
func (d *Desk) Amend(ctx context.Context, customer, id string, a trading.Amendment) (trading.Order, error) {
	if a == (trading.Amendment{}) {
		return trading.Order{}, d.refuse(opAmend, &trading.Refusal{
			Code: "missing_field", Field: "quantity", Text: "nothing is to change", Fix: "give a price, a quantity or what is shown",
		})
	}
	t, err := d.locate(ctx, customer, id)
	if err != nil {
		return trading.Order{}, d.refuse(opAmend, err)
	}
	f := &draft{market: t.market}
	c := engine.Command{
		Op: engine.OpAmend, Market: t.market.ID, Account: t.account, Order: t.id,
		Price: f.ticks("price", a.Price), Qty: f.lots("quantity", a.Quantity), Display: f.lots("display", a.Display),
	}
	if f.err != nil {
		return trading.Order{}, d.refuse(opAmend, f.err)
	}
	r, err := d.do(ctx, opAmend, c)
	switch {
	case err != nil:
		return trading.Order{}, fmt.Errorf("amend order: %w", err)
	case r.Kind == engine.EventRejected && r.Code == engine.CodeUnknownOrder:
		return trading.Order{}, d.gone(ctx, customer, t.account, t.id, "")
	case r.Kind == engine.EventRejected:
		no := refused(t.market, r.Code)
		if r.Code == engine.CodeBadType {
			no.Field, no.Text, no.Fix = "id", "only a limit order that stands alone is amended", "cancel it and place another"
		}
		return trading.Order{}, no
	}
	return d.find(ctx, customer, t.account, t.id)
}
