package sim

import (
	"context"
	"net/http"
	"net/url"

	"strongroom/api/client"
	"strongroom/money"
)

// Sides as the API writes them.
const (
	buy  = "buy"
	sell = "sell"
)

// Order is what is asked for, and the part of the answer that those who trade here read.
type Order struct {
	ID          string `json:"id,omitempty"`
	ClientID    string `json:"clientOrderId,omitempty"`
	Market      string `json:"market"`
	Side        string `json:"side"`
	Type        string `json:"type"`
	Price       string `json:"price,omitempty"`
	Quantity    string `json:"quantity,omitempty"`
	TimeInForce string `json:"timeInForce,omitempty"`
	PostOnly    string `json:"postOnly,omitempty"`
	State       string `json:"state,omitempty"`
	Remaining   string `json:"remaining,omitempty"`
	Filled      string `json:"filled,omitempty"`
}

// Account is one customer's way to trade.
type Account interface {
	Place(ctx context.Context, o Order) (Order, error)
	Amend(ctx context.Context, id, price, quantity string) (Order, error)
	Cancel(ctx context.Context, id string) error
	// CancelAll cancels all open orders of a market.
	CancelAll(ctx context.Context, market string) error
	Open(ctx context.Context, market string) ([]Order, error)
	// Top returns the best prices of a market, empty where a side has none.
	Top(ctx context.Context, market string) (bid, ask string, err error)
	// Trading returns what the customer has to trade with, reserved or not, by asset code.
	Trading(ctx context.Context) (map[string]money.Units, error)
}

// rest is an Account over the public API.
type rest struct {
	api    *client.Client
	assets map[string]money.Asset
}

var _ Account = (*rest)(nil)

func (r *rest) Place(ctx context.Context, o Order) (Order, error) {
	var out Order
	err := r.api.Do(ctx, http.MethodPost, "/v1/orders", o, &out)
	return out, err
}

func (r *rest) Amend(ctx context.Context, id, price, quantity string) (Order, error) {
	var out Order
	err := r.api.Do(ctx, http.MethodPatch, "/v1/orders/"+id, map[string]string{"price": price, "quantity": quantity}, &out)
	return out, err
}

func (r *rest) Cancel(ctx context.Context, id string) error {
	return r.api.Do(ctx, http.MethodDelete, "/v1/orders/"+id, nil, nil)
}

func (r *rest) CancelAll(ctx context.Context, market string) error {
	return r.api.Do(ctx, http.MethodDelete, "/v1/orders?market="+url.QueryEscape(market), nil, nil)
}

func (r *rest) Open(ctx context.Context, market string) ([]Order, error) {
	var page struct{ Items []Order }
	err := r.api.Do(ctx, http.MethodGet, "/v1/orders?state=open&market="+url.QueryEscape(market), nil, &page)
	return page.Items, err
}

func (r *rest) Top(ctx context.Context, market string) (bid, ask string, err error) {
	var book struct{ Bids, Asks [][]string }
	if err := r.api.Do(ctx, http.MethodGet, "/v1/markets/"+url.PathEscape(market)+"/book?depth=1", nil, &book); err != nil {
		return "", "", err
	}
	best := func(side [][]string) string {
		if len(side) == 0 || len(side[0]) == 0 {
			return ""
		}
		return side[0][0]
	}
	return best(book.Bids), best(book.Asks), nil
}

func (r *rest) Trading(ctx context.Context) (map[string]money.Units, error) {
	var page struct {
		Items []struct{ Asset, Available, Reserved string }
	}
	if err := r.api.Do(ctx, http.MethodGet, "/v1/trading/balances", nil, &page); err != nil {
		return nil, err
	}
	out := map[string]money.Units{}
	for _, b := range page.Items {
		asset := r.assets[b.Asset]
		available, err := asset.Parse(b.Available)
		if err != nil {
			return nil, err
		}
		reserved, err := asset.Parse(b.Reserved)
		if err != nil {
			return nil, err
		}
		if out[b.Asset], err = available.Add(reserved); err != nil {
			return nil, err
		}
	}
	return out, nil
}
