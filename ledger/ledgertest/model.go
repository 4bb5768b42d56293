// Package ledgertest judges a ledger: a naive model that says what each
// transaction must do, for tests, and a checker that proves the invariants of a
// stored book, for tests and production alike. It never writes to a database.
package ledgertest

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"strings"
	"time"

	"strongroom/ledger"
	"strongroom/money"
)

// Model is a book in memory, written to be obviously right and shared with
// nobody: signed big integers, and a full copy before each transaction instead
// of an undo. It is not safe for concurrent use.
type Model struct {
	accounts map[ledger.AccountID]modelAccount
	holds    map[ledger.TransferID]modelHold
	used     map[ledger.TransferID]bool
	booked   map[string]ledger.Transaction
	assets   map[string]modelAsset
}

type modelAccount struct {
	ledger.Account
	debits, credits, heldDebits, heldCredits *big.Int
	version                                  uint64
}

type modelHold struct {
	ledger.Transfer
	resolved bool
}

type modelAsset struct {
	owed     *big.Int // credits less debits of Liability accounts
	outflow  *big.Int // everything that ever left custody
	count    uint64
	observed map[string][2]*big.Int // by source: amount, and outflow at that time
}

// NewModel returns an empty book.
func NewModel() *Model {
	return &Model{
		accounts: map[ledger.AccountID]modelAccount{}, holds: map[ledger.TransferID]modelHold{},
		used: map[ledger.TransferID]bool{}, booked: map[string]ledger.Transaction{}, assets: map[string]modelAsset{},
	}
}

// Open adds an account.
func (m *Model) Open(a ledger.Account) {
	zero := func() *big.Int { return new(big.Int) }
	m.accounts[a.ID] = modelAccount{Account: a, debits: zero(), credits: zero(), heldDebits: zero(), heldCredits: zero()}
}

// Post books tx at the time now. It reports whether tx had been booked before,
// and the sentinel of package ledger that refuses it.
func (m *Model) Post(tx ledger.Transaction, now time.Time) (repeated bool, err error) {
	if before, ok := m.booked[tx.ID]; ok {
		if reflect.DeepEqual(before, tx) {
			return true, nil
		}
		return false, ledger.ErrConflict
	}
	next := m.copy()
	before := next.owed()
	for _, leg := range tx.Legs {
		if m.used[leg.ID] {
			return false, ledger.ErrConflict
		}
	}
	for _, leg := range tx.Legs {
		if err := next.leg(leg, now); err != nil {
			return false, err
		}
	}
	for asset, owed := range next.owed() {
		if owed.Cmp(orNothing(before[asset])) > 0 && owed.Cmp(next.attested(asset)) > 0 {
			return false, ledger.ErrUnattested
		}
	}
	next.booked[tx.ID] = tx
	for _, leg := range tx.Legs {
		next.used[leg.ID] = true
	}
	*m = *next
	return false, nil
}

// Attest records an observation, or returns ErrStale.
func (m *Model) Attest(a ledger.Attestation) error {
	asset := m.asset(a.Asset)
	if asset.count != a.Outflows {
		return ledger.ErrStale
	}
	asset.observed = maps.Clone(asset.observed)
	asset.observed[a.Source] = [2]*big.Int{a.Amount.Big(), asset.outflow}
	m.assets[a.Asset] = asset
	return nil
}

// Balance returns the state of an account that was opened.
func (m *Model) Balance(id ledger.AccountID) ledger.Balance {
	a := m.accounts[id]
	return ledger.Balance{
		Account: id, Asset: a.Asset, Class: a.Class, Version: a.version,
		DebitsPosted: units(a.debits), CreditsPosted: units(a.credits), DebitsPending: units(a.heldDebits), CreditsPending: units(a.heldCredits),
	}
}

// Position returns the state of an asset.
func (m *Model) Position(asset string) ledger.Position {
	a := m.asset(asset)
	return ledger.Position{Asset: asset, Liabilities: units(floor(a.owed)), Attested: units(m.attested(asset)), Outflows: a.count}
}

func (m *Model) copy() *Model {
	// Values are never changed in place: a shallow copy of each map is enough.
	// What was used and booked is only added to once nothing can fail any more.
	return &Model{
		accounts: maps.Clone(m.accounts), holds: maps.Clone(m.holds), assets: maps.Clone(m.assets),
		used: m.used, booked: m.booked,
	}
}

func (m *Model) leg(t ledger.Transfer, now time.Time) error {
	switch t.Kind {
	case ledger.Single:
		return m.transfer(t.Debit, t.Credit, t.Amount.Big(), false)
	case ledger.Pending:
		m.holds[t.ID] = modelHold{Transfer: t}
		return m.transfer(t.Debit, t.Credit, t.Amount.Big(), true)
	case ledger.Post, ledger.Void:
		return m.end(t, now)
	}
	return ledger.ErrInvalid
}

// transfer adds on both sides and then asks whether both accounts are lawful.
func (m *Model) transfer(debit, credit ledger.AccountID, amount *big.Int, held bool) error {
	d, known := m.accounts[debit]
	c, alsoKnown := m.accounts[credit]
	switch {
	case !known || !alsoKnown:
		return ledger.ErrAccountUnknown
	case d.Asset != c.Asset:
		return ledger.ErrAssetMismatch
	case held:
		d.heldDebits, c.heldCredits = plus(d.heldDebits, amount), plus(c.heldCredits, amount)
	default:
		d.debits, c.credits = plus(d.debits, amount), plus(c.credits, amount)
		m.carry(d.Account, c.Account, amount)
	}
	m.accounts[debit], m.accounts[credit] = touched(d), touched(c)
	if err := d.lawful(); err != nil {
		return err
	}
	return c.lawful()
}

// lawful holds an account against its own rules.
func (a modelAccount) lawful() error {
	in, ahead, out, held := a.credits, a.heldCredits, a.debits, a.heldDebits
	if a.Class == ledger.Asset || a.Class == ledger.Expense {
		in, ahead, out, held = a.debits, a.heldDebits, a.credits, a.heldCredits
	}
	if !a.MayOverdraw && plus(out, held).Cmp(in) > 0 {
		return ledger.ErrInsufficient
	}
	if !a.Max.IsZero() && minus(plus(in, ahead), out).Cmp(a.Max.Big()) > 0 {
		return ledger.ErrLimit
	}
	return nil
}

func (m *Model) end(t ledger.Transfer, now time.Time) error {
	h, known := m.holds[t.Pending]
	amount := h.Amount.Big()
	switch {
	case !known:
		return ledger.ErrPendingUnknown
	case h.resolved:
		return ledger.ErrPendingResolved
	case t.Kind == ledger.Post && !h.Expires.IsZero() && !now.Before(h.Expires):
		return ledger.ErrPendingExpired
	case t.Amount.Big().Cmp(amount) > 0:
		return ledger.ErrExceedsPending
	}
	h.resolved = true
	m.holds[t.Pending] = h
	d, c := m.accounts[h.Debit], m.accounts[h.Credit]
	d.heldDebits, c.heldCredits = minus(d.heldDebits, amount), minus(c.heldCredits, amount)
	if t.Kind == ledger.Post {
		if !t.Amount.IsZero() {
			amount = t.Amount.Big()
		}
		d.debits, c.credits = plus(d.debits, amount), plus(c.credits, amount)
		m.carry(d.Account, c.Account, amount)
	}
	m.accounts[h.Debit], m.accounts[h.Credit] = touched(d), touched(c)
	return nil
}

// carry notes what a posted movement means for the asset as a whole.
func (m *Model) carry(debit, credit ledger.Account, amount *big.Int) {
	a := m.asset(debit.Asset)
	if debit.Class == ledger.Liability {
		a.owed = minus(a.owed, amount)
	}
	if credit.Class == ledger.Liability {
		a.owed = plus(a.owed, amount)
	}
	if inCustody(credit) && !inCustody(debit) {
		a.outflow = plus(a.outflow, amount)
		a.count++
	}
	m.assets[debit.Asset] = a
}

func inCustody(a ledger.Account) bool {
	return a.Class == ledger.Asset && strings.HasPrefix(string(a.ID), "custody/")
}

func (m *Model) asset(code string) modelAsset {
	if a, ok := m.assets[code]; ok {
		return a
	}
	return modelAsset{owed: new(big.Int), outflow: new(big.Int), observed: map[string][2]*big.Int{}}
}

func (m *Model) owed() map[string]*big.Int {
	owed := map[string]*big.Int{}
	for code, a := range m.assets {
		owed[code] = a.owed
	}
	return owed
}

// attested is what all sources saw, less what left since the first of them looked.
func (m *Model) attested(asset string) *big.Int {
	a := m.asset(asset)
	sum, since := new(big.Int), new(big.Int)
	for _, seen := range a.observed {
		sum = plus(sum, seen[0])
		if left := minus(a.outflow, seen[1]); left.Cmp(since) > 0 {
			since = left
		}
	}
	return floor(minus(sum, since))
}

func touched(a modelAccount) modelAccount {
	a.version++
	return a
}

func plus(a, b *big.Int) *big.Int  { return new(big.Int).Add(a, b) }
func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

func floor(a *big.Int) *big.Int {
	if a.Sign() < 0 {
		return new(big.Int)
	}
	return a
}

func orNothing(a *big.Int) *big.Int {
	if a == nil {
		return new(big.Int)
	}
	return a
}

func units(b *big.Int) money.Units {
	u, err := money.FromBig(b)
	if err != nil {
		panic(fmt.Sprintf("model holds %s: %v", b, err)) // a fault of the model itself
	}
	return u
}
