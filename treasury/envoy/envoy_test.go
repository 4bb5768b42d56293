package envoy_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
	"strongroom/signer"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/desk"
	"strongroom/treasury/envoy"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

const (
	environment = "test"
	chain       = "ethereum-dev"
)

// core is a real signer, asked without a network between.
type core struct {
	*signer.Signer

	down  error
	calls []string
}

func (c *core) note(what string) error {
	c.calls = append(c.calls, what)
	return c.down
}

func (c *core) Submit(_ context.Context, text, document []byte, approvals []consent.Approval) (bool, error) {
	i, err := intent.Parse(text)
	if err = errors.Join(err, c.note(string(i.Action))); err != nil {
		return false, err
	}
	slices.SortFunc(approvals, func(a, b consent.Approval) int { return strings.Compare(a.Person, b.Person) })
	req := &signerv1.SubmitRequest{IntentText: text, Document: document}
	for _, a := range approvals {
		req.Approvals = append(req.Approvals, &signerv1.Approval{
			Approver: a.Person, Key: a.Key, Scheme: string(a.Scheme), Verdict: string(a.Verdict), Reason: a.Reason, At: a.At, Payload: a.Payload, Signature: a.Signature,
		})
	}
	out, err := c.Signer.Submit(req)
	return out.GetKnown(), err
}

func (c *core) SubmitRoster(_ context.Context, signed []byte) (bool, error) {
	if err := c.note("roster"); err != nil {
		return false, err
	}
	out, err := c.Signer.Submit(&signerv1.SubmitRequest{Document: signed})
	return out.GetKnown(), err
}

func (c *core) Disallow(_ context.Context, owner, chain, address string) (bool, error) {
	if err := c.note("disallow"); err != nil {
		return false, err
	}
	return c.Signer.Disallow(owner, chain, address)
}

// house is a desk on a real database and a signer on a real folder.
type house struct {
	t      *testing.T
	now    time.Time
	desk   *desk.Desk
	signer *core
	people *consenttest.House
	envoy  *envoy.Envoy
}

func (h *house) clock() time.Time { return h.now }

func rules(version uint64, from int64) *policy.Policy {
	quorum := func(name string, r consent.Requirement, actions ...intent.Action) policy.Rule {
		return policy.Rule{Name: name, When: policy.Condition{Actions: actions}, Outcome: policy.Quorum, Requirement: &r, Lives: policy.Span(24 * time.Hour)}
	}
	return &policy.Policy{Environment: environment, Version: version, NotBefore: from, Layers: []policy.Layer{{Name: "base", Rules: []policy.Rule{
		quorum("changes", consent.Requirement{Group: "treasury", Count: 2}, intent.Allow, intent.Policy),
		quorum("rest", consent.Requirement{Group: "treasury", Count: 2}),
	}}}}
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.people = consenttest.Open(t, environment, 2, 3, h.now.Unix()-1000)
	for _, person := range []string{"ada", "bea", "cem"} {
		h.people.Add(person, true, []string{"treasury"}, consenttest.Plain(t, person+"-api"))
	}
	pool, err := pg.Open(t.Context(), testenv.Postgres(t, treasurydb.Migrations()))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	log := slog.New(slog.DiscardHandler)
	officers := h.people.Trust().Officers
	h.desk, err = desk.New(desk.Config{
		Pool: pool, Environment: environment, Officers: officers, Addresses: addressbook.Terms{Wait: time.Minute, AlikeWait: time.Minute},
		PolicyLock: time.Hour, Clock: h.clock, Log: log,
	})
	require.NoError(t, err)
	first := rules(1, h.now.Unix()-1)
	text, err := first.Canonical()
	require.NoError(t, err)
	require.NoError(t, h.desk.Found(t.Context(), text, h.people.Sign(t)))
	most := signer.Caps{PerTransaction: money.FromUint64(5), PerHour: money.FromUint64(5), PerDay: money.FromUint64(5)}
	s, err := signer.New(signer.Config{
		Dir: t.TempDir(), Passphrase: "a passphrase of some length", Clock: h.clock, Log: log, WorkFactor: 1,
		Policy: signer.Policy{
			Chains: []signer.Chain{{Name: chain, Family: "evm", ChainID: 31337, FeeCeiling: money.FromUint64(5)}},
			Assets: []signer.Asset{{Code: "ETH", Chain: chain, Withdrawal: most, GasTopUp: most}},
		},
		Treasury: &signer.Treasury{Environment: environment, Officers: officers},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	h.signer = &core{Signer: s}
	h.begin(text, first)
	h.restart()
	return h
}

// begin has the officers bring roster and first policy, as when an installation is made.
func (h *house) begin(text []byte, first *policy.Policy) {
	h.t.Helper()
	_, err := h.signer.SubmitRoster(h.t.Context(), h.people.Sign(h.t))
	require.NoError(h.t, err)
	document, err := first.Document()
	require.NoError(h.t, err)
	i := intent.Intent{
		Environment: environment, ID: "first", Action: intent.Policy, Document: document, Requester: "system:founding", Reason: "x",
		Created: h.now.Unix(), Expires: h.now.Unix() + 60,
	}
	canonical, err := i.Canonical()
	require.NoError(h.t, err)
	_, err = h.signer.Submit(h.t.Context(), canonical, text, []consent.Approval{h.yes("ada", &i), h.yes("bea", &i)})
	require.NoError(h.t, err)
}

func (h *house) restart() {
	h.t.Helper()
	h.signer.calls = nil
	var err error
	h.envoy, err = envoy.New(envoy.Config{
		Desk: h.desk, Signer: h.signer, Log: slog.New(slog.DiscardHandler),
		Refused: func(err error) bool { return errors.Is(err, signer.ErrRefused) || errors.Is(err, signer.ErrInvalid) },
	})
	require.NoError(h.t, err)
}

func (h *house) yes(person string, i *intent.Intent) consent.Approval {
	return h.people.Keys[person][0].Approve(h.t, person, i, h.now.Unix())
}

func (h *house) agreed(r treasury.Request) {
	h.t.Helper()
	for _, person := range []string{"bea", "cem"} {
		_, err := h.desk.Sign(h.t.Context(), r.ID, h.yes(person, &r.Intent))
		require.NoError(h.t, err)
	}
}

func (h *house) status() *signerv1.StatusResponse {
	h.t.Helper()
	status, err := h.signer.Status()
	require.NoError(h.t, err)
	return status
}

func (h *house) round() {
	h.t.Helper()
	require.NoError(h.t, h.envoy.Round(h.t.Context()))
}

func TestAnotherPolicyReachesTheSigner(t *testing.T) {
	h := open(t)
	text, err := rules(2, h.now.Add(2*time.Hour).Unix()).Canonical()
	require.NoError(t, err)
	_, err = h.desk.DraftPolicy(t.Context(), text, "ada", "why not")
	require.NoError(t, err)
	_, request, err := h.desk.ProposePolicy(t.Context(), 2, "ada")
	require.NoError(t, err)
	h.round()
	require.Zero(t, h.status().GetTreasury().GetNextPolicy(), "nobody agreed yet")
	h.agreed(request)
	h.signer.down = errors.New("connection refused")
	require.ErrorIs(t, h.envoy.Round(t.Context()), h.signer.down)
	h.signer.down = nil
	h.round()
	require.Equal(t, uint64(2), h.status().GetTreasury().GetNextPolicy())
	h.restart() // what was brought is brought again, and does no harm
	h.round()
	require.Equal(t, []string{"policy", "roster"}, h.signer.calls)
	h.round()
	require.Len(t, h.signer.calls, 2, "once is enough")
	h.now = h.now.Add(2 * time.Hour)
	require.NoError(t, h.desk.Tick(t.Context()))
	require.Equal(t, uint64(2), h.status().GetTreasury().GetPolicyVersion())
}

func TestAllowedAddressesReachTheSigner(t *testing.T) {
	h := open(t)
	c := treasury.Candidate{
		Owner: "customer:1", Chain: chain, Address: "0x52908400098527886E0F7030069857D2E4169EE7", Label: "landlord", Requester: "customer:1", Reason: "rent",
	}
	entry, request, err := h.desk.ProposeAddress(t.Context(), c)
	require.NoError(t, err)
	h.agreed(request)
	h.round()
	require.Equal(t, []string{"allow", "roster"}, h.signer.calls)
	_, err = h.desk.RemoveAddress(t.Context(), entry.ID, "ada", "moved out")
	require.NoError(t, err)
	h.round()
	require.Equal(t, "disallow", h.signer.calls[2])
	_, request, err = h.desk.ProposeAddress(t.Context(), c)
	require.NoError(t, err)
	h.agreed(request)
	h.restart()
	h.round()
	require.NotContains(t, h.signer.calls, "disallow", "it is allowed by another entry")
	known, err := h.signer.Disallow(t.Context(), c.Owner, c.Chain, c.Address)
	require.NoError(t, err)
	require.False(t, known, "the second entry is not there")
}

func TestWhatTheSignerRefusesIsLeft(t *testing.T) {
	h := open(t)
	_, request, err := h.desk.ProposeAddress(t.Context(), treasury.Candidate{
		Owner: "customer:1", Chain: "moonchain", Address: "0xabc", Label: "x", Requester: "customer:1", Reason: "x",
	})
	require.NoError(t, err)
	h.agreed(request)
	h.round()
	h.round()
	require.Equal(t, []string{"allow", "roster"}, h.signer.calls, "asked once")
	h.people.Roster.Version = 2
	_, err = h.desk.PublishRoster(t.Context(), h.people.Sign(t))
	require.NoError(t, err)
	h.round()
	require.Equal(t, uint64(2), h.status().GetTreasury().GetRosterVersion())
}

func TestSigningGoesOn(t *testing.T) {
	h := open(t)
	frozen := h.people.Keys["ada"][0].Freeze(t, consent.Freeze{Environment: environment, Person: "ada", Reason: "odd", At: h.now.Unix()})
	text, err := json.Marshal(frozen)
	require.NoError(t, err)
	document := frozen.Challenge()
	require.NoError(t, h.signer.Freeze(text))
	require.True(t, h.status().GetFrozen())
	request, err := h.desk.Ask(t.Context(), treasury.Question{Intent: intent.Intent{
		ID: "unfreeze-1", Action: intent.Unfreeze, Document: hex.EncodeToString(document[:]), Requester: "ada", Reason: "it was nothing",
	}})
	require.NoError(t, err)
	h.agreed(request)
	h.round()
	require.False(t, h.status().GetFrozen())
	is, err := h.desk.Request(t.Context(), request.ID)
	require.NoError(t, err)
	require.Equal(t, treasury.Done, is.State)
}
