package reorgs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// The depths that matter most: what is followed alone, and the deepest of the table.
const (
	Followed = maxReorg
	Deepest  = 6
)

// Subject is what stands in the blocks that are replaced.
type Subject string

// The subjects.
const (
	BeforeCredit Subject = "deposit before credit"
	Credited     Subject = "deposit after credit"
	Spent        Subject = "deposit withdrawn again"
	Withdrawal   Subject = "withdrawal"
)

// Run plays every case, each subject on a bed of its own where there are many, and
// logs the table: what was replaced, how deep, with what on the new branch, and what
// came of it. With -short it plays the depths of short alone.
func Run(t *testing.T, name string, short []int, open func(testing.TB) Bed) {
	t.Helper()
	t.Parallel() // most of it waits for a node
	depths := []int{1, 2, 3, 4, 5, Deepest}
	if testing.Short() {
		depths = short
	}
	var one Bed
	if len(depths) == 1 { // its miner's coins last for so few cases
		one = open(t)
	}
	var table strings.Builder
	for _, subject := range []Subject{BeforeCredit, Credited, Spent, Withdrawal} {
		t.Run(string(subject), func(t *testing.T) {
			bed := one
			if bed == nil {
				bed = open(t)
			}
			shared := newHouse(t, bed)
			for _, conflict := range []bool{false, true} {
				for _, depth := range depths {
					branch := "same transactions"
					if conflict {
						branch = "double spend"
					}
					t.Run(fmt.Sprintf("%s/%d", branch, depth), func(t *testing.T) {
						c := &reorg{house: shared, depth: depth, conflict: conflict}
						c.serve(t)
						// A house whose key others used, or that booked what was undone, is no good any more.
						if subject == Withdrawal && (conflict || depth > maxReorg) {
							c.house = newHouse(t, bed)
						}
						_, _ = fmt.Fprintf(&table, "%-9s %d  %-17s  %-23s  %s\n", name, depth, branch, subject, c.play(subject))
					})
				}
			}
		})
	}
	t.Logf("chain × depth × branch × subject → outcome (followed alone up to depth %d)\n%s", maxReorg, table.String())
}

// reorg is one case.
type reorg struct {
	*house

	depth    int
	conflict bool
	said     []string
}

func (c *reorg) say(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

func (c *reorg) play(subject Subject) string {
	c.Helper()
	switch subject {
	case BeforeCredit:
		c.underDeposit(early+1, subject)
	case Credited:
		c.underDeposit(early, subject)
	case Spent:
		c.underDeposit(instant, subject)
	case Withdrawal:
		c.underWithdrawal()
	}
	return strings.Join(c.said, "; ")
}

// replace lets the newest blocks be replaced, and says what the new branch holds.
// Beyond policy the chain halts, nothing moves, and a person clears it.
func (c *reorg) replace(again, rival []byte) {
	c.Helper()
	before := c.balances()
	c.bed.Reorg(c.TB, c.depth)
	raw := again
	if c.conflict {
		c.bed.DropPool(c.TB)
		raw = rival
	}
	// The pool may have it already; what is ours the house sends again itself.
	if raw == nil {
		c.follow()
	} else if err := c.keys.Broadcast(c.ctx(), raw); err != nil && !errors.Is(err, chainadapters.ErrRefused) {
		c.Fatal(err)
	}
	c.follow()
	if c.depth <= maxReorg {
		return
	}
	status, err := c.store.Chain(c.ctx(), chainName)
	c.must(err)
	if status.Status != custodydb.ChainHalted || !status.Operator || c.balances() != before {
		c.Fatalf("beyond policy: %+v, balances %+v, before %+v", status, c.balances(), before)
	}
	c.say("halted until cleared")
	c.must(c.store.ClearHalt(c.ctx(), chainName, uint64(c.depth)))
	c.follow()
	if status, err = c.store.Chain(c.ctx(), chainName); err != nil || status.Status != custodydb.ChainOK {
		c.Fatalf("cleared: %+v, %v", status, err)
	}
}

func (c *reorg) underDeposit(amount uint64, subject Subject) {
	c.Helper()
	from := c.stranger()
	again := c.pay(from.plan, c.depositAddress(), units(amount), 1)
	rival := c.pay(from.plan, c.bed.NewWallet(c.TB).Address, units(amount), 3)
	c.must(c.keys.Broadcast(c.ctx(), again))
	c.mine(1)
	var gone money.Units // what the customer withdraws again, with its fee
	if subject == Spent {
		w, err := c.withdraw(amount * 2 / 3)
		c.must(err)
		c.open = append(c.open, w.ID)
		c.walk()
		gone = units(amount*2/3 + fee)
	}
	c.mine(c.depth - 1)
	c.expect("before", amount, subject != BeforeCredit, gone, money.Units{})

	c.replace(again, rival)
	owed := money.Units{}
	if subject == Spent {
		owed = gone
	}
	c.expect("taken back", amount, false, gone, owed)
	c.frozen(owed)
	c.mine(lateDepth + 2)
	c.expect("at rest", amount, !c.conflict, gone, map[bool]money.Units{true: owed}[c.conflict])
	if !c.conflict {
		c.frozen(money.Units{})
		c.say("credited again once")
	} else {
		c.say("never credited again")
		c.repay(owed)
	}
	c.clean()
}

// expect compares with what was paid in and out. held is what a withdrawal took or
// holds; has tells whether the deposit counts.
func (c *reorg) expect(when string, amount uint64, has bool, held, owed money.Units) {
	c.Helper()
	b := c.balances()
	sum, err := money.Sum(b.funding, b.maturing)
	c.must(err)
	want := money.Units{}
	if has {
		want = units(amount).SubFloor(held)
	}
	if sum != want || b.debt != owed {
		c.Fatalf("%s: %+v; want %s in all, debt %s", when, b, want, owed)
	}
	if when == "taken back" && !owed.IsZero() {
		c.say("debt %s, frozen", owed)
	}
}

// frozen checks that a debtor cannot withdraw, and that nobody else is kept from it
// by a debt.
func (c *reorg) frozen(owed money.Units) {
	c.Helper()
	_, err := c.withdraw(1 << 40) // nobody has that much: the order of refusals tells
	if errors.Is(err, custody.ErrFrozen) == owed.IsZero() {
		c.Fatalf("owes %s, asked for money: %v", owed, err)
	}
}

// repay pays a debt by a later deposit.
func (c *reorg) repay(owed money.Units) {
	c.Helper()
	if owed.IsZero() {
		return
	}
	c.deposit(instant)
	c.mine(1)
	b := c.balances()
	if b.debt != (money.Units{}) || b.funding != units(instant).SubFloor(owed) {
		c.Fatalf("after a deposit that pays the debt: %+v, owed %s", b, owed)
	}
	c.frozen(money.Units{})
	c.say("paid by a later deposit, unfrozen")
	c.mine(lateDepth)
}

// clean lets the checker of production look.
func (c *reorg) clean() {
	c.Helper()
	if found := c.violations(); len(found) > 0 {
		c.Fatalf("violations: %v", found)
	}
}
