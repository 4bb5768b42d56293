package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"

	"strongroom/ledger"
	"strongroom/money"
)

// chooser is where commands come from: rapid, which shrinks, or a plain
// generator, which is fast.
type chooser interface{ pick(n int) int }

type rapidChooser struct{ t *rapid.T }

func (c rapidChooser) pick(n int) int { return rapid.IntRange(0, n-1).Draw(c.t, "pick") }

type seededChooser struct{ *rand.Rand }

func (c seededChooser) pick(n int) int { return c.IntN(n) }

// command is one of: a transaction, an attestation, a new batch, passing time.
type command struct {
	tx     *ledger.Transaction
	attest *ledger.Attestation
	wait   time.Duration
	batch  bool
}

func (c command) String() string {
	switch {
	case c.tx != nil:
		return fmt.Sprintf("post %+v", *c.tx)
	case c.attest != nil:
		return fmt.Sprintf("attest %+v", *c.attest)
	}
	return fmt.Sprintf("wait %s, batch %v", c.wait, c.batch)
}

// universe is small, so that ids and balances collide all the time.
type universe struct {
	name     string // in front of every id
	accounts []ledger.Account
	next     int
	holds    []ledger.TransferID
	sent     []ledger.Transaction
	outflows func(asset string) uint64
	now      time.Time
}

func newUniverse(name string) *universe {
	un := &universe{name: name, now: testNow}
	for i, asset := range un.assets() {
		id := func(f string) ledger.AccountID { return ledger.AccountID(fmt.Sprintf(f, name, asset)) }
		un.accounts = append(un.accounts,
			ledger.Account{ID: id("custody/%s/%s/hot"), Asset: asset, Class: ledger.Asset, MayOverdraw: i == 0},
			ledger.Account{ID: id("custody/%s/%s/deposits"), Asset: asset, Class: ledger.Asset},
			ledger.Account{ID: id("customer/%s/%s/funding"), Asset: asset, Class: ledger.Liability},
			ledger.Account{ID: id("customer/%s/%s/capped"), Asset: asset, Class: ledger.Liability, Max: u(60)},
			ledger.Account{ID: id("suspense/%s/%s"), Asset: asset, Class: ledger.Liability, MayOverdraw: true},
			ledger.Account{ID: id("house/%s/%s/equity"), Asset: asset, Class: ledger.Equity, MayOverdraw: true},
			ledger.Account{ID: id("expense/%s/%s"), Asset: asset, Class: ledger.Expense, Max: u(80)},
			ledger.Account{ID: id("income/%s/%s"), Asset: asset, Class: ledger.Income},
		)
	}
	return un
}

func (un *universe) assets() []string { return []string{"AAA-" + un.name, "BBB-" + un.name} }

func (un *universe) draw(c chooser) command {
	switch k := c.pick(40); {
	case k == 0:
		un.now = un.now.Add(time.Minute)
		return command{wait: time.Minute}
	case k == 1:
		return command{batch: true}
	case k < 4:
		a := un.attestation(c)
		return command{attest: &a}
	case k < 6 && len(un.sent) > 0:
		tx := un.sent[c.pick(len(un.sent))]
		if k == 5 { // the id again, with other content
			tx.Metadata = map[string]string{"other": "content"}
		}
		return command{tx: &tx}
	}
	tx := un.transaction(c)
	un.sent = append(un.sent, tx)
	return command{tx: &tx}
}

func (un *universe) attestation(c chooser) ledger.Attestation {
	asset := un.assets()[c.pick(2)]
	a := ledger.Attestation{Asset: asset, Source: []string{"chain/x", "bank/y"}[c.pick(2)], Amount: u(uint64(c.pick(300))), Outflows: un.outflows(asset)}
	if c.pick(8) == 0 {
		a.Outflows++
	}
	return a
}

func (un *universe) transaction(c chooser) ledger.Transaction {
	tx := ledger.Transaction{ID: un.id("tx", c)}
	if c.pick(8) == 0 {
		tx.EventTime = un.now
	}
	legs := 1
	if c.pick(3) == 0 {
		legs += c.pick(3)
	}
	for range legs {
		tx.Legs = append(tx.Legs, un.leg(c))
	}
	return tx
}

// id is new, or now and then an old one.
func (un *universe) id(kind string, c chooser) string {
	n := un.next
	un.next++
	if n > 0 && c.pick(30) == 0 {
		n = c.pick(n)
	}
	return fmt.Sprintf("%s/%s/%d", un.name, kind, n)
}

func (un *universe) leg(c chooser) ledger.Transfer {
	t := ledger.Transfer{ID: ledger.TransferID(un.id("leg", c)), Kind: ledger.Kind(1 + c.pick(4)), Amount: money.FromUint64(uint64(1 + c.pick(50)))}
	if t.Kind == ledger.Post || t.Kind == ledger.Void {
		t.Pending = ledger.TransferID(un.name + "/no-such-hold")
		if n := len(un.holds); n > 0 && c.pick(20) > 0 {
			t.Pending = un.holds[n-1-c.pick(min(n, 6))]
		}
		if t.Kind == ledger.Void || c.pick(2) == 0 {
			t.Amount = money.Units{}
		}
		return t
	}
	half := len(un.accounts) / 2
	base := c.pick(2) * half
	debit := c.pick(half)
	credit := (debit + 1 + c.pick(half-1)) % half
	t.Debit, t.Credit = un.accounts[base+debit].ID, un.accounts[base+credit].ID
	switch c.pick(60) {
	case 0:
		t.Credit = un.accounts[(base+half+credit)%len(un.accounts)].ID // the other asset
	case 1:
		t.Debit = ledger.AccountID("nobody/" + un.name)
	}
	if t.Kind == ledger.Pending {
		un.holds = append(un.holds, t.ID)
		if c.pick(4) == 0 {
			t.Expires = un.now.Add(time.Duration(c.pick(3)) * time.Minute)
		}
	}
	return t
}
