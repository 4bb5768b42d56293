package desk_test

import (
	"context"
	"errors"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// TestListedDestinationIsBlocked: at the request, and right before the payment is
// reserved where the list changed in between. The hold is given back, compliance
// has it on record, the customer reads nothing of a list.
func TestListedDestinationIsBlocked(t *testing.T) {
	for name, steps := range map[string][]string{"at the request": nil, "before it is reserved": {"screen"}} {
		t.Run(name, func(t *testing.T) {
			h := ready(t, "ETH")
			ctx := context.Background()
			w := h.withdraw("ETH", 50_000)
			if len(steps) > 0 {
				h.do(w.ID, custody.WithdrawalApproved, steps...)
			}
			h.sanctions.List(w.To)
			p := h.do(w.ID, custody.WithdrawalBlocked, "screen", "reserve", "sign", "send")
			if !p.Ended || p.Reason != custody.NeutralRefusal {
				t.Errorf("progress is %+v", p)
			}
			if b := h.balance(custody.FundingAccount(customer, "ETH")); !b.DebitsPending.IsZero() || !b.DebitsPosted.IsZero() {
				t.Errorf("something is held or gone: %+v", b)
			}
			got, err := h.store.Withdrawal(ctx, customer, w.ID)
			h.must(err)
			if got.Reason != custody.NeutralRefusal || h.signer.asked > 0 {
				t.Errorf("the customer reads %q; the signer was asked %d times", got.Reason, h.signer.asked)
			}
			found, err := h.store.Findings(ctx, w.ID)
			h.must(err)
			if len(found) != 1 || found[0].Act != custodydb.FindingHit || found[0].Address != w.To || found[0].Entry == "" {
				t.Errorf("on record: %+v", found)
			}
		})
	}
}

// TestNoScreeningNoPayment: while nobody can say who is listed, withdrawals wait
// where they are and say why.
func TestNoScreeningNoPayment(t *testing.T) {
	h := ready(t, "ETH")
	early, late := h.withdraw("ETH", 50_000), h.withdraw("ETH", 60_000)
	h.do(late.ID, custody.WithdrawalApproved, "screen")
	h.sanctions.Break(errors.New("list is missing: /secret/path"))
	for id, want := range map[string]custody.WithdrawalState{early.ID: custody.WithdrawalHeld, late.ID: custody.WithdrawalApproved} {
		for _, step := range []string{"screen", "reserve"} {
			p, err := h.steps()[step](context.Background(), id)
			if err != nil && !errors.Is(err, custody.ErrScreening) || p.State != want {
				t.Fatalf("%s: %+v, %v", step, p, err)
			}
		}
		got, err := h.store.Withdrawal(context.Background(), customer, id)
		h.must(err)
		if got.Reason != custody.ErrScreening.Error() {
			t.Errorf("the customer reads %q", got.Reason)
		}
	}
	h.sanctions.Break(nil)
	for _, id := range []string{early.ID, late.ID} {
		h.do(id, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	}
}
