package consent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/intent"
)

const (
	environment = "strongroom-test"
	created     = int64(1_700_000_000)
)

var now = time.Unix(created+120, 0)

func payment() *intent.Intent {
	return &intent.Intent{
		Environment: environment, ID: "wdr_1", Action: intent.Withdrawal, Chain: "ethereum-dev", Genesis: "31337", Asset: "ETH",
		To: "0x52908400098527886E0F7030069857D2E4169EE7", Amount: money.FromUint64(5), MaxFee: money.FromUint64(2),
		Requester: "customer:zoe", Policy: 3, Reason: "rent", Created: created, Expires: created + 3600,
	}
}

// open is a house of five: ada has a passkey and an Ed25519 key, bea a passkey, cem a
// wallet, dov an Ed25519 key and eve a passkey of EdDSA.
func open(tb testing.TB) *consenttest.House {
	tb.Helper()
	h := consenttest.Open(tb, environment, 2, 3, created-1000)
	pass := func(id string, algorithm consenttest.Algorithm) *consenttest.Key {
		return consenttest.Passkey(tb, id, consenttest.Site, consenttest.Origin, algorithm)
	}
	h.Add("ada", true, []string{"treasury"}, pass("ada-phone", consenttest.ES256), consenttest.Plain(tb, "ada-api"))
	h.Add("bea", true, []string{"treasury", "risk"}, pass("bea-stick", consenttest.RS256))
	h.Add("cem", false, []string{"treasury"}, consenttest.Wallet(tb, "cem-ledger"))
	h.Add("dov", false, []string{"risk"}, consenttest.Plain(tb, "dov-api"))
	h.Add("eve", false, []string{"support"}, pass("eve-laptop", consenttest.EdDSA))
	require.NoError(tb, h.Roster.Check())
	return h
}

func two() consent.Requirement { return consent.Requirement{Group: "treasury", Count: 2} }

func caseOf(tb testing.TB, h *consenttest.House, i *intent.Intent, r consent.Requirement, approvals ...consent.Approval) *consent.Case {
	tb.Helper()
	hash, err := i.Hash()
	require.NoError(tb, err)
	return &consent.Case{
		Environment: environment, Intent: i, Hash: hash, Policy: i.Policy, Requirement: r, Roster: h.Roster, Newest: h.Roster.Version,
		Approvals: approvals, Counters: new(consent.Counts), Now: now,
	}
}

func judge(tb testing.TB, c *consent.Case) consent.Judgement {
	tb.Helper()
	j, err := consent.Judge(c)
	require.NoError(tb, err)
	return j
}
