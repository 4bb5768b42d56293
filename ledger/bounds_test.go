package ledger_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/ledger"
)

// allowedInPaths are the bytes of account ids, assets and sources.
const allowedInPaths = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-.:"

// pureBank is a book with the usual accounts in which ann has 1,000 units.
func pureBank(tb testing.TB, entries int) *ledger.PureBook {
	tb.Helper()
	book := ledger.NewPureBookOf([]ledger.Account{
		{ID: hot, Asset: "BTC", Class: ledger.Asset},
		{ID: ann, Asset: "BTC", Class: ledger.Liability},
		{ID: bob, Asset: "BTC", Class: ledger.Liability},
	}, entries)
	if err := book.Attest(ledger.Attestation{Asset: "BTC", Source: "chain/x", Amount: u(1_000_000)}); err != nil {
		tb.Fatal(err)
	}
	if _, err := book.Post(single("fund/ann", hot, ann, 1_000), testNow); err != nil {
		tb.Fatal(err)
	}
	return book
}

// TestBoundsOfTransactions: the last value of each bound is booked, the next is not.
func TestBoundsOfTransactions(t *testing.T) {
	for name, at := range map[string]func(tx *ledger.Transaction, n int){
		"96 bytes of id":     func(tx *ledger.Transaction, n int) { tx.ID = strings.Repeat("x", 96+n) },
		"96 bytes of leg id": func(tx *ledger.Transaction, n int) { tx.Legs[0].ID = ledger.TransferID(strings.Repeat("x", 96+n)) },
		"8,192 legs":         func(tx *ledger.Transaction, n int) { tx.Legs = manyLegs(8_192 + n) },
		"16 entries":         func(tx *ledger.Transaction, n int) { tx.Metadata = manyEntries(16 + n) },
		"64 bytes of key":    func(tx *ledger.Transaction, n int) { tx.Metadata = map[string]string{strings.Repeat("k", 64+n): ""} },
		"512 bytes of value": func(tx *ledger.Transaction, n int) {
			tx.Metadata = map[string]string{"k": strings.Repeat("v", 512+n)}
		},
		"year 9999": func(tx *ledger.Transaction, n int) { tx.EventTime = time.Date(9999+n, 12, 31, 23, 59, 59, 0, time.UTC) },
		"year 1970": func(tx *ledger.Transaction, n int) { tx.EventTime = time.Date(1970-n, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year 1970 in another zone": func(tx *ledger.Transaction, n int) {
			tx.EventTime = time.Date(1970, 1, 1, 1-n, 0, 0, 0, time.FixedZone("x", 3600))
		},
		"expiry in 9999": func(tx *ledger.Transaction, n int) {
			tx.Legs[0].Kind, tx.Legs[0].Expires = ledger.Pending, time.Date(9999+n, 1, 1, 0, 0, 0, 0, time.UTC)
		},
		"bytes up to ~":   func(tx *ledger.Transaction, n int) { tx.ID = "a" + string(rune('~'+n)) },
		"bytes down to !": func(tx *ledger.Transaction, n int) { tx.ID = "a" + string(rune('!'-n)) },
	} {
		for n, want := range []error{nil, ledger.ErrInvalid} {
			tx := single("fine", hot, ann, 1)
			at(&tx, n)
			_, err := pureBank(t, 1<<10).Post(tx, testNow)
			wantErr(t, fmt.Sprintf("%s and %d more", name, n), err, want)
		}
	}
}

func manyLegs(n int) []ledger.Transfer {
	legs := make([]ledger.Transfer, n)
	for i := range legs {
		legs[i] = single("leg/"+strconv.Itoa(i), hot, ann, 1).Legs[0]
	}
	return legs
}

func manyEntries(n int) map[string]string {
	entries := map[string]string{}
	for i := range n {
		entries[strconv.Itoa(i)] = ""
	}
	return entries
}

// TestBoundsOfAccounts: as above, for accounts that are opened.
func TestBoundsOfAccounts(t *testing.T) {
	for name, at := range map[string]func(a *ledger.Account, n int){
		"128 bytes of id":   func(a *ledger.Account, n int) { a.ID = ledger.AccountID(strings.Repeat("a", 128+n)) },
		"32 bytes of asset": func(a *ledger.Account, n int) { a.Asset = strings.Repeat("A", 32+n) },
		"the last class":    func(a *ledger.Account, n int) { a.Class = ledger.Expense + ledger.Class(n) },
		"the first class":   func(a *ledger.Account, n int) { a.Class = ledger.Asset - ledger.Class(n) },
		"an id":             func(a *ledger.Account, n int) { a.ID = a.ID[:1-n] },
		"an asset":          func(a *ledger.Account, n int) { a.Asset = a.Asset[:1-n] },
		"no path in assets": func(a *ledger.Account, n int) { a.Asset += strings.Repeat("/", n) },
		"text as metadata":  func(a *ledger.Account, n int) { a.Metadata = map[string]string{"k": string(rune(1 - n))} },
	} {
		for n, want := range []error{nil, ledger.ErrInvalid} {
			a := ledger.Account{ID: "x", Asset: "X", Class: ledger.Equity}
			at(&a, n)
			wantErr(t, fmt.Sprintf("%s and %d more", name, n), ledger.CheckAccount(a), want)
		}
	}
}

// TestBoundsOfAttestations: as above, for what a source says that it saw.
func TestBoundsOfAttestations(t *testing.T) {
	for name, at := range map[string]func(a *ledger.Attestation, n int){
		"32 bytes of asset":     func(a *ledger.Attestation, n int) { a.Asset = strings.Repeat("A", 32+n) },
		"a source":              func(a *ledger.Attestation, n int) { a.Source = a.Source[:len(a.Source)*(1-n)] },
		"128 bytes of source":   func(a *ledger.Attestation, n int) { a.Source = strings.Repeat("s", 128+n) },
		"source is a path":      func(a *ledger.Attestation, n int) { a.Source += strings.Repeat(" ", n) },
		"512 bytes of evidence": func(a *ledger.Attestation, n int) { a.Evidence = strings.Repeat("e", 512+n) },
		"text as evidence":      func(a *ledger.Attestation, n int) { a.Evidence = string([]byte{'x', byte(1 - n)}) },
	} {
		for n, want := range []error{nil, ledger.ErrInvalid} {
			a := ledger.Attestation{Asset: "BTC", Source: "chain/x", Amount: u(1)}
			at(&a, n)
			wantErr(t, fmt.Sprintf("%s and %d more", name, n), ledger.CheckAttestation(a), want)
		}
	}
}

// TestBytesOfAccountIDs tries every byte: what is not allowed could mean something
// to a query by prefix, to a URL or to a person.
func TestBytesOfAccountIDs(t *testing.T) {
	for c := range 256 {
		id := string([]byte{'a', byte(c)})
		allowed := strings.IndexByte(allowedInPaths, byte(c)) >= 0
		if got := ledger.CheckAccount(ledger.Account{ID: ledger.AccountID(id), Asset: "X", Class: ledger.Asset}) == nil; got != allowed {
			t.Errorf("%q as an account: %v", id, got)
		}
		if got := ledger.CheckPrefix(id); got != allowed {
			t.Errorf("%q as a prefix: %v", id, got)
		}
	}
}

// TestBalanceCountsOnItsNormalSide: what is pending towards an account is not its
// own yet, and what is pending away from it cannot be spent.
func TestBalanceCountsOnItsNormalSide(t *testing.T) {
	for class, debits := range map[ledger.Class]bool{
		ledger.Asset: true, ledger.Expense: true, ledger.Liability: false, ledger.Equity: false, ledger.Income: false,
	} {
		b := ledger.Balance{Class: class, CreditsPosted: u(100), DebitsPosted: u(30), CreditsPending: u(7), DebitsPending: u(5)}
		if debits {
			b.DebitsPosted, b.CreditsPosted, b.DebitsPending, b.CreditsPending = b.CreditsPosted, b.DebitsPosted, b.CreditsPending, b.DebitsPending
		}
		if b.Posted() != u(70) || b.Available() != u(65) {
			t.Errorf("class %d: posted %s, available %s", class, b.Posted(), b.Available())
		}
		b.CreditsPosted, b.DebitsPosted = b.DebitsPosted, b.CreditsPosted
		if !b.Posted().IsZero() || !b.Available().IsZero() {
			t.Errorf("class %d, overdrawn: posted %s, available %s", class, b.Posted(), b.Available())
		}
	}
}

// TestBookForgetsWhatAnotherMoved: after another committer booked, nothing that was
// cached may be believed.
func TestBookForgetsWhatAnotherMoved(t *testing.T) {
	book := pureBank(t, 1<<10)
	if _, err := book.Post(hold("h", 10), testNow); err != nil {
		t.Fatal(err)
	}
	book.NextBatch()
	if accounts, holds, transactions := book.Kept(); accounts != 3 || holds != 1 || transactions != 2 {
		t.Fatalf("%d accounts, %d holds, %d transactions", accounts, holds, transactions)
	}
	if n := book.MovedByAnother(); n != 0 {
		t.Errorf("%d things are still believed", n)
	}
}

// TestCacheStaysSmallForHolds: of a book's entries an eighth is for holds and an
// eighth for transactions that may be repeated.
func TestCacheStaysSmallForHolds(t *testing.T) {
	book := pureBank(t, 80)
	for n := range 30 {
		if _, err := book.Post(hold(fmt.Sprintf("h/%d", n), 1), testNow); err != nil {
			t.Fatal(err)
		}
	}
	book.NextBatch()
	if accounts, holds, transactions := book.Kept(); accounts != 3 || holds != 10 || transactions != 10 {
		t.Errorf("%d accounts, %d holds, %d transactions", accounts, holds, transactions)
	}
}
