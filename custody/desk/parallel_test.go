package desk_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"strongroom/custody"
	"strongroom/money"
)

// outcome counts how requests ended.
type outcome struct {
	mu       sync.Mutex
	made     map[string]int // by withdrawal
	repeated int
	refused  map[error]int
	other    error
}

// race sends n requests at once.
func (h *house) race(n int, request func(i int) custody.WithdrawalRequest, refusals ...error) *outcome {
	h.t.Helper()
	o := &outcome{made: map[string]int{}, refused: map[error]int{}}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			w, repeated, err := h.store.CreateWithdrawal(context.Background(), request(i))
			o.mu.Lock()
			defer o.mu.Unlock()
			if repeated {
				o.repeated++
			}
			if err == nil {
				o.made[fmt.Sprintf("%+v", w)]++
				return
			}
			for _, refusal := range refusals {
				if errors.Is(err, refusal) {
					o.refused[refusal]++
					return
				}
			}
			o.other = err
		})
	}
	wg.Wait()
	h.must(o.other)
	return o
}

func TestManyWithdrawalsOfTheFullBalance(t *testing.T) {
	h := ready(t, "TUSD")
	const n, full = 200, big/2 - 5 // the fee is 5
	o := h.race(n, func(i int) custody.WithdrawalRequest { return h.request("TUSD", fmt.Sprintf("k%d", i), full) }, custody.ErrInsufficient)
	if len(o.made) != 1 || o.refused[custody.ErrInsufficient] != n-1 || o.repeated != 0 {
		t.Fatalf("%d made, %d refused, %d repeated", len(o.made), o.refused[custody.ErrInsufficient], o.repeated)
	}
	b := h.balance(custody.FundingAccount(customer, "TUSD"))
	if b.DebitsPending != units(big/2) {
		t.Errorf("%s held", b.DebitsPending)
	}
	if got := h.count(`SELECT count(*) FROM custody.withdrawal`) + 10*h.count(`SELECT count(*) FROM custody.idem`) +
		100*h.count(`SELECT count(*) FROM custody.limit_use`) + 1000*h.count(`SELECT count(*) FROM custody.outbox WHERE kind = 'start' AND topic = 'withdrawal'`); got != 1111 {
		t.Errorf("rows of one withdrawal: %d", got)
	}
}

// TestOneRequestManyTimes: the full balance, so that each that comes late is short
// of funds and must still be told what the first was told.
func TestOneRequestManyTimes(t *testing.T) {
	h := ready(t, "TUSD")
	const n, full = 100, big/2 - 5
	o := h.race(n, func(int) custody.WithdrawalRequest { return h.request("TUSD", "same", full) })
	if len(o.made) != 1 || o.repeated != n-1 {
		t.Fatalf("%d different answers, %d repeated", len(o.made), o.repeated)
	}
	if n := h.count(`SELECT count(*) FROM custody.withdrawal`); n != 1 {
		t.Errorf("%d withdrawals", n)
	}
	req := h.request("TUSD", "same", full)
	w, _, err := h.store.CreateWithdrawal(context.Background(), req)
	h.must(err)
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	later, repeated, err := h.store.CreateWithdrawal(context.Background(), req)
	h.must(err)
	if !repeated || later != w {
		t.Errorf("answered %+v, then %+v", w, later)
	}
	req.RequestHash = [32]byte{2}
	before := h.rows()
	if _, _, err := h.store.CreateWithdrawal(context.Background(), req); !errors.Is(err, custody.ErrIdempotency) {
		t.Errorf("another request with the same key: %v", err)
	}
	if h.rows() != before {
		t.Error("a refusal wrote something")
	}
}

func TestDailyLimitHoldsInARace(t *testing.T) {
	h := ready(t, "ETH")
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.DailyLimit = units(10_500) })
	o := h.race(50, func(i int) custody.WithdrawalRequest { return h.request("ETH", fmt.Sprintf("k%d", i), 1000) }, custody.ErrLimit)
	if len(o.made) != 10 || o.refused[custody.ErrLimit] != 40 {
		t.Fatalf("%d made of 10 that the limit allows", len(o.made))
	}
	b := h.balance(custody.FundingAccount(customer, "ETH"))
	if b.DebitsPending != units(10_000) {
		t.Errorf("%s held", b.DebitsPending)
	}
	// Released use counts no more, and the window rolls.
	ctx := context.Background()
	list, _, err := h.store.Withdrawals(ctx, customer, "", 100)
	h.must(err)
	h.must2(h.store.CancelWithdrawal(ctx, customer, list[0].ID))
	h.withdraw("ETH", 1500)
	if _, _, err := h.store.CreateWithdrawal(ctx, h.request("ETH", "more", 1000)); !errors.Is(err, custody.ErrLimit) {
		t.Errorf("over the limit: %v", err)
	}
	h.pass(24*time.Hour - time.Second)
	if _, _, err := h.store.CreateWithdrawal(ctx, h.request("ETH", "more", 1000)); !errors.Is(err, custody.ErrLimit) {
		t.Errorf("a second too early: %v", err)
	}
	h.pass(time.Second)
	h.withdraw("ETH", 10_500)
}

func TestRefusalsHoldNothing(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	own, err := h.store.DepositAddress(ctx, "cus_2", "ETH")
	h.must(err)
	hot, err := h.store.HotAddress(ctx, evm)
	h.must(err)
	h.must2(h.pool.Exec(ctx, `INSERT INTO custody.blocked_address VALUES ($1, $2, 'x', now())`, evm, h.outside("ETH", "blocked")))
	h.must2(h.pool.Exec(ctx, `INSERT INTO custody.frozen VALUES ('cus_frozen', 'debt', now())`))
	h.assets.change("TUSD", func(a *custody.AssetInfo) { a.State = custody.AssetDepositsOnly })
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.DailyLimit = units(90_000) })
	before, rows := h.balance(custody.FundingAccount(customer, "ETH")), h.rows()
	for name, c := range map[string]struct {
		change func(*custody.WithdrawalRequest)
		want   error
	}{
		"unknown asset":        {func(r *custody.WithdrawalRequest) { r.Asset = "DOGE" }, custody.ErrAsset},
		"deposits only":        {func(r *custody.WithdrawalRequest) { r.Asset = "TUSD" }, custody.ErrAsset},
		"zero":                 {func(r *custody.WithdrawalRequest) { r.Amount = units(0) }, custody.ErrAmount},
		"below minimum":        {func(r *custody.WithdrawalRequest) { r.Amount = units(999) }, custody.ErrAmount},
		"beyond 256 bits":      {func(r *custody.WithdrawalRequest) { r.Amount = most() }, custody.ErrInsufficient},
		"not an address":       {func(r *custody.WithdrawalRequest) { r.To = "x" }, custody.ErrDestination},
		"other network":        {func(r *custody.WithdrawalRequest) { r.To = h.outside("BTC", "outside") }, custody.ErrDestination},
		"a customer's address": {func(r *custody.WithdrawalRequest) { r.To = own.Address }, custody.ErrDestination},
		"the hot wallet":       {func(r *custody.WithdrawalRequest) { r.To = hot.Address }, custody.ErrDestination},
		"blocked address":      {func(r *custody.WithdrawalRequest) { r.To = h.outside("ETH", "blocked") }, custody.ErrDestination},
		"frozen customer":      {func(r *custody.WithdrawalRequest) { r.Customer = "cus_frozen" }, custody.ErrFrozen},
		"limit":                {func(r *custody.WithdrawalRequest) { r.Amount = units(90_001) }, custody.ErrLimit},
		"not enough":           {func(r *custody.WithdrawalRequest) { r.Amount = units(big) }, custody.ErrInsufficient},
		"nothing at all":       {func(r *custody.WithdrawalRequest) { r.Customer = "cus_3" }, custody.ErrInsufficient},
		"no key":               {func(r *custody.WithdrawalRequest) { r.IdempotencyKey = "" }, custody.ErrIdempotency},
		"no customer":          {func(r *custody.WithdrawalRequest) { r.Customer = "" }, custody.ErrIdempotency},
	} {
		req := h.request("ETH", "k-"+name, 70_000)
		c.change(&req)
		if w, repeated, err := h.store.CreateWithdrawal(ctx, req); !errors.Is(err, c.want) || repeated || w.ID != "" {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
	if after := h.balance(custody.FundingAccount(customer, "ETH")); after != before {
		t.Errorf("balance was %+v, is %+v", before, after)
	}
	if now := h.rows(); now != rows {
		t.Errorf("%d rows were written by refusals", now-rows)
	}
	h.withdraw("ETH", 70_000) // and what is allowed still passes
}

func most() money.Units { return money.FromBytes32([32]byte{0: 127, 31: 255}) }

func TestCancelReleasesOnce(t *testing.T) {
	h := ready(t, "TUSD")
	ctx := context.Background()
	w := h.withdraw("TUSD", 70_000)
	for range 2 {
		got, err := h.store.CancelWithdrawal(ctx, customer, w.ID)
		h.must(err)
		if got.State != custody.WithdrawalCancelled || got.Version != 2 {
			t.Errorf("cancelled: %+v", got)
		}
	}
	if b := h.balance(custody.FundingAccount(customer, "TUSD")); !b.DebitsPending.IsZero() || !b.DebitsPosted.IsZero() {
		t.Errorf("balance is %+v", b)
	}
	if _, err := h.store.CancelWithdrawal(ctx, "cus_other", w.ID); !errors.Is(err, custody.ErrNotFound) {
		t.Errorf("another customer's: %v", err)
	}
	late := h.withdraw("TUSD", 70_000)
	h.do(late.ID, custody.WithdrawalReserved, "screen", "reserve")
	if _, err := h.store.CancelWithdrawal(ctx, customer, late.ID); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("cancelled after it was reserved: %v", err)
	}
}

// TestCancelAgainstReserve: either it is paid or it is cancelled.
func TestCancelAgainstReserve(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	for range 25 {
		w := h.withdraw("ETH", 1000)
		h.do(w.ID, custody.WithdrawalApproved, "screen")
		var reserved custody.Progress
		var cancelErr, reserveErr error
		var wg sync.WaitGroup
		wg.Go(func() { reserved, reserveErr = h.desk.Reserve(ctx, w.ID) })
		wg.Go(func() { _, cancelErr = h.store.CancelWithdrawal(ctx, customer, w.ID) })
		wg.Wait()
		h.must(reserveErr)
		r, err := h.store.LoadIntent(ctx, w.ID)
		h.must(err)
		slots := h.count(`SELECT count(*) FROM custody.nonce_slot WHERE intent = $1`, w.ID)
		switch {
		case r.State == custody.WithdrawalCancelled && cancelErr == nil && slots == 0:
		case r.State == custody.WithdrawalReserved && errors.Is(cancelErr, custody.ErrIllegal) && slots == 1:
		default:
			t.Fatalf("%s with %d slots; reserve said %+v, cancel said %v", r.State, slots, reserved, cancelErr)
		}
	}
}

func TestPagesOfWithdrawals(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	made := map[string]bool{}
	for range 7 {
		made[h.withdraw("ETH", 1000).ID] = true
	}
	cursor, last := "", "wdr_g"
	for pages := 0; ; pages++ {
		list, next, err := h.store.Withdrawals(ctx, customer, cursor, 3)
		h.must(err)
		for _, w := range list {
			if !made[w.ID] || w.ID >= last {
				t.Fatalf("%s is unknown, twice or out of order", w.ID)
			}
			delete(made, w.ID)
			last = w.ID
		}
		if next == "" {
			if pages != 2 || len(made) != 0 {
				t.Fatalf("%d pages, %d missing", pages+1, len(made))
			}
			break
		}
		cursor = next
	}
	if list, _, err := h.store.Withdrawals(ctx, "cus_other", "", 10); err != nil || len(list) != 0 {
		t.Errorf("another customer sees %v, %v", list, err)
	}
}
