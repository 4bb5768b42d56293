package desk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
)

// maxEnriched bounds the orders of an answer that are looked up in the history, because
// they were there before this desk's session.
const maxEnriched = 200

// node returns the shard's leader, for reads that see all that was answered.
func (d *Desk) node(ctx context.Context) (matchingv1.MatchingClient, error) {
	n, err := d.cfg.Client.Leader(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trading.ErrUnavailable, err)
	}
	return n, nil
}

// rows reads what waits of an account.
func (d *Desk) rows(ctx context.Context, account engine.AccountID) ([]*matchingv1.Order, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Patience)
	defer cancel()
	n, err := d.node(ctx)
	if err != nil {
		return nil, 0, err
	}
	out, err := n.Orders(ctx, &matchingv1.OrdersRequest{Account: uint32(account)})
	if err != nil {
		return nil, 0, readFault("orders", err)
	}
	return out.GetOrders(), out.GetSeq(), nil
}

func readFault(what string, err error) error {
	return fmt.Errorf("read %s: %w: %w", what, trading.ErrUnavailable, err)
}

// Open implements trading.Orders.
func (d *Desk) Open(ctx context.Context, customer, market string) ([]trading.Order, uint64, error) {
	if market != "" && d.cfg.Catalog.Market(market) == nil {
		return nil, 0, noMarket(d.cfg.Catalog, market)
	}
	account, err := d.account(ctx, customer)
	if err != nil {
		return nil, 0, err
	}
	rows, seq, err := d.rows(ctx, account)
	if err != nil {
		return nil, 0, err
	}
	list, asked := make([]trading.Order, 0, len(rows)), 0
	for _, r := range rows {
		m := d.marketOf(r)
		if m == nil || market != "" && m.Name != market {
			continue
		}
		if l, ok := d.memory.order(account, engine.OrderID(r.GetOrder())); !ok || !l.whole {
			asked++
		}
		list = append(list, d.rowOrder(ctx, customer, account, r, seq, asked <= maxEnriched))
	}
	return list, seq, nil
}

// rowOrder is an order that waits, as the shard has it, with what only its events told:
// heard here, else (where ask is set) by the history, which lags by moments.
func (d *Desk) rowOrder(ctx context.Context, customer string, account engine.AccountID, r *matchingv1.Order, seq uint64, ask bool) trading.Order {
	l, ok := d.memory.order(account, engine.OrderID(r.GetOrder()))
	if !ok || !l.whole {
		l = live{id: engine.OrderID(r.GetOrder()), account: account, market: d.marketOf(r)}
	}
	l.adopt(r, seq)
	o := l.view(customer)
	o.Type = trading.TypeOf(l.kind)
	if l.whole || !ask || d.cfg.History == nil {
		return o
	}
	before, err := d.cfg.History.Order(ctx, customer, o.ID)
	switch {
	case err == nil:
		o.Quantity, o.Filled, o.Turnover, o.ClientID, o.CreatedAt = before.Quantity, before.Filled, before.Turnover, before.ClientID, before.CreatedAt
	case !errors.Is(err, trading.ErrNotFound):
		d.cfg.Logger.WarnContext(ctx, "history of orders cannot be read", slog.Any("error", err))
	}
	return o
}

// adopt takes over how an order waits in the shard at seq, which may be a moment ahead of
// the events or behind them.
func (l *live) adopt(r *matchingv1.Order, seq uint64) {
	l.kind, l.side, l.key = engine.Type(r.GetType()), engine.Side(r.GetSide()), keyOf(r.GetClientId()) //nolint:gosec // the shard's own
	l.sibling, l.trigger, l.expires = engine.OrderID(r.GetSibling()), r.GetTrigger(), r.GetExpiresNs()
	if l.kind == engine.Limit && l.sibling != 0 {
		l.kind = engine.OCO
	}
	l.filled += max(l.left-r.GetQty(), 0)
	l.left, l.state, l.code = r.GetQty(), trading.OrderOpen, engine.CodeNone
	l.price = r.GetPrice()
	if l.price == 0 {
		l.state, l.price = trading.OrderWaiting, r.GetLimit()
	}
	l.seq = max(l.seq, seq)
}

func keyOf(raw []byte) engine.Key {
	if len(raw) != 16 {
		return engine.Key{}
	}
	return engine.Key{Hi: binary.BigEndian.Uint64(raw), Lo: binary.BigEndian.Uint64(raw[8:])}
}

// Balances implements trading.Orders. It names all assets that trade.
func (d *Desk) Balances(ctx context.Context, customer string) ([]trading.Balance, uint64, error) {
	account, err := d.account(ctx, customer)
	if err != nil {
		return nil, 0, err
	}
	return d.balances(ctx, account, d.cfg.Catalog.Assets())
}

func (d *Desk) balances(ctx context.Context, account engine.AccountID, assets []engine.AssetID) ([]trading.Balance, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Patience)
	defer cancel()
	n, err := d.node(ctx)
	if err != nil {
		return nil, 0, err
	}
	req := &matchingv1.BalancesRequest{Account: uint32(account)}
	for _, a := range assets {
		req.Assets = append(req.Assets, uint32(a))
	}
	out, err := n.Balances(ctx, req)
	if err != nil {
		return nil, 0, readFault("balances", err)
	}
	list := make([]trading.Balance, 0, len(assets))
	for _, b := range out.GetBalances() {
		asset, ok := d.cfg.Catalog.Asset(engine.AssetID(b.GetAsset())) //nolint:gosec // as asked for
		if ok {
			list = append(list, trading.Balance{Asset: asset.Code, Available: unitsOf(b.GetAvailable()), Reserved: unitsOf(b.GetReserved())})
		}
	}
	return list, out.GetSeq(), nil
}

func unitsOf(a *matchingv1.Amount) money.Units {
	return settle.UnitsOf(engine.Amount{Hi: a.GetHi(), Lo: a.GetLo()})
}
