package desk

import (
	"context"

	"strongroom/trading"
)

// What tests look at by itself.
var (
	Convert = convert
	Refused = refused
)

// Remembers tells whether all of an order is known without asking the shard.
func (d *Desk) Remembers(ctx context.Context, customer, id string) bool {
	account, err := d.account(ctx, customer)
	n, _ := trading.ParseOrderID(id)
	l, ok := d.memory.order(account, n)
	return err == nil && ok && l.whole
}
