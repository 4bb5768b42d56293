package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/gate"
	"strongroom/treasury/intent"
)

const chain chainadapters.ChainID = "ethereum-dev"

// requests answers each question with the next of its answers.
type requests struct {
	asked   []treasury.Question
	answers []treasury.Request
	err     error
}

func (r *requests) Ask(_ context.Context, q treasury.Question) (treasury.Request, error) {
	r.asked = append(r.asked, q)
	if r.err != nil {
		return treasury.Request{}, r.err
	}
	is := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	return is, nil
}

type addresses struct {
	owner    string
	standing addressbook.Standing
	err      error
}

func (a *addresses) Standing(_ context.Context, owner, _, _ string) (addressbook.Standing, error) {
	a.owner = owner
	return a.standing, a.err
}

func open(t *testing.T, r *requests, a *addresses) *gate.Gate {
	t.Helper()
	g, err := gate.New(gate.Config{
		Requests: r, Addresses: a, Intents: held{}, Assets: registry{}, Chains: map[chainadapters.ChainID]gate.Chain{chain: {Genesis: "31337", MaxFee: money.FromUint64(77)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// held has one withdrawal.
type held struct{}

func (held) LoadIntent(_ context.Context, id string) (custodydb.IntentRow, error) {
	if id != "wdr_1" {
		return custodydb.IntentRow{}, custody.ErrNotFound
	}
	return row(custody.IntentWithdrawal), nil
}

type registry struct{ custody.Assets }

func (registry) AssetByCode(code string) (custody.AssetInfo, bool) { return usdc(), code == "USDC" }

func row(kind custody.IntentKind) custodydb.IntentRow {
	return custodydb.IntentRow{
		Intent: custody.Intent{
			Environment: "test", ID: "wdr_1", Kind: kind, Chain: chain, Asset: "USDC", Contract: "0xc", To: "0xa", Amount: money.FromUint64(5_000_000),
		},
		Customer: "cus_1", Vault: "cold-1", State: custody.WithdrawalScreened,
	}
}

func usdc() custody.AssetInfo {
	return custody.AssetInfo{Asset: money.Asset{Code: "USDC", Scale: 6}, Chain: chain, Native: "ETH"}
}

func TestVerdictIsThatOfTheRequest(t *testing.T) {
	for state, want := range map[treasury.State]struct {
		verdict desk.Verdict
		reason  string
	}{
		treasury.Approved:  {desk.Allow, ""},
		treasury.Done:      {desk.Allow, ""},
		treasury.Waiting:   {desk.Wait, "waits for 2 of treasury"},
		treasury.Denied:    {desk.Deny, "ada said no"},
		treasury.Expired:   {desk.Deny, "ada said no"},
		treasury.Cancelled: {desk.Deny, "ada said no"},
		treasury.Failed:    {desk.Deny, "ada said no"},
	} {
		r := &requests{answers: []treasury.Request{{State: state, Missing: "2 of treasury", Outcome: "ada said no"}}}
		verdict, reason, err := open(t, r, &addresses{}).Decide(t.Context(), row(custody.IntentWithdrawal), usdc())
		if err != nil || verdict != want.verdict || reason != want.reason {
			t.Errorf("%s: %v %q %v", state, verdict, reason, err)
		}
		if len(r.asked) != 1 {
			t.Errorf("%s: asked %d times", state, len(r.asked))
		}
	}
}

func TestWhatWasSupersededIsAskedOnceMore(t *testing.T) {
	r := &requests{answers: []treasury.Request{
		{ID: "rqs_1", State: treasury.Cancelled, Superseded: true}, {ID: "rqs_2", State: treasury.Waiting, Missing: "1 of board"},
	}}
	verdict, reason, err := open(t, r, &addresses{}).Decide(t.Context(), row(custody.IntentSweep), usdc())
	if err != nil || verdict != desk.Wait || reason != "waits for 1 of board" {
		t.Fatalf("%v %q %v", verdict, reason, err)
	}
	if len(r.asked) != 2 || r.asked[0].Again != "" || r.asked[1].Again != "rqs_1" {
		t.Errorf("%+v", r.asked)
	}
}

func TestPeopleAreAskedAboutTheWholeIntent(t *testing.T) {
	r := &requests{answers: []treasury.Request{{State: treasury.Waiting}}}
	a := &addresses{standing: addressbook.Standing{Class: addressbook.New, Alike: []string{"0xabc"}}}
	g := open(t, r, a)
	if _, _, err := g.Decide(t.Context(), row(custody.IntentWithdrawal), usdc()); err != nil {
		t.Fatal(err)
	}
	q := r.asked[0]
	want := intent.Intent{
		Environment: "test", ID: "wdr_1", Action: intent.Withdrawal, Chain: string(chain), Genesis: "31337", Asset: "USDC", Contract: "0xc", To: "0xa",
		Amount: money.FromUint64(5_000_000), MaxFee: money.FromUint64(77), Requester: "customer:cus_1", Reason: "a customer's withdrawal",
	}
	if q.Intent != want || q.Class != "new" || a.owner != "customer:cus_1" {
		t.Errorf("%+v by %s", q, a.owner)
	}
	if len(q.Notes) != 2 || q.Notes[1].Level != treasury.Danger || !strings.Contains(q.Notes[1].Text, "0xabc") {
		t.Errorf("notes are %v", q.Notes)
	}
	if !strings.Contains(strings.Join(q.Effect, "\n"), "customer cus_1 gets 5 USDC at 0xa") {
		t.Errorf("effect is %q", q.Effect)
	}
	if _, _, err := g.Decide(t.Context(), row(custody.IntentSweep), usdc()); err != nil {
		t.Fatal(err)
	}
	if q = r.asked[1]; q.Intent.Action != intent.Sweep || q.Intent.Requester != gate.House || q.Class != "own" || len(q.Notes) != 0 {
		t.Errorf("%+v", q)
	}
}

func TestNothingPassesWhereNobodyCanBeAsked(t *testing.T) {
	down := errors.New("connection refused")
	elsewhere := row(custody.IntentWithdrawal)
	elsewhere.Chain = "moonchain"
	for name, tc := range map[string]struct {
		requests  requests
		addresses addresses
		row       custodydb.IntentRow
		want      error
	}{
		"the desk is down":      {requests{err: down}, addresses{}, row(custody.IntentWithdrawal), down},
		"the book is down":      {requests{}, addresses{err: down}, row(custody.IntentWithdrawal), down},
		"an unknown chain":      {requests{}, addresses{}, elsewhere, custody.ErrAsset},
		"a kind that asks none": {requests{}, addresses{}, row(custody.IntentCollect), custody.ErrIllegal},
		"an unknown state":      {requests{answers: []treasury.Request{{State: "odd"}}}, addresses{}, row(custody.IntentSweep), custody.ErrIllegal},
	} {
		verdict, _, err := open(t, &tc.requests, &tc.addresses).Decide(t.Context(), tc.row, usdc())
		if verdict != 0 || !errors.Is(err, tc.want) {
			t.Errorf("%s: %v %v", name, verdict, err)
		}
	}
	if _, err := gate.New(gate.Config{}); err == nil {
		t.Error("a gate without anybody to ask")
	}
}

func TestEvidence(t *testing.T) {
	meant := intent.Intent{
		Environment: "test", ID: "wdr_1", Action: intent.Withdrawal, Chain: "c", Genesis: "1", Asset: "USDC", To: "0xa", Amount: money.FromUint64(5),
		Requester: "customer:cus_1", Policy: 1, Reason: "x", Created: 100, Expires: 200,
	}
	yes, no := treasury.Signed{}, treasury.Signed{}
	yes.Verdict, no.Verdict = consent.Approve, consent.Deny
	approved := treasury.Request{ID: "rqs_1", State: treasury.Approved, Intent: meant, Signed: []treasury.Signed{no, yes}}
	r := &requests{answers: []treasury.Request{approved}}
	text, approvals, err := open(t, r, &addresses{}).Evidence(t.Context(), "wdr_1", 1)
	if err != nil || len(approvals) != 1 {
		t.Fatalf("%v %v", approvals, err)
	}
	if parsed, err := intent.Parse(text); err != nil || parsed != meant {
		t.Errorf("%s %v", text, err)
	}
	if len(r.asked) != 2 || r.asked[1].Again != "rqs_1" {
		t.Errorf("whether consent still counts was not asked: %+v", r.asked)
	}
	r = &requests{answers: []treasury.Request{approved, {ID: "rqs_2", State: treasury.Waiting}}}
	if _, _, err := open(t, r, &addresses{}).Evidence(t.Context(), "wdr_1", 1); !errors.Is(err, custody.ErrConsent) {
		t.Errorf("people are asked again: %v", err)
	}
	r = &requests{answers: []treasury.Request{approved, {ID: "rqs_2", State: treasury.Waiting}}}
	if _, approvals, err := open(t, r, &addresses{}).Evidence(t.Context(), "wdr_1", 2); err != nil || len(approvals) != 1 {
		t.Errorf("a higher bid does not go by the consent of the first: %v", err)
	}
	if _, _, err := open(t, r, &addresses{}).Evidence(t.Context(), "wdr_none", 1); !errors.Is(err, custody.ErrNotFound) {
		t.Errorf("consent to nothing: %v", err)
	}
}
