package api

import (
	"context"

	"github.com/coder/websocket"

	"strongroom/money"
	"strongroom/trading"
)

// maxGathered bounds updates of an account in one message.
const maxGathered = 64

type (
	ordersMessage struct {
		head

		Orders []Order `json:"orders"`
		Fills  []Fill  `json:"fills,omitempty"`
	}
	balancesMessage struct {
		head

		Balances []TradingBalance `json:"balances"`
	}
)

// follower tells one subscription what happens to an account.
type follower struct {
	k      *socket
	topic  topic
	format func(string, money.Units) string
	seq    uint64 // of the snapshot: updates up to it are in it
}

// feedAccount listens first and asks how things stand then, so that nothing between is
// lost; what the snapshot has already is dropped.
func (k *socket) feedAccount(ctx context.Context, t topic) {
	f := &follower{k: k, topic: t}
	if err := f.follow(ctx); err != nil && ctx.Err() == nil {
		k.s.cfg.Log.WarnContext(ctx, "a stream of an account ends", "customer", k.customer, "cause", err)
		k.end(&ending{websocket.StatusTryAgainLater, "matching cannot be reached now; come back", "unavailable"})
	}
}

// follow returns nil where the stream or the subscription has ended.
func (f *follower) follow(ctx context.Context) error {
	var err error
	if f.format, err = f.k.s.formats(ctx); err != nil {
		return err
	}
	updates, err := f.k.s.cfg.Trading.Orders.Watch(ctx, f.k.customer)
	if err != nil {
		return err
	}
	if err := f.snapshot(ctx); err != nil {
		return err
	}
	for {
		list, open := gather(updates)
		if err := f.tell(ctx, list); err != nil {
			return err
		}
		if open {
			continue
		}
		if ctx.Err() == nil {
			f.k.end(slowReader())
		}
		return nil
	}
}

// gather waits for an update and takes what waits behind it too; open is false where
// there will be no more.
func gather(updates <-chan trading.Update) (list []trading.Update, open bool) {
	u, open := <-updates
	for open {
		list = append(list, u)
		if len(list) == maxGathered {
			return list, true
		}
		select {
		case u, open = <-updates:
		default:
			return list, true
		}
	}
	return list, false
}

// tell sends updates, or how things stand where something was lost.
func (f *follower) tell(ctx context.Context, list []trading.Update) error {
	for i := range list {
		if u := &list[i]; u.Reset && (u.Seq == 0 || u.Seq > f.seq) {
			if err := f.snapshot(ctx); err != nil {
				return err
			}
		}
	}
	orders, balances := f.news(list)
	switch {
	case f.topic.Channel == channelOrders && len(orders.Orders)+len(orders.Fills) > 0:
		f.k.send(ctx, channelOrders, orders)
	case f.topic.Channel == channelBalances && len(balances.Balances) > 0:
		f.k.send(ctx, channelBalances, balances)
	}
	return nil
}

// news is what updates tell beyond the snapshot.
func (f *follower) news(list []trading.Update) (orders ordersMessage, balances balancesMessage) {
	h := head{Type: "update", topic: f.topic}
	orders, balances = ordersMessage{Orders: []Order{}}, balancesMessage{Balances: []TradingBalance{}}
	for i := range list {
		u := &list[i]
		if u.Seq <= f.seq {
			continue
		}
		h.Seq = max(h.Seq, u.Seq)
		switch {
		case u.Order != nil:
			orders.Orders = append(orders.Orders, orderOf(u.Order))
		case u.Fill != nil:
			orders.Fills = append(orders.Fills, fillOf(u.Fill))
		}
		balances.Balances = append(balances.Balances, tradingBalancesOf(u.Balances, f.format)...)
	}
	orders.head, balances.head = h, h
	return orders, balances
}

// snapshot sends how things stand.
func (f *follower) snapshot(ctx context.Context) error {
	h := head{Type: "snapshot", topic: f.topic}
	if f.topic.Channel == channelBalances {
		list, seq, err := f.k.s.cfg.Trading.Orders.Balances(ctx, f.k.customer)
		if err != nil {
			return err
		}
		f.seq, h.Seq = seq, seq
		f.k.send(ctx, channelBalances, balancesMessage{head: h, Balances: tradingBalancesOf(list, f.format)})
		return nil
	}
	list, seq, err := f.k.s.cfg.Trading.Orders.Open(ctx, f.k.customer, "")
	if err != nil {
		return err
	}
	f.seq, h.Seq = seq, seq
	message := ordersMessage{head: h, Orders: make([]Order, len(list))}
	for i := range list {
		message.Orders[i] = orderOf(&list[i])
	}
	f.k.send(ctx, channelOrders, message)
	return nil
}
