package reorgs

import (
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// seed is what the customer has before a withdrawal is reorganised, paid part of it.
const (
	seed = instant
	paid = 60_000
)

// underWithdrawal replaces the block of a payment of ours. On a branch with a
// double spend somebody else has used the hot wallet's key: only that can take the
// place of a payment.
func (c *reorg) underWithdrawal() {
	c.Helper()
	c.deposit(seed)
	c.mine(lateDepth)
	w, err := c.withdraw(paid)
	c.must(err)
	c.open = append(c.open, w.ID)
	c.walk()
	c.mine(c.depth)
	posted := c.depth >= finalDepth
	c.paidOnce(w, posted)
	booked, err := c.store.Attempts(c.ctx(), w.ID)
	c.must(err)
	if len(booked) != 1 {
		c.Fatalf("%d transactions", len(booked))
	}
	thief := c.bed.NewWallet(c.TB).Address
	rival := c.pay(booked[0].Plan, thief, units(paid), 3)
	c.replace(nil, rival)
	c.paidOnce(w, posted)
	c.mine(finalDepth + 1)
	if c.conflict {
		c.stolen(w, posted)
		return
	}
	c.paidOnce(w, true)
	c.say("the same bytes confirmed, paid once")
	again, err := c.store.Attempts(c.ctx(), w.ID)
	c.must(err)
	if before := booked[0].Fee; posted && before != again[0].Fee {
		c.otherFee(w)
		return
	}
	c.clean()
}

// otherFee is for a payment that was booked for good and cost another fee in the
// block that it came back in: beyond policy the book keeps the first, and the
// checker must name the payment, the expense and the chain's balance, and nothing
// else, for a person to book the difference.
func (c *reorg) otherFee(w custody.Withdrawal) {
	c.Helper()
	found := c.violations()
	named := map[string]bool{}
	for _, v := range found {
		named[v.Invariant] = true
	}
	const payment = "the book has the network fee of each transaction of ended intents"
	for _, v := range found {
		if v.Invariant == payment && v.Rows != w.ID {
			c.Fatalf("names %s: %v", v.Rows, found)
		}
	}
	if len(found) != 3 || !named[payment] || !named["network fees are what our transactions cost"] || !named["ledger custody is what is on chain"] {
		c.Fatalf("violations: %v", found)
	}
	c.say("the checker names the fee of its new block")
}

// paidOnce checks the book: what is paid or held is the amount with its fee, once.
func (c *reorg) paidOnce(w custody.Withdrawal, posted bool) {
	c.Helper()
	got, err := c.store.Withdrawal(c.ctx(), c.customer, w.ID)
	c.must(err)
	if (got.State == custody.WithdrawalPosted) != posted {
		c.Fatalf("withdrawal is %s (%s), posted should be %v", got.State, got.Reason, posted)
	}
	b := c.balances()
	held := units(paid + fee)
	if posted {
		held = money.Units{}
	}
	if b.funding != units(seed-paid-fee) || b.held != held || !b.debt.IsZero() {
		c.Fatalf("%s: %+v", got.State, b)
	}
}

// stolen is a house whose key somebody else used: nothing is paid twice or given
// back by itself, and the checker names it.
func (c *reorg) stolen(w custody.Withdrawal, posted bool) {
	c.Helper()
	c.paidOnce(w, posted)
	if arrived := c.received(w.To); arrived {
		c.Fatal("paid on a branch where its money is gone")
	}
	if len(c.violations()) == 0 {
		c.Fatal("the checker sees nothing")
	}
	got, err := c.store.Withdrawal(c.ctx(), c.customer, w.ID)
	c.must(err)
	c.say("%s, never paid twice; the checker names it", got.State)
}

// received tells whether an address was paid in the blocks since the start.
func (c *reorg) received(address string) bool {
	c.Helper()
	head, err := c.keys.Head(c.ctx())
	c.must(err)
	for height := head.Height - finalDepth - maxDepth; height <= head.Height; height++ {
		header, err := c.keys.HeaderAt(c.ctx(), height)
		c.must(err)
		block, err := c.keys.Block(c.ctx(), header.Ref, nil)
		c.must(err)
		for _, m := range block.Movements {
			if m.To == address {
				return true
			}
		}
	}
	return false
}

var _ chainadapters.Adapter = (*keys)(nil)
