package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"strongroom/api/client"
	"strongroom/money"
)

// Move is what the tour takes to its trading balance.
type Move struct {
	Asset  string
	Amount string // decimal
}

// Deal is a purchase or sale on a live market.
type Deal struct {
	Market   string
	Side     string // "buy" or "sell"
	Quantity string // decimal, of the base asset
}

// name is how a deal is remembered.
func (d Deal) name() string { return d.Side + "-" + d.Market }

// decimals counts prices in 10^-18.
func decimals() money.Asset { return money.Asset{Code: "decimals", Scale: 18} }

// slippage is how far from the best price a deal may go, in parts of a hundred.
const slippage = 2

// move takes money to trading, each amount once, and waits until it is there.
func (t *Tour) move(ctx context.Context) error {
	for _, m := range t.cfg.Moves {
		if t.state.Moved[m.Asset] != "" {
			continue
		}
		var moved struct{ ID string }
		err := t.patiently(ctx, "move "+m.Asset+" to trading", func(ctx context.Context) (bool, error) {
			err := t.customer.Do(ctx, http.MethodPost, "/v1/transfers",
				map[string]string{"asset": m.Asset, "amount": m.Amount, "direction": "to_trading"}, &moved, client.IdempotencyKey(t.label()+"-move-"+m.Asset))
			return err == nil, err
		})
		if err != nil {
			return err
		}
		t.state.Moved[m.Asset] = moved.ID
		if err := t.save(); err != nil {
			return err
		}
	}
	for _, m := range t.cfg.Moves {
		if err := t.followMove(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tour) followMove(ctx context.Context, m Move) error {
	var view struct{ State, Reason string }
	err := t.patiently(ctx, "follow transfer", func(ctx context.Context) (bool, error) {
		if err := t.customer.Do(ctx, http.MethodGet, "/v1/transfers/"+t.state.Moved[m.Asset], nil, &view); err != nil {
			return false, err
		}
		if view.State == "refused" {
			return false, fmt.Errorf("%w: transfer of %s %s: %s", errEnded, m.Amount, m.Asset, view.Reason)
		}
		return view.State == "done", nil
	})
	if err == nil {
		t.say("%-4s %s moved to trading: %s", m.Asset, m.Amount, short(t.state.Moved[m.Asset]))
	}
	return err
}

// trade deals on the live markets, each deal once.
func (t *Tour) trade(ctx context.Context) error {
	for _, d := range t.cfg.Deals {
		if t.state.Dealt[d.name()] == "" {
			if err := t.order(ctx, d); err != nil {
				return err
			}
		}
		if err := t.followOrder(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// order gives a limit order in that takes what is there, as soon as somebody is.
func (t *Tour) order(ctx context.Context, d Deal) error {
	price, err := t.limit(ctx, d)
	if err != nil {
		return err
	}
	var order struct{ ID string }
	err = t.patiently(ctx, d.Side+" on "+d.Market, func(ctx context.Context) (bool, error) {
		err := t.customer.Do(ctx, http.MethodPost, "/v1/orders", map[string]string{
			"clientOrderId": t.label() + "-" + d.name(), "market": d.Market, "side": d.Side, "type": "limit", "price": price, "quantity": d.Quantity,
		}, &order)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	t.say("%s %s %s at %s or better: order %s", d.Market, d.Side, d.Quantity, price, short(order.ID))
	t.state.Dealt[d.name()] = order.ID
	return t.save()
}

// limit waits until the book is alive and returns a price that reaches into it.
func (t *Tour) limit(ctx context.Context, d Deal) (string, error) {
	path := "/v1/markets/" + url.PathEscape(d.Market)
	var best, tick string
	err := t.patiently(ctx, "wait for the book of "+d.Market, func(ctx context.Context) (bool, error) {
		var market struct{ Tick string }
		var book struct{ Bids, Asks [][]string }
		err := t.customer.Do(ctx, http.MethodGet, path, nil, &market)
		if err == nil {
			err = t.customer.Do(ctx, http.MethodGet, path+"/book?depth=1", nil, &book)
		}
		if err != nil || len(book.Bids) == 0 || len(book.Asks) == 0 {
			return false, err
		}
		tick, best = market.Tick, book.Asks[0][0]
		if d.Side == "sell" {
			best = book.Bids[0][0]
		}
		return true, nil
	})
	if err != nil {
		return "", err
	}
	return reach(best, tick, d.Side == "sell")
}

// reach is a price beyond the best one by the slippage, on the market's grid.
func reach(best, tick string, sells bool) (string, error) {
	at, err := decimals().Parse(best)
	if err != nil {
		return "", fmt.Errorf("read price: %w", err)
	}
	step, err := decimals().Parse(tick)
	if err != nil || step.IsZero() {
		return "", fmt.Errorf("read tick %.48q: %w", tick, errors.Join(err, money.ErrRange))
	}
	share := uint64(100 + slippage)
	if sells {
		share = 100 - slippage
	}
	hundred, err := step.Mul(100)
	if err != nil {
		return "", fmt.Errorf("reach from %s: %w", best, err)
	}
	wide, err := at.Mul(share)
	if err != nil {
		return "", fmt.Errorf("reach from %s: %w", best, err)
	}
	ticks, err := wide.MulDiv(money.FromUint64(1), hundred, money.Down)
	if err != nil {
		return "", fmt.Errorf("reach from %s: %w", best, err)
	}
	price, err := ticks.MulDiv(step, money.FromUint64(1), money.Down)
	if err != nil {
		return "", fmt.Errorf("reach from %s: %w", best, err)
	}
	return decimals().Format(price), nil
}

// followOrder waits until a deal is done and prints its fills.
func (t *Tour) followOrder(ctx context.Context, d Deal) error {
	id := t.state.Dealt[d.name()]
	var order struct{ State, Reason, Filled, Turnover string }
	err := t.patiently(ctx, "follow order", func(ctx context.Context) (bool, error) {
		if err := t.customer.Do(ctx, http.MethodGet, "/v1/orders/"+id, nil, &order); err != nil {
			return false, late(err)
		}
		if order.State == "cancelled" || order.State == "rejected" {
			return false, fmt.Errorf("%w: order %s is %s: %s", errEnded, id, order.State, order.Reason)
		}
		return order.State == "filled", nil
	})
	if err != nil {
		return err
	}
	var fills struct {
		Items []struct{ Price, Quantity, Fee, FeeAsset string }
	}
	err = t.patiently(ctx, "read fills", func(ctx context.Context) (bool, error) {
		err := t.customer.Do(ctx, http.MethodGet, "/v1/fills?orderId="+id, nil, &fills)
		return err == nil && len(fills.Items) > 0, err
	})
	if err != nil {
		return err
	}
	for _, f := range fills.Items {
		t.say("%s %s filled %s at %s, fee %s %s", d.Market, d.Side, f.Quantity, f.Price, f.Fee, f.FeeAsset)
	}
	return nil
}

// late makes a passing error of one that says that an order is not known: what was placed
// a moment ago may not be written down yet.
func late(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
		return errNotYet
	}
	return err
}

var errNotYet = errors.New("not written down yet")
