package desk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// TestRefillsAmongChaos takes random steps of refills of a contract beside withdrawals, among
// lost replies, dead nodes, wiped pools, reorganisations, orders to cancel, owners who have
// not signed yet and new processes, lets everything heal, and holds book and chain against
// each other: each refill that is posted came once, and no other one came.
func TestRefillsAmongChaos(t *testing.T) {
	seeds, commands := 6, 300
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			h, owners, first, info := guarded(t, "ETH")
			c := &chaos{house: h, rnd: rand.New(rand.NewPCG(uint64(seed), 11)), ended: map[string]custody.WithdrawalState{}}
			h.fund("TUSD", 1_000_000, 1_000_000)
			h.fund("BTC", 10_000_000, 4_000_000)
			refills := []custodydb.Refill{first}
			for n := range 3 {
				refills = append(refills, h.refillOf(fmt.Sprintf("rfl_%dn2", n), "ETH"))
			}
			for range commands {
				if c.rnd.IntN(2) == 0 {
					c.command()
				} else {
					c.refillStep(refills, owners)
				}
				h.owned(owners) // a restart forgets it
			}
			owners.refuse = nil
			for _, w := range refills {
				c.all = append(c.all, custody.Withdrawal{ID: w.ID})
			}
			c.heal()
			c.came(refills, info)
			c.all = c.all[:len(c.all)-len(refills)]
			if len(c.all) > 0 {
				c.hotWalletAgrees(info)
			}
		})
	}
}

// refillStep takes a step of a refill, or lets owners sign, or takes a refill back.
func (c *chaos) refillStep(refills []custodydb.Refill, owners *contracts) {
	ctx := context.Background()
	w := refills[c.rnd.IntN(len(refills))]
	switch n := c.rnd.IntN(80); {
	case n < 3:
		owners.refuse = custody.ErrConsent
	case n < 8:
		owners.refuse = nil
	case n == 8:
		if _, err := c.desk.Release(ctx, w.ID, "chance"); err != nil && !errors.Is(err, custody.ErrIllegal) {
			c.t.Fatalf("release: %v", err)
		}
	case n == 9:
		if err := c.store.OrderCancel(ctx, w.ID, "chance"); err != nil && !errors.Is(err, custody.ErrIllegal) {
			c.t.Fatalf("order: %v", err)
		}
	default:
		names := []string{"screen", "reserve", "sign", "send", "observe", "observe", "settle"}
		p, err := c.steps()[names[c.rnd.IntN(len(names))]](ctx, w.ID)
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
}

// came counts what left the vault.
func (c *chaos) came(refills []custodydb.Refill, info custody.AssetInfo) {
	c.t.Helper()
	left, posted := uint64(200_000), 0
	for _, w := range refills {
		r, err := c.store.LoadIntent(context.Background(), w.ID)
		c.must(err)
		switch r.State { //nolint:exhaustive // the others are wrong
		case custody.WithdrawalPosted:
			left -= 50_000
			posted++
		case custody.WithdrawalCancelled:
		default:
			c.t.Errorf("%s is %s: %s", w.ID, r.State, r.Reason)
		}
	}
	c.vaultAgrees(info, units(left))
	c.hotWalletAgrees(info)
	if n := c.count(`SELECT count(*) - count(DISTINCT s.nonce) FROM custody.vault_slot s JOIN custody.house_intent i ON i.id = s.intent WHERE i.state = 'posted'`); n != 0 {
		c.t.Errorf("%d payments share a place", n)
	}
	if n := c.count(`SELECT count(*) FROM (SELECT intent FROM custody.attempt_plan WHERE plan->>'exec' IS NOT NULL GROUP BY intent HAVING count(DISTINCT plan->>'exec') > 1) x`); n != 0 {
		c.t.Errorf("%d refills have more than one call", n)
	}
	c.t.Logf("%d of %d refills came, %d attempts", posted, len(refills), c.count(`SELECT count(*) FROM custody.chain_tx WHERE kind = 'refill'`))
}
