package signer

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

func TestSmallPassesWithoutPeopleAndLargeNeedsThem(t *testing.T) {
	c := newChamber(t)
	c.signs(t, c.pay(t, "wdr_1", 0, 900))
	c.refuses(t, c.pay(t, "wdr_2", 1, 2000), ErrRefused, "it still takes 2 of treasury and 1 of risk")
	c.refuses(t, c.pay(t, "wdr_2", 1, 2000, "ada", "bea"), ErrRefused, "it still takes 1 of risk")
	c.signs(t, c.pay(t, "wdr_2", 1, 2000, "ada", "bea", "dov"))
	c.refuses(t, c.pay(t, "wdr_3", 2, 2e12, "ada", "bea", "dov"), ErrRefused, "absurd")
}

func TestNothingIsSignedBeforeThereAreRosterAndPolicy(t *testing.T) {
	c := bareChamber(t)
	c.refuses(t, c.pay(t, "wdr_1", 0, 900), ErrRefused, "no roster yet")
	_, err := c.Submit(c.proposal(t, c.policy, "dov", "ada", "bea"))
	require.ErrorContains(t, err, "no roster yet")
	_, err = c.Submit(&signerv1.SubmitRequest{Document: c.house.Sign(t)})
	require.NoError(t, err)
	c.refuses(t, c.pay(t, "wdr_1", 0, 900), ErrRefused, "no policy is in force")
	c.refuses(t, tokenCollect(t, c.Signer, "col_1", 0, 500), ErrRefused, "no policy is in force")
	_, err = c.Submit(c.proposal(t, c.policy, "dov", "ada", "dov"))
	require.ErrorIs(t, err, ErrRefused, "the first policy is for officers")
	c.publish(t, c.policy, "ada", "bea")
	c.signs(t, c.pay(t, "wdr_1", 0, 900))
}

func TestWhatStaysWithOurKeysPassesUnderPolicy(t *testing.T) {
	c := newChamber(t)
	for name, req := range everyKind(t, c.Signer) {
		if req.GetIntent().GetKind() == signerv1.IntentKind_INTENT_KIND_WITHDRAWAL {
			c.refuses(t, req, ErrInvalid, "intent_text")
			continue
		}
		t.Run(name, func(t *testing.T) {
			first := c.signs(t, req)
			require.True(t, proto.Equal(first, c.signs(t, clone(req))))
			dressed := clone(req)
			dressed.Approvals = []*signerv1.Approval{{Approver: "ada"}}
			c.refuses(t, dressed, ErrInvalid, "nobody is asked")
		})
	}
	strict := *c.policy
	strict.Version, strict.Layers = 2, append(strict.Layers[:0:0], strict.Layers...)
	strict.Layers[0].Rules = strict.Layers[0].Rules[1:] // nothing lets collections pass
	c.publish(t, &strict, "ada", "bea")
	c.refuses(t, tokenCollect(t, c.Signer, "col_9", 7, 500), ErrRefused, "2 of treasury")
	c.signs(t, ethCancel(t, c.Signer, "wdr_99", 1, 9, 1e9))
}

func TestSweepsGoToVaultsOnly(t *testing.T) {
	c := newChamber(t)
	sweep := func(id, to string, nonce, value uint64, people ...string) *signerv1.SignRequest {
		req := ethWithdrawal(t, id, nonce, value)
		req.Intent.Kind, req.Intent.To = signerv1.IntentKind_INTENT_KIND_SWEEP, to
		address, err := parseEVMAddress(to)
		require.NoError(t, err)
		req.UnsignedTx = plainPayload(nonce, address, value).bytes(t)
		i := c.meaning(t, req)
		i.Requester = "house:sweeps"
		return c.with(t, req, i, people...)
	}
	c.signs(t, sweep("swp_1", coldSafe, 0, 90_000))
	c.refuses(t, sweep("swp_2", outsideEVM, 1, 90_000), ErrInvalid, "sweeps go to vaults")
	c.refuses(t, sweep("swp_3", coldSafe, 1, 200_000), ErrRefused, "it still takes 2 of treasury")
	c.signs(t, sweep("swp_3", coldSafe, 1, 200_000, "ada", "cem"))
	req := sweep("swp_4", coldSafe, 2, 500)
	req.Intent.Kind, req.Intent.Id = signerv1.IntentKind_INTENT_KIND_WITHDRAWAL, "wdr_4"
	i := c.meaning(t, req)
	c.refuses(t, c.with(t, req, i), ErrInvalid, "sweeps go to vaults")

	plain := newSigner(t)
	bare := sweep("swp_1", coldSafe, 0, 500)
	bare.IntentText, bare.PolicyVersion = nil, ""
	_, err := plain.Sign(bare)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestEachFieldOfTheIntentIsCompared(t *testing.T) {
	c := newChamber(t)
	for field, change := range map[string]func(i *meant.Intent){
		"environment": func(i *meant.Intent) { i.Environment = "strongroom-dev" },
		"id":          func(i *meant.Intent) { i.ID = "wdr_2" },
		"action":      func(i *meant.Intent) { i.Action = meant.Sweep },
		"chain":       func(i *meant.Intent) { i.Chain = btcName },
		"genesis":     func(i *meant.Intent) { i.Genesis = "1" },
		"asset":       func(i *meant.Intent) { i.Asset = "TUSD" },
		"contract":    func(i *meant.Intent) { i.Contract = tokenHex },
		"to":          func(i *meant.Intent) { i.To = coldSafe },
		"amount":      func(i *meant.Intent) { i.Amount = units(2001) },
		"maxFee":      func(i *meant.Intent) { i.MaxFee = units(1) },
		"requester":   func(i *meant.Intent) { i.Requester = "signer:withdrawal" },
		"policy":      func(i *meant.Intent) { i.Policy = 2 },
		"expires":     func(i *meant.Intent) { i.Created, i.Expires = i.Created-100, i.Created-1 },
		"created":     func(i *meant.Intent) { i.Created += 120 },
	} {
		t.Run(field, func(t *testing.T) {
			req := ethWithdrawal(t, "wdr_1", 0, 2000)
			i := c.meaning(t, req)
			change(i)
			_, err := c.Sign(c.with(t, req, i, "ada", "bea", "dov"))
			require.Error(t, err)
			require.ErrorContains(t, err, field)
		})
	}
	long := ethWithdrawal(t, "wdr_1", 0, 2000)
	i := c.meaning(t, long)
	i.Expires++
	c.refuses(t, c.with(t, long, i, "ada", "bea", "dov"), ErrRefused, "consent to this may take 24h")
	long = c.with(t, long, c.meaning(t, long), "ada", "bea", "dov")
	long.PolicyVersion = "2"
	c.refuses(t, long, ErrInvalid, "policy")
}

func TestEveryApprovalHasToCount(t *testing.T) {
	c := newChamber(t)
	req := c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov")
	more := c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov", "eve")
	c.refuses(t, more, ErrRefused, "eve")

	i, err := meant.Parse(req.GetIntentText())
	require.NoError(t, err)
	no := c.house.Keys["cem"][0].Deny(t, "cem", &i, c.clock.at.Unix(), "who is zoe?")
	denied := clone(req)
	denied.Approvals = append(denied.Approvals[:2:2], append(wireConsent(no), denied.Approvals[2])...)
	c.refuses(t, denied, ErrRefused, "cem said no")

	small := c.pay(t, "wdr_2", 0, 500, "eve")
	c.signs(t, small)
	small = c.pay(t, "wdr_3", 1, 500, "eve")
	small.Approvals[0].Signature[5] ^= 1
	c.refuses(t, small, ErrRefused, "eve")
}

func TestAPersonProvesNothingByTheirName(t *testing.T) {
	c := newChamber(t)
	req := ethWithdrawal(t, "wdr_1", 0, 3000)
	i := c.meaning(t, req)
	i.Requester = "cem" // of treasury, who may have as much without anybody: says the request
	c.refuses(t, c.with(t, req, i), ErrRefused, "it still takes")
	c.refuses(t, c.with(t, req, i, "ada", "cem", "dov"), ErrRefused, "who asks does not count")
	c.signs(t, c.with(t, req, i, "ada", "bea", "dov"))
}

// Whoever asks for a signature could name any customer.
func TestACustomersNameOpensNoMoreThanAnyCustomers(t *testing.T) {
	c := newChamber(t)
	next := c.changed(c.clock.at)
	next.Layers = slices.Clone(next.Layers)
	named := func(name, id string, below uint64) policy.Rule {
		return policy.Rule{Name: name, Outcome: policy.Allow, When: policy.Condition{
			Actions: []meant.Action{meant.Withdrawal}, Assets: []string{"ETH"}, Amount: policy.Range{Below: units(below)},
			Requesters: policy.Requesters{IDs: []string{id}},
		}}
	}
	next.Layers[0].Rules = append([]policy.Rule{named("vip", zoe, 9000), named("anybody", "customer:*", 3000)}, next.Layers[0].Rules...)
	c.publish(t, next, "ada", "bea")
	c.signs(t, c.pay(t, "wdr_1", 0, 2999))
	c.refuses(t, c.pay(t, "wdr_2", 1, 3000), ErrRefused, "it still takes")
	c.signs(t, c.pay(t, "wdr_2", 1, 3000, "ada", "bea", "dov"))
}

// A rule on a contract holds however the request writes it.
func TestAContractIsOneHoweverItIsWritten(t *testing.T) {
	c := newChamber(t)
	contract := common.HexToAddress(tokenHex).Hex()
	next := c.changed(c.clock.at)
	next.Layers = append(slices.Clone(next.Layers), policy.Layer{Name: "halted", Rules: []policy.Rule{{
		Name: "token", Outcome: policy.Deny, When: policy.Condition{Contracts: []string{contract}, Selectors: []string{transferSelector}},
	}}})
	c.publish(t, next, "ada", "bea")
	for _, written := range []string{tokenHex, contract} {
		req := tokenWithdrawal(t, "wdr_1", 0, 500)
		req.Intent.Contract = written
		c.refuses(t, c.with(t, req, c.meaning(t, req), "ada", "bea", "dov"), ErrRefused, "Rule token of layer halted")
	}
	c.signs(t, c.pay(t, "wdr_2", 0, 500))
}

func TestConsentGoesOnForReplacementsAndNothingElse(t *testing.T) {
	c := newChamber(t)
	req := c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov")
	first := c.signs(t, req)
	c.clock.advance(48 * time.Hour)
	c.restart(t)
	require.True(t, proto.Equal(first, c.signs(t, req)), "the answer was lost, and the intent has expired since")

	p := plainPayload(0, outsider(), 2000)
	p.FeeCap.Lsh(p.FeeCap, 1)
	p.TipCap.Lsh(p.TipCap, 1)
	raised := clone(req)
	raised.Attempt, raised.UnsignedTx = 2, p.bytes(t)
	c.signs(t, raised)

	other := clone(raised)
	other.Attempt = 3
	c.refuses(t, other, ErrRefused, "signed for another request")
	p.FeeCap.Lsh(p.FeeCap, 1)
	other.UnsignedTx, other.Approvals = p.bytes(t), other.Approvals[:2]
	c.refuses(t, other, ErrRefused, "expires")
}

func TestAClonedPasskeyIsRefused(t *testing.T) {
	c := newChamber(t)
	phone := c.house.Keys["ada"][0]
	c.signs(t, c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov"))
	c.restart(t)
	phone.Count-- // a copy signs with the counter that was used
	c.refuses(t, c.pay(t, "wdr_2", 1, 2000, "ada", "bea", "dov"), ErrRefused, consent.ErrCloned.Error())
	phone.Count += 3
	c.signs(t, c.pay(t, "wdr_2", 1, 2000, "ada", "bea", "dov"))
}

// The caps of the signer's own policy are for what passes without people, and count only
// that.
func TestSmallCapsHoldWithoutPeople(t *testing.T) {
	c := newChamber(t)
	require.NoError(t, c.Close())
	c.cfg.Policy.Assets[0].Withdrawal = Caps{PerTransaction: units(800), PerHour: units(1200), PerDay: units(1200)}
	c.Signer = openSigner(t, c.cfg)
	c.refuses(t, c.pay(t, "wdr_1", 0, 900), ErrRefused, "exceeds 800 per transaction")
	c.signs(t, c.pay(t, "wdr_2", 0, 1500, "ada", "bea", "dov"))
	c.signs(t, c.pay(t, "wdr_3", 1, 700))
	c.restart(t)
	c.refuses(t, c.pay(t, "wdr_4", 2, 501), ErrRefused, "exceeds 1200 per hour")
	c.signs(t, c.pay(t, "wdr_4", 2, 500))
}

func TestAReplacementCountsOnce(t *testing.T) {
	c := newChamber(t)
	req := c.pay(t, "wdr_1", 0, 1000)
	c.signs(t, req)
	p := plainPayload(0, outsider(), 1000)
	p.FeeCap.Lsh(p.FeeCap, 1)
	raised := clone(req)
	raised.Attempt, raised.UnsignedTx = 2, p.bytes(t)
	c.signs(t, raised)
	// Asked anew, by another text: it is not counted beside itself either.
	p.FeeCap.Lsh(p.FeeCap, 1)
	again := ethWithdrawal(t, "wdr_1", 0, 1000)
	i := c.meaning(t, again)
	i.Reason = "asked again"
	again.Attempt, again.UnsignedTx = 3, p.bytes(t)
	c.signs(t, c.pay(t, "wdr_2", 1, 1000))
	c.signs(t, c.pay(t, "wdr_3", 2, 1000))
	c.signs(t, c.with(t, again, i))
	c.restart(t)
	c.refuses(t, c.pay(t, "wdr_4", 3, 1), ErrRefused, "it still takes")
}

func TestAnEntryIsThatOfTheAddressBook(t *testing.T) {
	e := addressbook.Entry{
		ID: "adr_1", Owner: addressbook.Customer("zoe"), Chain: evmName, Address: outsideEVM, Label: "zoe's <own> & only",
		State: addressbook.Cooling, ProposedAt: 7, ApprovedAt: 9, ActiveFrom: 69, Wait: 60, Alike: []string{coldSafe},
	}
	text, err := e.Text()
	require.NoError(t, err)
	document, err := e.Document()
	require.NoError(t, err)
	got, is, err := parseEntry(text)
	require.NoError(t, err)
	require.Equal(t, document, is)
	require.Equal(t, entry{
		ID: e.ID, Owner: e.Owner, Chain: e.Chain, Address: e.Address, Label: e.Label, ProposedAt: 7, Wait: 60, Alike: e.Alike,
	}, got)
	require.Equal(t, addressbook.House, owner("ada"))
	require.Equal(t, e.Owner, owner(e.Owner))
}

// Who owns the worker changes the order, the transaction and the text together, so that
// all of it fits, and hands over what people said to the request before it was changed.
// Each field is in what they signed. With their word on the new text it is good.
func TestApprovalsOfOneIntentAreWorthNothingForAnother(t *testing.T) {
	const thief = "0x52908400098527886E0F7030069857D2E4169EE7"
	other, err := parseEVMAddress(thief)
	require.NoError(t, err)
	for field, change := range map[string]func(req *signerv1.SignRequest, i *meant.Intent){
		"to": func(req *signerv1.SignRequest, i *meant.Intent) {
			req.Intent.To, i.To = thief, thief
			req.UnsignedTx = plainPayload(0, other, 2000).bytes(t)
		},
		"amount": func(req *signerv1.SignRequest, i *meant.Intent) {
			req.Intent.Amount, i.Amount = "2001", units(2001)
			req.UnsignedTx = plainPayload(0, outsider(), 2001).bytes(t)
		},
		"id":        func(req *signerv1.SignRequest, i *meant.Intent) { req.Intent.Id, i.ID = "wdr_2", "wdr_2" },
		"maxFee":    func(_ *signerv1.SignRequest, i *meant.Intent) { i.MaxFee = units(2e17) },
		"requester": func(_ *signerv1.SignRequest, i *meant.Intent) { i.Requester = "customer:yan" },
		"reason":    func(_ *signerv1.SignRequest, i *meant.Intent) { i.Reason = "gift" },
		"created":   func(_ *signerv1.SignRequest, i *meant.Intent) { i.Created, i.Expires = i.Created-1, i.Expires-1 },
		"expires":   func(_ *signerv1.SignRequest, i *meant.Intent) { i.Expires-- },
	} {
		t.Run(field, func(t *testing.T) {
			c := newChamber(t)
			said := c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov").Approvals
			req := ethWithdrawal(t, "wdr_1", 0, 2000)
			i := c.meaning(t, req)
			change(req, i)
			good := c.with(t, req, i, "ada", "bea", "dov")
			evil := clone(good)
			evil.Approvals = said
			c.refuses(t, evil, ErrRefused, "")
			c.signs(t, good)
		})
	}
}
