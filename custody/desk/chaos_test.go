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
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/desk"
)

// chaos is a house where anything happens at any time.
type chaos struct {
	*house
	rnd   *rand.Rand
	all   []custody.Withdrawal
	ended map[string]custody.WithdrawalState
}

// TestChaos takes random steps of random withdrawals among lost replies, dead
// nodes, wiped pools, reorganisations and new processes, lets everything heal, and
// holds book and chain against each other.
func TestChaos(t *testing.T) {
	seeds, commands := 6, 250
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			c := &chaos{house: newHouse(t), rnd: rand.New(rand.NewPCG(uint64(seed), 7)), ended: map[string]custody.WithdrawalState{}}
			c.fund("ETH", big, big)
			c.fund("TUSD", 1_000_000, 1_000_000)
			c.fund("BTC", 10_000_000, 4_000_000)
			c.fund("BTC", 0, 3_000_000)
			c.fund("BTC", 0, 3_000_000)
			for range commands {
				c.command()
			}
			c.heal()
			c.audit()
		})
	}
}

func (c *chaos) command() {
	ctx := context.Background()
	chain := []chainadapters.ChainID{evm, utxo}[c.rnd.IntN(2)]
	switch n := c.rnd.IntN(100); {
	case n < 12:
		c.create()
	case n < 62 && len(c.all) > 0:
		c.step()
	case n < 78:
		c.mine(chain, 1)
	case n < 82:
		c.reorg(chain, 1+c.rnd.IntN(finalDepth-1))
	case n < 87:
		c.nodes[chain].Break([]fakechain.Fault{fakechain.LostReply, fakechain.Refuse, fakechain.Down, fakechain.Duplicate, fakechain.Lagging}[c.rnd.IntN(5)])
	case n < 91:
		c.nodes[chain].Break(fakechain.None)
	case n < 92:
		c.chains[chain].DropPool()
	case n < 95:
		c.chains[chain].SetPrice(map[chainadapters.ChainID]uint64{evm: 4e9, utxo: 8_000}[chain] * c.rnd.Uint64N(4))
		c.pass(time.Duration(c.rnd.IntN(90)) * time.Minute)
	case n < 98 && len(c.all) > 0:
		w := c.all[c.rnd.IntN(len(c.all))]
		if err := c.store.OrderCancel(ctx, w.ID, "chance"); err != nil && !errors.Is(err, custody.ErrIllegal) {
			c.t.Fatalf("order: %v", err)
		}
		if c.rnd.IntN(3) == 0 {
			c.signer.refuse = fmt.Errorf("chance: %w", desk.ErrRefused)
		} else {
			c.signer.refuse = nil
		}
	case n < 99 && len(c.all) > 0:
		w := c.all[c.rnd.IntN(len(c.all))]
		if _, err := c.store.CancelWithdrawal(ctx, customer, w.ID); err != nil && !errors.Is(err, custody.ErrIllegal) {
			c.t.Fatalf("cancel: %v", err)
		}
	default:
		c.restart()
	}
}

func (c *chaos) create() {
	asset := []string{"BTC", "ETH", "TUSD"}[c.rnd.IntN(3)]
	c.counter++
	req := c.request(asset, fmt.Sprintf("key-%d", c.counter), 2000+c.rnd.Uint64N(5000))
	req.To = c.outside(asset, req.IdempotencyKey) // a destination of its own
	w, _, err := c.store.CreateWithdrawal(context.Background(), req)
	c.must(err)
	c.all = append(c.all, w)
}

// step takes a random step. Errors are what nodes and chance make of it; the state
// must never leave an end.
func (c *chaos) step() {
	w := c.all[c.rnd.IntN(len(c.all))]
	names := []string{"screen", "reserve", "sign", "send", "observe", "observe", "settle"}
	p, err := c.steps()[names[c.rnd.IntN(len(names))]](context.Background(), w.ID)
	if errors.Is(err, custody.ErrIllegal) || errors.Is(err, custody.ErrConflict) {
		c.t.Fatalf("%s: %v", w.ID, err)
	}
	if before, was := c.ended[w.ID]; was && p.State != before {
		c.t.Fatalf("%s left %s for %s", w.ID, before, p.State)
	}
	if p.Ended {
		c.ended[w.ID] = p.State
	}
}

// heal lets all nodes live and walks every withdrawal to its end.
func (c *chaos) heal() {
	c.t.Helper()
	for chain, node := range c.nodes {
		node.Break(fakechain.None)
		c.chains[chain].SetPrice(0)
	}
	c.signer.refuse = nil
	const rounds = 40
	for range rounds {
		open := 0
		for _, w := range c.all {
			for _, name := range []string{"screen", "reserve", "sign", "send", "observe", "settle"} {
				p, err := c.steps()[name](context.Background(), w.ID)
				if err != nil && !errors.Is(err, custody.ErrHotWallet) && !errors.Is(err, custody.ErrSlots) {
					c.t.Fatalf("%s of %s in %s: %v", name, w.ID, p.State, err)
				}
				if name == "settle" && !p.Ended {
					open++
				}
			}
		}
		if open == 0 {
			return
		}
		c.mine(evm, 1)
		c.mine(utxo, 1)
	}
	c.t.Fatalf("not all of %d withdrawals came to an end", len(c.all))
}

// audit: each payment once and for all, book equal to chain, no gap among nonces.
func (c *chaos) audit() {
	c.t.Helper()
	posted := 0
	for _, w := range c.all {
		info := c.assets.list[w.Asset]
		r, err := c.store.LoadIntent(context.Background(), w.ID)
		c.must(err)
		there := c.chains[info.Chain].Balance(w.To, info.Contract)
		switch {
		case r.State == custody.WithdrawalPosted && there == w.Amount:
			posted++
		case r.State == custody.WithdrawalCancelled && there.IsZero():
		default:
			c.t.Errorf("%s of %s %s is %s with %s at its destination", w.ID, w.Amount, w.Asset, r.State, there)
		}
		if n := c.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1 AND block_height IS NOT NULL`, w.ID); n > 1 {
			c.t.Errorf("%s was mined %d times", w.ID, n)
		}
	}
	for code, info := range c.assets.list {
		c.hotWalletAgrees(info)
		if b := c.balance(custody.FundingAccount(customer, code)); !b.DebitsPending.IsZero() {
			c.t.Errorf("%s %s is still held", b.DebitsPending, code)
		}
	}
	if n := c.count(`SELECT count(*) FROM custody.nonce_counter c WHERE next <> (SELECT count(*) FROM custody.nonce_slot s WHERE s.address = c.address)`); n != 0 {
		c.t.Error("there is a gap among the nonces")
	}
	if n := c.count(`SELECT count(*) FROM custody.chain_tx WHERE block_height IS NOT NULL AND sent_at IS NULL`); n != 0 {
		c.t.Errorf("%d transactions were mined that were never sent", n)
	}
	if posted == 0 {
		c.t.Error("nothing was paid: the commands are too weak")
	}
	c.onlyCancelledByCancellation()
	c.t.Logf("%d withdrawals, %d paid, %d attempts, %d of them cancellations, signer asked %d times", len(c.all), posted,
		c.count(`SELECT count(*) FROM custody.chain_tx`), c.count(`SELECT count(*) FROM custody.chain_tx WHERE cancels`), c.signer.asked)
}

// onlyCancelledByCancellation: what was ever signed ends unpaid only where a
// cancellation of ours is final, all attempts of an intent exclude each other, and
// each bids more than all before it.
func (c *chaos) onlyCancelledByCancellation() {
	c.t.Helper()
	if n := c.count(`SELECT count(*) FROM custody.withdrawal w WHERE state = 'cancelled' AND EXISTS (SELECT FROM custody.chain_tx t WHERE t.intent = w.id)
		AND NOT EXISTS (SELECT FROM custody.chain_tx t WHERE t.intent = w.id AND t.cancels AND t.block_height IS NOT NULL)`); n != 0 {
		c.t.Errorf("%d signed withdrawals were released without a final cancellation", n)
	}
	if n := c.count(`SELECT count(*) FROM custody.chain_tx a JOIN custody.chain_tx b ON b.intent = a.intent AND b.attempt > a.attempt
		WHERE b.max_fee <= a.max_fee OR a.cancels AND NOT b.cancels
			OR a.chain = $1 AND a.plan->'slot'->>'nonce' <> b.plan->'slot'->>'nonce'
			OR a.chain = $2 AND NOT EXISTS (SELECT FROM jsonb_array_elements(a.plan->'coins') x
				JOIN jsonb_array_elements(b.plan->'coins') y ON x->>'txid' = y->>'txid' AND x->>'vout' = y->>'vout')`, evm, utxo); n != 0 {
		c.t.Errorf("%d pairs of attempts do not replace each other", n)
	}
	if n := c.count(`SELECT count(*) FROM custody.coin_lock l JOIN custody.coin c USING (chain, txid, vout)
		JOIN custody.withdrawal w ON w.id = l.intent WHERE w.state IN ('posted', 'cancelled') AND c.spent_by IS NULL`); n != 0 {
		c.t.Errorf("%d coins stay promised to what has ended", n)
	}
}
