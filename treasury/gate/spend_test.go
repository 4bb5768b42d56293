package gate_test

import (
	"errors"
	"strings"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/intent"
)

// spend is a payment out of a vault that ada asked for.
func spend() custodydb.IntentRow {
	r := row(custody.IntentColdSpend)
	r.ID, r.Customer, r.Requester, r.Purpose = "csp_1", "", "ada", "the audit"
	return r
}

func TestPeopleAreAskedWhetherAVaultPaysOutside(t *testing.T) {
	r := &requests{answers: []treasury.Request{{State: treasury.Waiting, Missing: "2 of treasury"}}}
	a := &addresses{standing: addressbook.Standing{Class: addressbook.Allowlisted, Alike: []string{"0xabc"}}}
	verdict, reason, err := open(t, r, a).Decide(t.Context(), spend(), usdc())
	if err != nil || verdict != desk.Wait || reason != "waits for 2 of treasury" {
		t.Fatalf("%v %q %v", verdict, reason, err)
	}
	q := r.asked[0]
	want := intent.Intent{
		Environment: "test", ID: "csp_1", Action: intent.ColdSpend, Chain: string(chain), Genesis: "31337", Asset: "USDC", Contract: "0xc", To: "0xa",
		Amount: money.FromUint64(5_000_000), MaxFee: money.FromUint64(77), Vault: "cold-1", Requester: "ada", Reason: "the audit",
	}
	if q.Intent != want || q.Class != string(addressbook.Allowlisted) || a.owner != addressbook.House {
		t.Errorf("%+v by %s", q, a.owner)
	}
	if len(q.Notes) != 1 || q.Notes[0].Level != treasury.Danger || !strings.Contains(q.Notes[0].Text, "0xabc") {
		t.Errorf("notes are %v", q.Notes)
	}
	if !strings.Contains(strings.Join(q.Effect, "\n"), "the vault cold-1 pays 5 USDC to 0xa, outside the house") {
		t.Errorf("effect is %q", q.Effect)
	}
}

// Where an address is not in the house's book nobody is asked, whatever the policy would
// let pass; the same where it was taken out since people agreed.
func TestVaultsPayNobodyWhoIsNotInTheBook(t *testing.T) {
	for _, class := range []addressbook.Class{addressbook.New, addressbook.Own, ""} {
		r := &requests{answers: []treasury.Request{{State: treasury.Approved}}}
		verdict, reason, err := open(t, r, &addresses{standing: addressbook.Standing{Class: class}}).Decide(t.Context(), spend(), usdc())
		if err != nil || verdict != desk.Deny || !strings.Contains(reason, "not in the house's book") || len(r.asked) != 0 {
			t.Errorf("%q: %v %q %v, asked %d times", class, verdict, reason, err, len(r.asked))
		}
	}
	down := errors.New("connection refused")
	if verdict, _, err := open(t, &requests{}, &addresses{err: down}).Decide(t.Context(), spend(), usdc()); verdict != 0 || !errors.Is(err, down) {
		t.Errorf("the book is down: %v %v", verdict, err)
	}
}
