package desk

import (
	"context"
	"log/slog"
	"time"

	"strongroom/matching/engine"
)

// noteWithin bounds how long an answer waits for its terms to be kept.
const noteWithin = time.Second

// Terms keeps what no event tells of an order, its trigger in ticks and its expiry, so
// that the history can show them; *blotter.Log is one.
type Terms interface {
	Note(ctx context.Context, id engine.OrderID, trigger int64, expires time.Time) error
}

// note keeps the terms of an order that was accepted. The order stands whether or not
// they can be kept: then they are missing in its history, and the logger is told.
func (d *Desk) note(ctx context.Context, account engine.AccountID, c *engine.Command, id engine.OrderID) {
	if d.cfg.Terms == nil || c.Trigger == 0 && c.Expires == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWithin) // who asked may have gone
	defer cancel()
	own := c.Trigger
	if c.Type == engine.OCO { // the trigger is its sibling's
		own = 0
		if l, ok := d.memory.order(account, id); ok && l.sibling != 0 {
			d.noteOne(ctx, l.sibling, c.Trigger, c.Expires)
		}
	}
	d.noteOne(ctx, id, own, c.Expires)
}

func (d *Desk) noteOne(ctx context.Context, id engine.OrderID, trigger, expires int64) {
	if trigger == 0 && expires == 0 {
		return
	}
	if err := d.cfg.Terms.Note(ctx, id, trigger, at(expires)); err != nil {
		d.cfg.Logger.WarnContext(ctx, "terms of an order cannot be kept", slog.Uint64("order", uint64(id)), slog.Any("error", err))
	}
}
