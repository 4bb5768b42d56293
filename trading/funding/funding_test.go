package funding_test

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"testing"

	"strongroom/custody/custodydb"
	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

func TestMoneyGoesThereAndBack(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	in := h.create(to(trading.ToTrading, alice, "in", "BTC", 600))
	if in.State != trading.TransferPending || in.ID != funding.ID(alice, "in") {
		t.Errorf("taken as %+v", in)
	}
	h.expect(alice, "BTC", plenty-600, 600) // booked before the engine hears of it
	if _, err := h.store.Conclude(t.Context(), in.ID); !errors.Is(err, settle.ErrNotSettled) {
		t.Errorf("concluded before the engine was told: %v", err)
	}
	if got := h.carry(to(trading.ToTrading, alice, "in", "BTC", 600)); got.State != trading.TransferDone || got.Reason != "" {
		t.Errorf("ended as %+v", got)
	}
	if got := h.carry(to(trading.ToFunding, alice, "out", "BTC", 250)); got.State != trading.TransferDone {
		t.Errorf("ended as %+v", got)
	}
	h.expect(alice, "BTC", plenty-350, 350)
	h.agree()
}

func TestRefusedInward(t *testing.T) {
	h := newHouse(t)
	most, err := money.FromBig(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
	h.must(err)
	h.fund("USDC", most, alice)
	h.fund("USDC", money.FromUint64(plenty), bob)
	_, _, err = h.store.CreateTransfer(t.Context(), to(trading.ToTrading, bob, "too much", "USDC", plenty+1))
	if !errors.Is(err, ledger.ErrInsufficient) {
		t.Errorf("more than there is: %v", err)
	}
	if _, _, err := h.store.CreateTransfer(t.Context(), to(trading.ToTrading, bob, "none", "BTC", 1)); !errors.Is(err, ledger.ErrInsufficient) {
		t.Errorf("of an asset that he never had: %v", err)
	}
	if n := h.count(`SELECT count(*) FROM custody.outbox`) + h.count(`SELECT count(*) FROM funding.request`); n != 0 {
		t.Errorf("refusals left %d rows", n)
	}
	n := to(trading.ToTrading, alice, "all", "USDC", 0)
	n.Amount = most
	if got := h.carry(n); got.State != trading.TransferDone {
		t.Fatalf("%+v", got)
	}
	// Now the shard holds as much as it can count.
	if got := h.carry(to(trading.ToTrading, bob, "one more", "USDC", 1)); got.State != trading.TransferRefused || got.Reason != "overflow" {
		t.Errorf("ended as %+v", got)
	}
	h.expect(bob, "USDC", plenty, 0)
	h.agree()
}

func TestRefusedOutward(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	h.carry(to(trading.ToTrading, alice, "in", "BTC", 10))
	for _, n := range []trading.NewTransfer{
		to(trading.ToFunding, alice, "more than there is", "BTC", 11),
		to(trading.ToFunding, alice, "another asset", "USDC", 1),
		to(trading.ToFunding, bob, "never seen before", "BTC", 1),
	} {
		if got := h.carry(n); got.State != trading.TransferRefused || got.Reason != "insufficient" {
			t.Errorf("%s ended as %+v", n.Key, got)
		}
	}
	h.expect(alice, "BTC", plenty-10, 10)
	h.agree()
}

// Every step may be taken twice, by a process that did not know that it was taken.
func TestEachStepMayBeTakenAgain(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	h.carry(to(trading.ToTrading, alice, "first", "BTC", 100))
	for name, n := range map[string]trading.NewTransfer{
		"inward": to(trading.ToTrading, alice, "in", "BTC", 7), "outward": to(trading.ToFunding, alice, "out", "BTC", 7),
		"refused": to(trading.ToFunding, alice, "all", "BTC", 1000),
	} {
		id := h.create(n).ID
		var last trading.Transfer
		for range 3 {
			h.create(n)
			for range 3 {
				_, err := h.store.Tell(t.Context(), id)
				h.must(err)
			}
			last = h.conclude(id)
			last = h.conclude(last.ID)
		}
		if last.State == trading.TransferPending {
			t.Errorf("%s is %+v", name, last)
		}
		if n := h.count(`SELECT count(*) FROM custody.outbox WHERE subject = $1`, id); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
	h.expect(alice, "BTC", plenty-100, 100)
	h.agree()
}

func TestOneRequestHasOneEffect(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	var first, failed int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			got, repeated, err := h.store.CreateTransfer(t.Context(), to(trading.ToTrading, alice, "k", "BTC", 5))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || got.ID != funding.ID(alice, "k") {
				failed++
			} else if !repeated {
				first++
			}
		})
	}
	all.Wait()
	if first != 1 || failed != 0 {
		t.Errorf("%d were the first, %d failed", first, failed)
	}
	h.expect(alice, "BTC", plenty-5, 5)
	if n := h.count(`SELECT count(*) FROM custody.outbox WHERE topic = $1`, custodydb.TopicTransfer); n != 1 {
		t.Errorf("%d messages", n)
	}
	for name, other := range map[string]trading.NewTransfer{
		"amount": to(trading.ToTrading, alice, "k", "BTC", 6), "asset": to(trading.ToTrading, alice, "k", "USDC", 5),
		"direction": to(trading.ToFunding, alice, "k", "BTC", 5),
	} {
		if _, _, err := h.store.CreateTransfer(t.Context(), other); !errors.Is(err, trading.ErrIdempotency) {
			t.Errorf("another %s under the key: %v", name, err)
		}
	}
}

// Two requests with one key and another content, at once: one is taken.
func TestOneKeyTwoRequestsAtOnce(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	for i := range 10 {
		key := fmt.Sprint("key ", i)
		var errs [4]error
		var all sync.WaitGroup
		for j := range errs {
			all.Go(func() {
				n := to(trading.ToTrading, alice, key, "BTC", uint64(j/2+1))
				if j%2 == 1 {
					n.Direction = trading.ToFunding
				}
				_, _, errs[j] = h.store.CreateTransfer(t.Context(), n)
			})
		}
		all.Wait()
		taken := 0
		for _, err := range errs {
			if err == nil {
				taken++
			} else if !errors.Is(err, trading.ErrIdempotency) {
				t.Error(err)
			}
		}
		if taken != 1 {
			t.Errorf("%d of four were taken: %v", taken, errs)
		}
	}
}

func TestBadRequestsNameTheirField(t *testing.T) {
	h := newHouse(t)
	huge, err := money.FromBig(new(big.Int).Lsh(big.NewInt(1), 128))
	h.must(err)
	for field, change := range map[string]func(*trading.NewTransfer){
		"key":       func(n *trading.NewTransfer) { n.Key = "" },
		"key ":      func(n *trading.NewTransfer) { n.Key = strings.Repeat("k", 301) },
		"key  ":     func(n *trading.NewTransfer) { n.Key = "a\x00b" },
		"asset":     func(n *trading.NewTransfer) { n.Asset = "DOGE" },
		"amount":    func(n *trading.NewTransfer) { n.Amount = money.Units{} },
		"amount ":   func(n *trading.NewTransfer) { n.Amount = huge },
		"direction": func(n *trading.NewTransfer) { n.Direction = "up" },
	} {
		n := to(trading.ToTrading, alice, "k", "BTC", 5)
		change(&n)
		_, _, err := h.store.CreateTransfer(t.Context(), n)
		refusal, ok := errors.AsType[*trading.Refusal](err)
		if !ok || refusal.Field != strings.TrimSpace(field) || refusal.Code == "" || refusal.Fix == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := h.store.CreateTransfer(t.Context(), to(trading.ToTrading, "", "k", "BTC", 5)); err == nil {
		t.Error("a transfer of nobody was taken")
	}
	if n := h.count(`SELECT count(*) FROM trading.account WHERE no > 0`); n != 0 {
		t.Errorf("bad requests gave %d customers numbers", n)
	}
}

func TestListsAndPreferences(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice, bob)
	var want []string
	for i := range 7 {
		want = append([]string{h.create(to(trading.ToTrading, alice, strconv.Itoa(i), "BTC", 5)).ID}, want...)
	}
	h.create(to(trading.ToTrading, bob, "b", "BTC", 5))
	var got []string
	cursor, pages := "", 0
	for pages == 0 || cursor != "" {
		list, next, err := h.store.Transfers(t.Context(), alice, cursor, 3)
		h.must(err)
		for _, one := range list {
			got = append(got, one.ID)
		}
		cursor, pages = next, pages+1
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || pages != 3 {
		t.Errorf("%d pages of %v, want %v", pages, got, want)
	}
	if _, _, err := h.store.Transfers(t.Context(), alice, "soon", 3); err == nil {
		t.Error("any word is a cursor")
	}
	if _, err := h.store.Transfer(t.Context(), bob, want[0]); !errors.Is(err, trading.ErrNotFound) {
		t.Errorf("another customer's: %v", err)
	}
	for _, say := range []bool{true, false, true} {
		h.must(h.store.SetPreference(t.Context(), alice, say))
		if got, err := h.store.Preference(t.Context(), alice); err != nil || got != say {
			t.Errorf("prefers %t, %v", got, err)
		}
	}
	if got, err := h.store.Preference(t.Context(), bob); err != nil || got {
		t.Errorf("prefers %t without having said so, %v", got, err)
	}
}
