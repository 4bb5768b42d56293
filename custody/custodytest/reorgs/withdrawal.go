package reorgs

import (
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
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
	c.corrected(booked[0], posted)
	c.clean()
}

// corrected checks that another fee in the block that a booked payment came back in
// is booked, and that nothing is corrected otherwise.
func (c *reorg) corrected(before custodydb.Sent, posted bool) {
	c.Helper()
	now, err := c.store.Attempts(c.ctx(), before.Intent)
	c.must(err)
	_, err = c.book.Transaction(c.ctx(), "wdr/"+before.Intent+"/fee/1")
	if due := posted && now[0].Fee != before.Fee; due != (err == nil) {
		c.Fatalf("cost %s, then %s; correction: %v", before.Fee, now[0].Fee, err)
	}
	if err == nil {
		c.say("the fee of its new block is booked")
	}
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
	for height := head.Height - finalDepth - Deepest; height <= head.Height; height++ {
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
