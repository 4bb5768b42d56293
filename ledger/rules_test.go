package ledger_test

import (
	"fmt"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// ticking starts a ledger whose clock moves a second with each reading.
func ticking(tb testing.TB) *ledger.Ledger {
	tb.Helper()
	var seconds atomic.Int64
	pool := openPool(tb, testenv.Postgres(tb, ledger.Migrations()))
	l, err := ledger.New(ledger.Config{Pool: pool, Clock: func() time.Time { return testNow.Add(time.Duration(seconds.Add(1)) * time.Second) }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close(tb.Context()) })
	return l
}

// TestPastAndHistory asks for every moment of two accounts, one of them with
// many more rows than there are between two marks.
func TestPastAndHistory(t *testing.T) {
	l := ticking(t)
	bank(t, l)
	type moment struct {
		at       time.Time
		hot, ann ledger.Balance
	}
	moments := []moment{{at: testNow.Add(-time.Hour), hot: ledger.Balance{Account: hot, Asset: "BTC", Class: ledger.Asset}, ann: ledger.Balance{Account: ann, Asset: "BTC", Class: ledger.Liability}}}
	for n := range 200 {
		tx := single(fmt.Sprintf("t/%d", n), hot, bob, 1)
		if n%9 == 0 {
			tx = hold(fmt.Sprintf("t/%d", n), 1)
		}
		r := mustPost(t, l, tx)
		both, err := l.Balances(t.Context(), hot, ann)
		if err != nil {
			t.Fatal(err)
		}
		moments = append(moments, moment{r.Booked, both[0], both[1]})
	}
	for _, m := range moments {
		for _, want := range []ledger.Balance{m.hot, m.ann} {
			got, err := l.BalanceAt(t.Context(), want.Account, m.at)
			if err != nil || got != want {
				t.Fatalf("at %s: %+v, want %+v, %v", m.at, got, want, err)
			}
		}
	}
	last := moments[len(moments)-1]
	for _, want := range []ledger.Balance{last.hot, last.ann} {
		readBack(t, l, want)
	}
}

// readBack walks a whole history in small pages: versions fall one by one from
// the present state to the first transfer.
func readBack(t *testing.T, l *ledger.Ledger, now ledger.Balance) {
	t.Helper()
	version, cursor := now.Version, ""
	for {
		page, err := l.Transfers(t.Context(), now.Account, cursor, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.After.Version != version || (e.Debit != now.Account && e.Credit != now.Account) {
				t.Fatalf("entry %+v, want version %d", e, version)
			}
			if version == now.Version && e.After != now {
				t.Fatalf("newest entry leaves %+v, want %+v", e.After, now)
			}
			version--
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if version != 0 {
		t.Errorf("%s: history ends at version %d", now.Account, version)
	}
}

func TestHistoryRefusesForeignCursor(t *testing.T) {
	l, _ := fresh(t)
	bank(t, l)
	for _, cursor := range []string{"x", "0", "-1", "99", "1 "} {
		_, err := l.Transfers(t.Context(), ann, cursor, 5)
		wantErr(t, cursor, err, ledger.ErrInvalid)
	}
	_, err := l.Transfers(t.Context(), bob, "1", 5)
	wantErr(t, "another account's row", err, ledger.ErrInvalid)
	_, err = l.Transfers(t.Context(), "nobody", "", 5)
	wantErr(t, "nobody", err, ledger.ErrAccountUnknown)
	page, err := l.Transfers(t.Context(), bob, "", 5)
	if err != nil || len(page.Entries) != 0 || page.Next != "" {
		t.Errorf("empty history: %+v, %v", page, err)
	}
}

func TestTransactionReadsBack(t *testing.T) {
	l, _ := fresh(t)
	bank(t, l)
	tx := hold("wdr/1", 100)
	tx.Metadata, tx.EventTime = map[string]string{"a<b": "c&d"}, testNow.Add(-time.Minute)
	tx.Legs[0].Expires = testNow.Add(time.Minute)
	r := mustPost(t, l, tx)
	got, err := l.Transaction(t.Context(), "wdr/1")
	if err != nil || got.Receipt != (ledger.Receipt{ID: r.ID, Batch: r.Batch, Booked: got.Receipt.Booked}) || !got.Receipt.Booked.Equal(r.Booked) ||
		got.Metadata["a<b"] != "c&d" || !got.EventTime.Equal(tx.EventTime) || len(got.Legs) != 1 || !got.Legs[0].Expires.Equal(tx.Legs[0].Expires) || got.Legs[0].Amount != u(100) {
		t.Errorf("%+v, %v", got, err)
	}
	found, err := l.BalancesUnder(t.Context(), "customer/", "", 10)
	if err != nil || len(found) != 2 || found[0].Account != ann || found[1].Account != bob {
		t.Errorf("%+v, %v", found, err)
	}
	found, err = l.BalancesUnder(t.Context(), "customer/", ann, 1)
	if err != nil || len(found) != 1 || found[0].Account != bob {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestExpiredHoldsAreVoided(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	for n := range 5 {
		tx := hold(fmt.Sprintf("h/%d", n), 10)
		tx.Legs[0].Expires = testNow.Add(time.Duration(n-1) * time.Second)
		mustPost(t, l, tx)
	}
	mustPost(t, l, resolve("h/4/void", ledger.Void, "h/4", 0))
	_, err := l.Post(t.Context(), resolve("late", ledger.Post, "h/0", 0))
	wantErr(t, "post after the end", err, ledger.ErrPendingExpired)
	for _, want := range []int{1, 1, 0} {
		n, err := l.ExpirePending(t.Context(), testNow, 1)
		if err != nil || n != want {
			t.Errorf("expired %d, want %d, %v", n, want, err)
		}
	}
	wantBalance(t, l, ann, 1_000, 980)
	n, err := l.ExpirePending(t.Context(), testNow.Add(time.Hour), 100)
	if err != nil || n != 2 {
		t.Errorf("expired %d at the end, %v", n, err)
	}
	wantBalance(t, l, ann, 1_000, 1_000)
	_, err = l.Post(t.Context(), resolve("expire/h/1", ledger.Void, "h/1", 0))
	wantErr(t, "the ledger's own id", err, ledger.ErrInvalid)
	wantClean(t, pool)
}

func TestLiabilitiesStayAttested(t *testing.T) {
	l, pool := fresh(t)
	ctx := t.Context()
	house := ledger.AccountID("house/BTC/equity")
	bank(t, l)
	if err := l.Open(ctx, ledger.Account{ID: house, Asset: "BTC", Class: ledger.Equity, MayOverdraw: true}); err != nil {
		t.Fatal(err)
	}
	attest := func(source string, amount, outflows uint64) error {
		return l.Attest(ctx, ledger.Attestation{Asset: "BTC", Source: source, Amount: u(amount), Outflows: outflows})
	}
	want := func(liabilities, attested, outflows uint64) {
		t.Helper()
		p, err := l.Position(ctx, "BTC")
		if err != nil || p != (ledger.Position{Asset: "BTC", Liabilities: u(liabilities), Attested: u(attested), Outflows: outflows}) {
			t.Errorf("position %+v, want %d owed of %d, %d outflows; %v", p, liabilities, attested, outflows, err)
		}
	}
	if err := attest("chain/bitcoin-regtest", 1_500, 0); err != nil {
		t.Fatal(err)
	}
	want(1_000, 1_500, 0)
	_, err := l.Post(ctx, single("more/1", hot, bob, 501))
	wantErr(t, "above what exists", err, ledger.ErrUnattested)
	mustPost(t, l, single("more/2", hot, bob, 500))
	mustPost(t, l, single("between-customers", bob, ann, 100))
	mustPost(t, l, single("out", cost, hot, 10)) // a fact: booked although it leaves less than is owed
	want(1_500, 1_490, 1)
	mustPost(t, l, single("paid", bob, hot, 20)) // a payment lowers both
	want(1_480, 1_470, 2)
	_, err = l.Post(ctx, single("more/3", hot, bob, 1))
	wantErr(t, "while too little exists", err, ledger.ErrUnattested)
	wantErr(t, "old count", attest("chain/bitcoin-regtest", 9_999, 1), ledger.ErrStale)
	if err := attest("bank/x", 100, 2); err != nil {
		t.Fatal(err)
	}
	want(1_480, 1_570, 2)
	mustPost(t, l, single("out/2", house, hot, 5))
	if err := attest("chain/bitcoin-regtest", 1_450, 3); err != nil {
		t.Fatal(err)
	}
	want(1_480, 1_545, 3) // both sources, less what left since the older one looked
	wantClean(t, pool)
}

func TestOpenRepeatsAndConflicts(t *testing.T) {
	l, _ := fresh(t)
	a := ledger.Account{ID: "a/1", Asset: "BTC", Class: ledger.Equity, Max: u(9), Metadata: map[string]string{"x": "1"}}
	for range 2 {
		if err := l.Open(t.Context(), a, ledger.Account{ID: "a/0", Asset: "BTC", Class: ledger.Asset}); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*ledger.Account){
		"asset": func(a *ledger.Account) { a.Asset = "ETH" }, "class": func(a *ledger.Account) { a.Class = ledger.Income },
		"overdraw": func(a *ledger.Account) { a.MayOverdraw = true }, "limit": func(a *ledger.Account) { a.Max = u(8) },
		"metadata": func(a *ledger.Account) { a.Metadata = nil },
	} {
		b := a
		change(&b)
		wantErr(t, name, l.Open(t.Context(), ledger.Account{ID: "new/" + ledger.AccountID(name), Asset: "BTC", Class: ledger.Asset}, b), ledger.ErrConflict)
		_, err := l.Balance(t.Context(), "new/"+ledger.AccountID(name))
		wantErr(t, name+" leaves nothing", err, ledger.ErrAccountUnknown)
	}
	for _, bad := range []ledger.Account{
		{ID: "", Asset: "BTC", Class: 1},
		{ID: "a b", Asset: "BTC", Class: 1},
		{ID: "ä", Asset: "BTC", Class: 1},
		{ID: ledger.AccountID(strings.Repeat("a", 129)), Asset: "BTC", Class: 1},
		{ID: "x", Asset: "", Class: 1},
		{ID: "x", Asset: "B/C", Class: 1},
		{ID: "x", Asset: "BTC"},
		{ID: "x", Asset: "BTC", Class: 6},
		{ID: "x", Asset: "BTC", Class: 1, Metadata: map[string]string{"k": "\x00"}},
	} {
		wantErr(t, fmt.Sprintf("%+v", bad), l.Open(t.Context(), bad), ledger.ErrInvalid)
	}
}

func TestHugeAmountsDoNotWrapAround(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	most, err := money.FromBig(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
	if err != nil {
		t.Fatal(err)
	}
	from, to := ledger.AccountID("x/from"), ledger.AccountID("x/to")
	if err := l.Open(t.Context(), ledger.Account{ID: from, Asset: "X", Class: ledger.Equity, MayOverdraw: true}, ledger.Account{ID: to, Asset: "X", Class: ledger.Asset}); err != nil {
		t.Fatal(err)
	}
	tx := single("x/1", to, from, 1)
	tx.Legs[0].Amount = most
	mustPost(t, l, tx)
	_, err = l.Post(t.Context(), single("x/2", to, from, 1))
	wantErr(t, "one more", err, ledger.ErrLimit)
	b, err := l.Balance(t.Context(), to)
	if err != nil || b.DebitsPosted != most {
		t.Errorf("%+v, %v", b, err)
	}
	wantClean(t, pool)
}
