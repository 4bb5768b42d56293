package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// Resting is what waits in books behind one event: with it and the events from Seq+1 on
// anybody has the books from then on.
type Resting struct {
	Seq     uint64     // of the last event that counts
	Epoch   uint64     // of that event, zero where it is not known
	Time    int64      // log time, ns
	Hash    chain.Hash // of the chain behind that event
	Markets []RestingMarket
}

// RestingMarket is one market with the orders that it shows, best price first, bids
// before asks.
type RestingMarket struct {
	Market engine.MarketID
	State  engine.State
	Until  int64 // log time at which the state ends; zero for not by itself
	Last   int64 // price of the last trade in ticks; zero for none
	Orders []RestingOrder
}

// RestingOrder is what others see of an order in a book, in ticks and lots.
type RestingOrder struct {
	Order        engine.OrderID
	Side         engine.Side
	Price, Shown int64
}

// Resting reads what waits on markets, on all of them where none are named, from the
// node that leads. Errors: ErrNoLeader; ErrRefused with the reason; that of ctx; others
// pass.
func (c *Client) Resting(ctx context.Context, markets ...engine.MarketID) (Resting, error) {
	node, err := c.Leader(ctx)
	if err != nil {
		return Resting{}, err
	}
	req := &matchingv1.RestingRequest{}
	for _, m := range markets {
		req.Markets = append(req.Markets, uint32(m))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := node.Resting(ctx, req)
	if err != nil {
		return Resting{}, fmt.Errorf("read what waits: %w", err)
	}
	var out Resting
	for first := true; ; first = false {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) && !first {
			return out, nil
		}
		if err == nil {
			err = out.add(chunk, first)
		}
		if err == nil {
			continue
		}
		if !passing(err) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return Resting{}, fmt.Errorf("read what waits: %w", err)
	}
}

// add takes the next chunk. The first one has the moment.
func (r *Resting) add(c *matchingv1.RestingChunk, first bool) error {
	if moment := c.GetMoment(); first != (moment != nil) || first && len(moment.GetHash()) != len(r.Hash) {
		return fmt.Errorf("%w: what waits without one moment", wire.ErrMalformed)
	} else if first {
		r.Seq, r.Epoch, r.Time = moment.GetSeq(), moment.GetEpoch(), moment.GetTimeNs()
		copy(r.Hash[:], moment.GetHash())
	}
	if m := c.GetMarket(); m != nil {
		r.Markets = append(r.Markets, RestingMarket{
			Market: engine.MarketID(m.GetMarket()), State: engine.State(m.GetState()), Until: m.GetUntilNs(), Last: m.GetLast(), //nolint:gosec // as the engine has them
		})
	}
	orders, prices, shown := c.GetOrders(), c.GetPrices(), c.GetShown()
	if len(orders) != len(prices) || len(orders) != len(shown) || len(orders) > 0 && len(r.Markets) == 0 {
		return fmt.Errorf("%w: %d orders, %d prices, %d quantities", wire.ErrMalformed, len(orders), len(prices), len(shown))
	}
	for i := range orders {
		if err := r.order(orders[i], prices[i], shown[i]); err != nil {
			return err
		}
	}
	return nil
}

// order takes an order of the market named last. A seller's price is negated.
func (r *Resting) order(id uint64, price int64, shown uint64) error {
	o := RestingOrder{Order: engine.OrderID(id), Price: price, Shown: int64(shown)} //nolint:gosec // checked below
	if o.Price < 0 {
		o.Side, o.Price = engine.Sell, -o.Price
	}
	if o.Price <= 0 || o.Shown <= 0 {
		return fmt.Errorf("%w: order %d shows %d at %d", wire.ErrMalformed, o.Order, o.Shown, o.Price)
	}
	m := &r.Markets[len(r.Markets)-1]
	m.Orders = append(m.Orders, o)
	return nil
}
