package shardchaos

import (
	"context"
	"math/rand/v2"
	"time"

	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

const (
	perCall   = 8
	callPause = 10 * time.Millisecond
	mid       = 10_000
	spread    = 20
	young     = 200
)

// trader gives orders of one account and writes down what it is told.
type trader struct {
	account engine.AccountID
	dice    *rand.Rand
	clock   func() time.Time
	served  chan<- time.Time
	placed  uint64

	told  []told
	fills []engine.Event
	gaps  int // times at which events were missed
	err   error
}

// told is a result that was acknowledged.
type told struct {
	command engine.Command
	result  wire.Result
}

func newTrader(account engine.AccountID, seed uint64, clock func() time.Time, served chan<- time.Time) *trader {
	return &trader{
		account: account, dice: rand.New(rand.NewPCG(seed, 100+uint64(account))),
		clock: clock, served: served,
	}
}

// trade gives orders until trading ends; what is under way then is waited for until
// ctx ends.
func (t *trader) trade(trading, ctx context.Context, c *client.Client) {
	session, err := c.Open(ctx, client.Options{Accounts: []engine.AccountID{t.account}, Events: t.heard, Missed: func(uint64) { t.gaps++ }})
	if err != nil {
		t.err = err
		return
	}
	defer session.Close()
	for pause(trading, callPause) {
		commands := make([]engine.Command, perCall)
		for i := range commands {
			commands[i] = t.next()
		}
		given := t.clock()
		results, err := session.Do(ctx, commands...)
		if err != nil {
			t.err = err
			return
		}
		for i, r := range results {
			t.told = append(t.told, told{commands[i], r})
		}
		select {
		case t.served <- given:
		default:
		}
	}
}

func (t *trader) heard(events []engine.Event) {
	for i := range events {
		if events[i].Kind == engine.EventTrade {
			t.fills = append(t.fills, events[i])
		}
	}
}

func (t *trader) next() engine.Command {
	if t.placed > 0 && t.dice.IntN(100) < 40 {
		return engine.Command{Op: engine.OpCancel, Account: t.account, Key: engine.Key{Lo: t.placed - t.dice.Uint64N(min(young, t.placed))}}
	}
	t.placed++
	return engine.Command{
		Op: engine.OpNew, Account: t.account, Side: engine.Side(t.dice.IntN(2)),
		Price: mid - spread + t.dice.Int64N(2*spread), Qty: 1 + t.dice.Int64N(50), Key: engine.Key{Lo: t.placed},
	}
}
