package desk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/desk"
)

// TestAttemptsRace lets attempts of a few payments - raised, taken back, refused by
// the signer - compete in random order among reorganisations and changing prices:
// any of them may be handed to miners at any time. Each payment ends paid once or
// not at all, and book and chain agree.
func TestAttemptsRace(t *testing.T) {
	seeds, commands := 8, 120
	if testing.Short() {
		seeds = 2
	}
	attempts, cancels, undone := 0, 0, 0
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			c := &chaos{house: newHouse(t), rnd: rand.New(rand.NewPCG(uint64(seed), 11)), ended: map[string]custody.WithdrawalState{}}
			c.fund("ETH", big, big)
			c.fund("TUSD", 1_000_000, 1_000_000)
			c.fund("BTC", 10_000_000, 4_000_000)
			c.fund("BTC", 0, 3_000_000)
			for range 6 {
				c.create()
			}
			for _, w := range c.all {
				for _, name := range []string{"screen", "reserve", "sign", "send"} {
					c.must2(c.steps()[name](context.Background(), w.ID))
				}
			}
			for chain, price := range map[chainadapters.ChainID]uint64{evm: dear("ETH"), utxo: dear("BTC")} {
				c.chains[chain].SetPrice(price)
			}
			for range commands {
				c.compete()
			}
			c.heal()
			c.audit()
			attempts += c.count(`SELECT count(*) FROM custody.chain_tx`)
			cancels += c.count(`SELECT count(*) FROM custody.chain_tx WHERE cancels`)
			undone += c.count(`SELECT count(*) FROM custody.withdrawal WHERE state = 'cancelled'`)
		})
	}
	t.Logf("%d attempts, %d of them cancellations, %d payments taken back", attempts, cancels, undone)
	if !t.Failed() && (cancels == 0 || undone == 0 || undone >= cancels || attempts < 7*seeds) {
		t.Error("the commands are too weak")
	}
}

// compete does one random thing to the attempts.
func (c *chaos) compete() {
	ctx := context.Background()
	w := c.all[c.rnd.IntN(len(c.all))]
	switch n := c.rnd.IntN(100); {
	case n < 50:
		names := []string{"observe", "observe", "send", "sign", "settle"}
		p, err := c.steps()[names[c.rnd.IntN(len(names))]](ctx, w.ID)
		if err != nil && !errors.Is(err, desk.ErrRefused) {
			c.t.Fatalf("%s in %s: %v", w.ID, p.State, err)
		}
		if before, was := c.ended[w.ID]; was && p.State != before {
			c.t.Fatalf("%s left %s for %s", w.ID, before, p.State)
		}
		if p.Ended {
			c.ended[w.ID] = p.State
		}
	case n < 58:
		c.chains[w.Chain].SetPrice(dear(w.Asset) * (1 + c.rnd.Uint64N(3)))
	case n < 70:
		c.pass(time.Duration(c.rnd.IntN(80)) * time.Minute)
	case n < 80:
		c.mine(w.Chain, 1)
	case n < 84:
		c.reorg(w.Chain, 1+c.rnd.IntN(finalDepth-1))
	case n < 91:
		if err := c.store.OrderCancel(ctx, w.ID, "chance"); err != nil && !errors.Is(err, custody.ErrIllegal) {
			c.t.Fatal(err)
		}
	case n < 96:
		c.handOver(w)
	case n < 98:
		c.signer.refuse = map[bool]error{true: fmt.Errorf("chance: %w", desk.ErrRefused)}[c.signer.refuse == nil]
	default:
		c.restart()
	}
}

// handOver empties the pool and gives miners any attempt of a payment, that was
// sent before, as another node may that still has it.
func (c *chaos) handOver(w custody.Withdrawal) {
	attempts, err := c.store.Attempts(context.Background(), w.ID)
	c.must(err)
	a := attempts[c.rnd.IntN(len(attempts))]
	if a.SentAt.IsZero() {
		return
	}
	c.chains[w.Chain].DropPool()
	_ = c.nodes[w.Chain].Broadcast(context.Background(), a.Raw) // it may be too late for it
	c.chains[w.Chain].SetPrice(0)
	c.mine(w.Chain, 1)
	c.chains[w.Chain].SetPrice(dear(w.Asset))
}
