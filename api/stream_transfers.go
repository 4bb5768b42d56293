package api

import (
	"context"

	"github.com/coder/websocket"

	"strongroom/trading"
)

// shownTransfers is how many of the newest transfers a snapshot has.
const shownTransfers = 50

type transfersMessage struct {
	head

	Transfers []Transfer `json:"transfers"`
}

// feedTransfers tells an owner of transfers that end.
func (k *socket) feedTransfers(ctx context.Context, t topic) {
	if err := k.followTransfers(ctx, t); err != nil && ctx.Err() == nil {
		k.s.cfg.Log.WarnContext(ctx, "a stream of transfers ends", "customer", k.customer, "cause", err)
		k.end(&ending{websocket.StatusTryAgainLater, "transfers cannot be read now; come back", "unavailable"})
	}
}

// followTransfers listens first and asks how things stand then, so that no end is lost. It
// returns nil where the stream or the subscription has ended.
func (k *socket) followTransfers(ctx context.Context, t topic) error {
	news, err := k.s.cfg.Trading.Endings.Watch(ctx, k.customer)
	if err != nil {
		return err
	}
	if err := k.snapshotTransfers(ctx, t); err != nil {
		return err
	}
	for n := range news {
		if n.Lost {
			err = k.snapshotTransfers(ctx, t)
		} else {
			err = k.tellTransfers(ctx, head{Type: "update", topic: t}, *n.Transfer)
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() == nil {
		k.end(slowReader())
	}
	return nil
}

// snapshotTransfers sends the newest transfers as they stand.
func (k *socket) snapshotTransfers(ctx context.Context, t topic) error {
	list, _, err := k.s.cfg.Trading.Transfers.Transfers(ctx, k.customer, "", shownTransfers)
	if err != nil {
		return err
	}
	return k.tellTransfers(ctx, head{Type: "snapshot", topic: t}, list...)
}

func (k *socket) tellTransfers(ctx context.Context, h head, list ...trading.Transfer) error {
	format, err := k.s.formats(ctx)
	if err != nil {
		return err
	}
	m := transfersMessage{head: h, Transfers: make([]Transfer, len(list))}
	for i := range list {
		m.Transfers[i] = transferOf(&list[i], format)
	}
	k.send(ctx, channelTransfers, m)
	return nil
}
