package signer

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

const (
	home = "strongroom-test"
	// coldAlone is a vault that is no Safe.
	coldAlone = "0x2546BcD3c84621e976D8185a91A922aE77ECEc30"
	coldSafe  = "0x8ba1f109551bD432803012645Ac136ddd64DBA72"
	zoe       = "customer:zoe"
)

// btcGenesis is block 0 of the test's bitcoin network.
const btcGenesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

// chamber is a signer with a treasury, and the people whom it asks.
type chamber struct {
	*Signer
	cfg    Config
	clock  *testClock
	house  *consenttest.House
	policy *policy.Policy
}

// newChamber is a signer of a house of five: ada, bea and cem are in treasury and officers,
// dov in risk, eve in support. Its roster and policy are in force.
func newChamber(tb testing.TB) *chamber {
	tb.Helper()
	c := bareChamber(tb)
	_, err := c.Submit(&signerv1.SubmitRequest{Document: c.house.Sign(tb)})
	require.NoError(tb, err)
	c.publish(tb, c.policy, "ada", "bea")
	return c
}

// bareChamber has neither roster nor policy yet.
func bareChamber(tb testing.TB) *chamber {
	tb.Helper()
	clock := newClock()
	h := consenttest.Open(tb, home, 2, 3, clock.at.Unix()-1000)
	key := func(id string) *consenttest.Key {
		return consenttest.Passkey(tb, id, consenttest.Site, consenttest.Origin, consenttest.ES256)
	}
	h.Add("ada", true, []string{"treasury"}, key("ada-phone"), consenttest.Plain(tb, "ada-api"))
	h.Add("bea", true, []string{"treasury"}, consenttest.Plain(tb, "bea-api"))
	h.Add("cem", true, []string{"treasury"}, consenttest.Wallet(tb, "cem-ledger"))
	h.Add("dov", false, []string{"risk"}, key("dov-stick"))
	h.Add("eve", false, []string{"support"}, consenttest.Plain(tb, "eve-api"))
	cfg := testConfig(tb.TempDir(), clock)
	cfg.Treasury = &Treasury{
		Environment: home, Officers: h.Roster.Officers, Vaults: []VaultAddress{{Chain: evmName, Address: coldSafe, Safe: true}, {Chain: evmName, Address: coldAlone}},
	}
	c := &chamber{Signer: openSigner(tb, cfg), cfg: cfg, clock: clock, house: h, policy: housePolicy(clock.at)}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// housePolicy lets little pass without people, asks two of treasury and one of risk for
// more, and denies what is absurd.
func housePolicy(at time.Time) *policy.Policy {
	quorum := func(name string, when policy.Condition, r consent.Requirement) policy.Rule {
		return policy.Rule{Name: name, When: when, Outcome: policy.Quorum, Requirement: &r, Lives: policy.Span(24 * time.Hour)}
	}
	allow := func(name string, when policy.Condition) policy.Rule {
		return policy.Rule{Name: name, When: when, Outcome: policy.Allow}
	}
	day := policy.Sum{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: policy.Range{Below: money.FromUint64(3001)}}
	two := consent.Requirement{Group: "treasury", Count: 2}
	both := consent.Requirement{All: []consent.Requirement{two, {Group: "risk", Count: 1}}}
	paying := []meant.Action{meant.Withdrawal}
	return &policy.Policy{Environment: home, Version: 1, NotBefore: at.Unix(), Layers: []policy.Layer{
		{Name: "base", Rules: []policy.Rule{
			allow("own-keys", policy.Condition{
				Actions: []meant.Action{meant.Sweep}, Destinations: []policy.Class{policy.Own}, Requesters: policy.Requesters{IDs: []string{"signer:*"}},
			}),
			allow("small-sweeps", policy.Condition{
				Actions: []meant.Action{meant.Sweep}, Assets: []string{"ETH"}, Destinations: []policy.Class{policy.Own}, Amount: policy.Range{Below: units(100_000)},
			}),
			quorum("sweeps", policy.Condition{Actions: []meant.Action{meant.Sweep}}, two),
			allow("small", policy.Condition{Actions: paying, Assets: []string{"ETH"}, Amount: policy.Range{Below: units(1001)}, Sums: []policy.Sum{day}}),
			allow("treasurers", policy.Condition{
				Actions: paying, Assets: []string{"ETH"}, Amount: policy.Range{Below: units(5000)}, Requesters: policy.Requesters{Groups: []string{"treasury"}},
			}),
			allow("known", policy.Condition{
				Actions: paying, Assets: []string{"ETH"}, Destinations: []policy.Class{policy.Allowlisted}, Amount: policy.Range{Below: units(50_000)},
			}),
			quorum("large", policy.Condition{Actions: paying}, both),
			quorum("refills", policy.Condition{Actions: []meant.Action{meant.Refill}, Destinations: []policy.Class{policy.Own}}, two),
			quorum("changes", policy.Condition{Actions: []meant.Action{meant.Allow, meant.Policy}}, two),
		}},
		{Name: "never", Rules: []policy.Rule{
			{Name: "absurd", When: policy.Condition{Assets: []string{"ETH"}, Amount: policy.Range{From: units(1e12)}}, Outcome: policy.Deny},
		}},
	}}
}

// meaning is the intent of a request, as zoe asks for it.
func (c *chamber) meaning(tb testing.TB, req *signerv1.SignRequest) *meant.Intent {
	tb.Helper()
	in := req.GetIntent()
	amount, err := money.ParseUnits(in.GetAmount())
	require.NoError(tb, err)
	fee, err := money.ParseUnits(req.GetMaxFee())
	require.NoError(tb, err)
	i := &meant.Intent{
		Environment: home, ID: in.GetId(), Action: meant.Withdrawal, Chain: in.GetChain(), Genesis: btcGenesis, Asset: in.GetAsset(),
		Contract: in.GetContract(), To: in.GetTo(), Amount: amount, MaxFee: fee, Requester: zoe, Policy: c.policy.Version,
		Reason: "rent", Created: c.clock.at.Unix(), Expires: c.clock.at.Add(24 * time.Hour).Unix(),
	}
	if in.GetChain() == evmName {
		i.Genesis = strconv.Itoa(evmID)
	}
	if in.GetKind() == signerv1.IntentKind_INTENT_KIND_SWEEP {
		i.Action = meant.Sweep
	}
	if in.GetKind() == signerv1.IntentKind_INTENT_KIND_REFILL {
		i.Action, i.Vault, i.Requester = meant.Refill, "cold-eth", "house:refills"
	}
	return i
}

// with gives a request the text of an intent and the consent of people to it.
func (c *chamber) with(tb testing.TB, req *signerv1.SignRequest, i *meant.Intent, people ...string) *signerv1.SignRequest {
	tb.Helper()
	text, err := i.Canonical()
	require.NoError(tb, err)
	req.IntentText, req.PolicyVersion = text, strconv.FormatUint(i.Policy, 10)
	req.Approvals = c.approvals(tb, i, people...)
	return req
}

func (c *chamber) approvals(tb testing.TB, i *meant.Intent, people ...string) []*signerv1.Approval {
	tb.Helper()
	var said []consent.Approval
	for _, person := range slices.Sorted(slices.Values(people)) {
		said = append(said, c.house.Keys[person][0].Approve(tb, person, i, c.clock.at.Unix()))
	}
	return wireConsent(said...)
}

func wireConsent(all ...consent.Approval) []*signerv1.Approval {
	var out []*signerv1.Approval
	for _, a := range all {
		out = append(out, &signerv1.Approval{
			Approver: a.Person, Key: a.Key, Scheme: string(a.Scheme), Verdict: string(a.Verdict), Reason: a.Reason, At: a.At,
			Payload: a.Payload, Signature: a.Signature,
		})
	}
	return out
}

// pay is a withdrawal with its meaning and people's consent.
func (c *chamber) pay(tb testing.TB, id string, nonce, value uint64, people ...string) *signerv1.SignRequest {
	tb.Helper()
	req := ethWithdrawal(tb, id, nonce, value)
	return c.with(tb, req, c.meaning(tb, req), people...)
}

// deciding is an intent that moves nothing.
func (c *chamber) deciding(action meant.Action, id, document, requester string) *meant.Intent {
	return &meant.Intent{
		Environment: home, ID: id, Action: action, Document: document, Requester: requester, Reason: "as agreed",
		Policy: c.council.version(c.clock.at), Created: c.clock.at.Unix(), Expires: c.clock.at.Add(12 * time.Hour).Unix(),
	}
}

// submission is what is handed over with people's consent.
func (c *chamber) submission(tb testing.TB, i *meant.Intent, document []byte, people ...string) *signerv1.SubmitRequest {
	tb.Helper()
	text, err := i.Canonical()
	require.NoError(tb, err)
	return &signerv1.SubmitRequest{IntentText: text, Document: document, Approvals: c.approvals(tb, i, people...)}
}

func (c *chamber) proposal(tb testing.TB, p *policy.Policy, requester string, people ...string) *signerv1.SubmitRequest {
	tb.Helper()
	text, err := p.Canonical()
	require.NoError(tb, err)
	document, err := p.Document()
	require.NoError(tb, err)
	return c.submission(tb, c.deciding(meant.Policy, "policy-"+strconv.FormatUint(p.Version, 10), document, requester), text, people...)
}

func (c *chamber) publish(tb testing.TB, p *policy.Policy, people ...string) {
	tb.Helper()
	_, err := c.Submit(c.proposal(tb, p, "dov", people...))
	require.NoError(tb, err)
	c.policy = p
}

// allowing is an entry of the allow-list with people's consent to it.
func (c *chamber) allowing(tb testing.TB, e entry, people ...string) *signerv1.SubmitRequest {
	tb.Helper()
	text, err := json.Marshal(e)
	require.NoError(tb, err)
	_, document, err := parseEntry(text)
	require.NoError(tb, err)
	i := c.deciding(meant.Allow, e.ID, document, e.Owner)
	i.Chain = e.Chain
	return c.submission(tb, i, text, people...)
}

// freeze is an officer's word that all signing stops.
func (c *chamber) freeze(tb testing.TB, person, reason string) []byte {
	tb.Helper()
	f := c.house.Keys[person][0].Freeze(tb, consent.Freeze{Environment: home, Person: person, At: c.clock.at.Unix(), Reason: reason})
	text, err := json.Marshal(f)
	require.NoError(tb, err)
	return text
}

// restart opens the folder again.
func (c *chamber) restart(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, c.Close())
	c.Signer = openSigner(tb, c.cfg)
}

// signs and refuses say what has to become of a request.
func (c *chamber) signs(tb testing.TB, req *signerv1.SignRequest) *signerv1.SignResponse {
	tb.Helper()
	out, err := c.Sign(req)
	require.NoError(tb, err)
	return out
}

func (c *chamber) refuses(tb testing.TB, req *signerv1.SignRequest, why error, says string) {
	tb.Helper()
	entries := c.journal.head.seq
	out, err := c.Sign(req)
	require.ErrorIs(tb, err, why, "signed as %s", out.GetTxid())
	require.ErrorContains(tb, err, says)
	require.Equal(tb, entries, c.journal.head.seq, "a refusal left a record")
}
