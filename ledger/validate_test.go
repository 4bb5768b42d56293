package ledger_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/ledger"
)

func TestMalformedTransactionsAreRefused(t *testing.T) {
	book := ledger.NewPureBook(nil)
	long := strings.Repeat("x", 97)
	manyLegs := make([]ledger.Transfer, 8_193)
	for i := range manyLegs {
		manyLegs[i] = single("l"+strconv.Itoa(i), hot, ann, 1).Legs[0]
	}
	manyEntries := map[string]string{}
	for i := range 17 {
		manyEntries[strconv.Itoa(i)] = ""
	}
	for name, change := range map[string]func(tx *ledger.Transaction, leg *ledger.Transfer){
		"no id":             func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.ID = "" },
		"long id":           func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.ID = long },
		"space in id":       func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.ID = "a b" },
		"umlaut in id":      func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.ID = "ä" },
		"reserved id":       func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.ID = "expire/x" },
		"no legs":           func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Legs = nil },
		"too many legs":     func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Legs = manyLegs },
		"leg id twice":      func(tx *ledger.Transaction, leg *ledger.Transfer) { tx.Legs = append(tx.Legs, *leg) },
		"too much metadata": func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Metadata = manyEntries },
		"empty key":         func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Metadata = map[string]string{"": "x"} },
		"zero byte":         func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Metadata = map[string]string{"k": "\x00"} },
		"not UTF-8":         func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.Metadata = map[string]string{"k": "\xff"} },
		"long value": func(tx *ledger.Transaction, _ *ledger.Transfer) {
			tx.Metadata = map[string]string{"k": strings.Repeat("v", 513)}
		},
		"year 1": func(tx *ledger.Transaction, _ *ledger.Transfer) { tx.EventTime = time.Unix(-1, 0) },
		"year 10000": func(_ *ledger.Transaction, leg *ledger.Transfer) {
			leg.Kind, leg.Expires = ledger.Pending, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		},
		"no leg id":         func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.ID = "" },
		"reserved leg id":   func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.ID = "expire/x" },
		"kind 0":            func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Kind = 0 },
		"kind 5":            func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Kind = 5 },
		"no debit":          func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Debit = "" },
		"bad credit":        func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Credit = "a%" },
		"same account":      func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Credit = leg.Debit },
		"nothing moves":     func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Amount = u(0) },
		"single resolves":   func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Pending = "p" },
		"single expires":    func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Expires = testNow },
		"post with account": func(_ *ledger.Transaction, leg *ledger.Transfer) { leg.Kind, leg.Pending = ledger.Post, "p" },
		"post of nothing":   func(_ *ledger.Transaction, leg *ledger.Transfer) { *leg = ledger.Transfer{ID: "x", Kind: ledger.Post} },
		"void of an amount": func(_ *ledger.Transaction, leg *ledger.Transfer) {
			*leg = ledger.Transfer{ID: "x", Kind: ledger.Void, Pending: "p", Amount: u(1)}
		},
		"post that expires": func(_ *ledger.Transaction, leg *ledger.Transfer) {
			*leg = ledger.Transfer{ID: "x", Kind: ledger.Post, Pending: "p", Expires: testNow}
		},
	} {
		tx := single("fine", hot, ann, 1)
		change(&tx, &tx.Legs[0])
		_, err := book.Post(tx, testNow)
		wantErr(t, name, err, ledger.ErrInvalid)
	}
}

// TestRequestHashSeparatesContents changes one field at a time: the digest that
// decides between "repeated" and "conflict" sees each of them.
func TestRequestHashSeparatesContents(t *testing.T) {
	base := func() ledger.Transaction {
		tx := hold("id", 5)
		tx.Legs = append(tx.Legs, resolve("p", ledger.Post, "q", 3).Legs...)
		tx.Metadata, tx.EventTime = map[string]string{"a": "b", "c": "d"}, testNow
		tx.Legs[0].Expires = testNow.Add(time.Hour)
		return tx
	}
	seen := map[[32]byte]string{ledger.RequestHash(base()): "the original"}
	for name, change := range map[string]func(*ledger.Transaction){
		"id": func(tx *ledger.Transaction) { tx.ID = "ie" }, "event time": func(tx *ledger.Transaction) { tx.EventTime = testNow.Add(time.Microsecond) },
		"no event time": func(tx *ledger.Transaction) { tx.EventTime = time.Time{} }, "epoch": func(tx *ledger.Transaction) { tx.EventTime = time.Unix(0, 0) },
		"value": func(tx *ledger.Transaction) { tx.Metadata["a"] = "x" }, "key": func(tx *ledger.Transaction) { delete(tx.Metadata, "a"); tx.Metadata["x"] = "b" },
		"moved bytes": func(tx *ledger.Transaction) { tx.Metadata = map[string]string{"ab": "", "c": "d"} }, "no metadata": func(tx *ledger.Transaction) { tx.Metadata = nil },
		"leg id": func(tx *ledger.Transaction) { tx.Legs[0].ID = "x" }, "kind": func(tx *ledger.Transaction) { tx.Legs[0].Kind = ledger.Single },
		"debit": func(tx *ledger.Transaction) { tx.Legs[0].Debit = bob }, "credit": func(tx *ledger.Transaction) { tx.Legs[0].Credit = bob },
		"sides": func(tx *ledger.Transaction) { l := &tx.Legs[0]; l.Debit, l.Credit = l.Credit, l.Debit }, "amount": func(tx *ledger.Transaction) { tx.Legs[1].Amount = u(4) },
		"pending": func(tx *ledger.Transaction) { tx.Legs[1].Pending = "r" }, "expires": func(tx *ledger.Transaction) { tx.Legs[0].Expires = testNow.Add(time.Minute) },
		"order": func(tx *ledger.Transaction) { tx.Legs[0], tx.Legs[1] = tx.Legs[1], tx.Legs[0] }, "fewer": func(tx *ledger.Transaction) { tx.Legs = tx.Legs[:1] },
	} {
		tx := base()
		change(&tx)
		hash := ledger.RequestHash(tx)
		if other, twice := seen[hash]; twice {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[hash] = name
	}
	same := base()
	same.EventTime = same.EventTime.Add(time.Nanosecond).In(time.FixedZone("x", 3600))
	if seen[ledger.RequestHash(same)] != "the original" {
		t.Error("zone or nanoseconds count as content")
	}
}

// TestCacheStaysWithinItsBound compares the cache with a plain map.
func TestCacheStaysWithinItsBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(2, 8).Draw(rt, "limit")
		keys := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 200).Draw(rt, "keys")
		if err := errors.Join(ledger.CheckCache(limit, keys), ledger.CheckAccounts(limit, keys)); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestNewRefusesBadConfig(t *testing.T) {
	l, pool := fresh(t)
	now := func() time.Time { return testNow }
	for _, cfg := range []ledger.Config{{}, {Pool: pool}, {Clock: now}, {Pool: pool, Clock: now, QueueLimit: -1}, {Pool: pool, Clock: now, BatchLimit: -1}} {
		if _, err := ledger.New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	if _, err := ledger.New(ledger.Config{Pool: openPool(t, ledger.Database(l)+"&pool_max_conns=1"), Clock: now}); err == nil {
		t.Error("a pool of one connection was accepted")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Post(ended, single("x", hot, ann, 1))
	wantErr(t, "ended before", err, context.Canceled)
}
