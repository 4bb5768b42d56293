package server_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
)

// restingOf reads what waits, by side and price.
func restingOf(tb testing.TB, c matchingv1.MatchingClient, markets ...uint32) (moment *matchingv1.RestingMoment, states []*matchingv1.RestingMarket, sides [2]map[int64]int64) {
	tb.Helper()
	stream, err := c.Resting(tb.Context(), &matchingv1.RestingRequest{Markets: markets})
	if err != nil {
		tb.Fatal(err)
	}
	sides = [2]map[int64]int64{{}, {}}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return moment, states, sides
		}
		if err != nil {
			tb.Fatal(err)
		}
		if chunk.GetMoment() != nil {
			moment = chunk.GetMoment()
		}
		if chunk.GetMarket() != nil {
			states = append(states, chunk.GetMarket())
		}
		for i, price := range chunk.GetPrices() {
			side := engine.Buy
			if price < 0 {
				side, price = engine.Sell, -price
			}
			sides[side][price] += int64(chunk.GetShown()[i])
		}
	}
}

// TestWhatWaitsIsTheDepthOfThatMoment gives random orders of all sorts in and compares.
func TestWhatWaitsIsTheDepthOfThatMoment(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	tr, worker := h.trader(t, "api", &matchingv1.Hello{}), h.client(t, "worker")
	dice := rand.New(rand.NewPCG(7, 7))
	given := 0
	for round := range 40 {
		for range 50 {
			given++
			c := order(alice+engine.AccountID(dice.IntN(4)), engine.Side(dice.IntN(2)), 900+dice.Int64N(200), 1+dice.Int64N(20), uint64(given))
			switch dice.IntN(6) {
			case 0:
				c.Display = 1 + dice.Int64N(c.Qty)
			case 1:
				c.Type, c.Trigger, c.Price = engine.Stop, c.Price, 0
			case 2:
				c.Type, c.Price = engine.Peg, 0
			}
			tr.send(c)
		}
		tr.until(given)
		moment, states, sides := restingOf(t, worker)
		depth, err := worker.Depth(t.Context(), &matchingv1.DepthRequest{Levels: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if moment.GetSeq() != depth.GetSeq() || len(states) != 1 || engine.State(states[0].GetState()) != engine.Open || states[0].GetLast() != depth.GetLast() {
			t.Fatalf("round %d: %v, %v", round, moment, states)
		}
		for side, want := range [2][]*matchingv1.Level{depth.GetBids(), depth.GetAsks()} {
			if len(want) != len(sides[side]) || len(want) == 0 {
				t.Fatalf("round %d: %d prices of side %d, the book shows %d", round, len(sides[side]), side, len(want))
			}
			for _, l := range want {
				if sides[side][l.GetPrice()] != l.GetQty() {
					t.Fatalf("round %d: %d at %d, the book shows %d", round, sides[side][l.GetPrice()], l.GetPrice(), l.GetQty())
				}
			}
		}
	}
	if _, states, sides := restingOf(t, worker, 1); len(states) != 0 || len(sides[0])+len(sides[1]) != 0 {
		t.Errorf("of a market that is not there: %v %v", states, sides)
	}
	stream, err := h.client(t, "api").Resting(t.Context(), &matchingv1.RestingRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	wantReason(t, refusalOf(t, err), matchingv1.Reason_REASON_FORBIDDEN, 0)
}
