package signer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	signerv1 "strongroom/internal/gen/signer/v1"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// submits and rejects say what has to become of a decision.
func (c *chamber) submits(tb testing.TB, req *signerv1.SubmitRequest) bool {
	tb.Helper()
	out, err := c.Submit(req)
	require.NoError(tb, err)
	return out.GetKnown()
}

func (c *chamber) rejects(tb testing.TB, req *signerv1.SubmitRequest, why error, says string) {
	tb.Helper()
	entries := c.journal.head.seq
	_, err := c.Submit(req)
	require.ErrorIs(tb, err, why)
	require.ErrorContains(tb, err, says)
	require.Equal(tb, entries, c.journal.head.seq, "a refusal left a record")
}

// changed is the next version of the policy in force, from a time on.
func (c *chamber) changed(notBefore time.Time) *policy.Policy {
	p := *c.policy
	p.Version, p.NotBefore = p.Version+1, notBefore.Unix()
	return &p
}

func TestAPolicyIsInForceFromItsTimeOn(t *testing.T) {
	c := newChamber(t)
	next := c.changed(c.clock.at.Add(time.Hour))
	next.Layers = append(next.Layers[:0:0], next.Layers...)
	next.Layers[0].Rules = next.Layers[0].Rules[4:] // nothing small passes
	c.rejects(t, c.proposal(t, next, "dov", "ada"), ErrRefused, "it still takes 1 of treasury")
	c.rejects(t, c.proposal(t, next, "bea", "ada", "bea"), ErrRefused, "who asks does not count")
	proposal := c.proposal(t, next, "dov", "ada", "cem")
	require.False(t, c.submits(t, proposal))
	require.True(t, c.submits(t, proposal), "the same again")
	c.restart(t)
	require.Equal(t, uint64(1), c.council.version(c.clock.at))
	c.signs(t, c.pay(t, "wdr_1", 0, 500))
	other := *next
	other.NotBefore++
	c.rejects(t, c.proposal(t, &other, "dov", "ada", "bea"), ErrRefused, "2 is here already")

	c.clock.advance(time.Hour)
	c.refuses(t, c.pay(t, "wdr_2", 1, 500), ErrRefused, "asked by version 1, and 2 is in force")
	status, err := c.Status()
	require.NoError(t, err)
	require.Equal(t, uint64(2), status.GetTreasury().GetPolicyVersion())
	c.policy = next
	c.refuses(t, c.pay(t, "wdr_2", 1, 500), ErrRefused, "it still takes")
}

func TestAPolicyChangesByWhatPeopleAgreedToOnly(t *testing.T) {
	c := newChamber(t)
	next, foreign := c.changed(c.clock.at), c.changed(c.clock.at)
	foreign.Environment = "strongroom-dev"
	c.rejects(t, c.proposal(t, foreign, "dov", "ada", "bea"), ErrInvalid, "environment")
	good := c.proposal(t, next, "dov", "ada", "bea")
	next.NotBefore++
	swapped := c.proposal(t, next, "dov", "ada", "bea")
	swapped.IntentText, swapped.Approvals = good.IntentText, good.Approvals
	c.rejects(t, swapped, ErrInvalid, "not the policy that people were asked about")
	withdrawal, err := c.meaning(t, ethWithdrawal(t, "wdr_1", 0, 5)).Canonical()
	require.NoError(t, err)
	c.rejects(t, &signerv1.SubmitRequest{IntentText: withdrawal}, ErrInvalid, "nobody hands over a withdrawal")
	unknown := c.proposal(t, next, "dov", "ada", "bea")
	unknown.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
	c.rejects(t, unknown, ErrInvalid, "a field is unknown")

	require.NoError(t, c.Close())
	c.cfg.Treasury.PolicyDelay = 3600
	c.Signer = openSigner(t, c.cfg)
	c.rejects(t, good, ErrRefused, "notBefore")
	c.submits(t, c.proposal(t, c.changed(c.clock.at.Add(time.Hour)), "dov", "ada", "bea"))

	_, err = newSigner(t).Submit(good)
	require.ErrorIs(t, err, ErrRefused)
}

func TestAPolicyThatAsksNobodyCannotBeLeft(t *testing.T) {
	c := newChamber(t)
	lax := c.changed(c.clock.at)
	lax.Layers = []policy.Layer{{Name: "base", Rules: []policy.Rule{{Name: "all", Outcome: policy.Allow}}}}
	c.publish(t, lax, "ada", "bea")
	c.rejects(t, c.proposal(t, c.changed(c.clock.at), "dov"), ErrRefused, "lets no people decide")
}

func TestAnAllowedAddressCoolsDown(t *testing.T) {
	c := newChamber(t)
	e := entry{ID: "adr_1", Owner: zoe, Chain: evmName, Address: outsideEVM, Label: "zoe's own", ProposedAt: c.clock.at.Unix(), Wait: 3600}
	c.rejects(t, c.allowing(t, e, "ada"), ErrRefused, "it still takes 1 of treasury")
	allowing := c.allowing(t, e, "ada", "bea")
	require.False(t, c.submits(t, allowing))
	require.True(t, c.submits(t, allowing), "the same again")
	c.refuses(t, c.pay(t, "wdr_1", 0, 20_000), ErrRefused, "it still takes")
	c.clock.advance(time.Hour)
	c.restart(t)
	c.signs(t, c.pay(t, "wdr_1", 0, 20_000))

	yan := ethWithdrawal(t, "wdr_2", 1, 20_000)
	i := c.meaning(t, yan)
	i.Requester = "customer:yan"
	c.refuses(t, c.with(t, yan, i), ErrRefused, "it still takes") // it is zoe's
	again := e
	again.ID = "adr_2"
	c.rejects(t, c.allowing(t, again, "ada", "bea"), ErrRefused, "allowed already")

	known, err := c.Disallow(zoe, evmName, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
	require.NoError(t, err)
	require.False(t, known, "an address is one however it is written")
	c.refuses(t, c.pay(t, "wdr_2", 1, 20_000), ErrRefused, "it still takes")
	c.restart(t)
	require.True(t, c.submits(t, allowing), "it is known, and stays out")
	c.refuses(t, c.pay(t, "wdr_2", 1, 20_000), ErrRefused, "it still takes")
	again.ProposedAt++
	other := c.allowing(t, again, "ada", "bea")
	other.Document = allowing.Document
	c.rejects(t, other, ErrInvalid, "not the entry that people were asked about")
	other.Document = append([]byte{' '}, allowing.Document...)
	c.rejects(t, other, ErrInvalid, "not in the form that is hashed")
	c.submits(t, c.allowing(t, again, "ada", "bea"))
}

func TestARosterIsTheNewestThatOfficersSigned(t *testing.T) {
	c := newChamber(t)
	first := c.house.Sign(t)
	require.True(t, c.submits(t, &signerv1.SubmitRequest{Document: first}))
	c.rejects(t, &signerv1.SubmitRequest{Document: first, Approvals: []*signerv1.Approval{{}}}, ErrInvalid, "without approvals")
	c.house.Roster.Persons = c.house.Roster.Persons[1:] // ada goes
	c.rejects(t, &signerv1.SubmitRequest{Document: c.house.Sign(t)}, ErrRefused, "another text of roster 1")
	c.house.Roster.Version = 2
	few := c.house.Roster.Officers.K
	c.house.Roster.Officers.K = 1
	c.rejects(t, &signerv1.SubmitRequest{Document: c.house.Sign(t)}, ErrRefused, "officers")
	c.house.Roster.Officers.K = few
	require.False(t, c.submits(t, &signerv1.SubmitRequest{Document: c.house.Sign(t)}))
	c.rejects(t, &signerv1.SubmitRequest{Document: first}, ErrRefused, "take the newest")
	c.refuses(t, c.pay(t, "wdr_1", 0, 2000, "ada", "bea", "dov"), ErrRefused, "ada")
	c.restart(t)
	c.rejects(t, &signerv1.SubmitRequest{Document: first}, ErrRefused, "take the newest")
	c.signs(t, c.pay(t, "wdr_1", 0, 2000, "bea", "cem", "dov"))
	c.clock.advance(100 * 24 * time.Hour)
	c.refuses(t, c.pay(t, "wdr_2", 1, 2000, "bea", "cem", "dov"), ErrRefused, "roster: it has expired")
}

func TestOneOfficerStopsAndTwoLetItGoOn(t *testing.T) {
	c := newChamber(t)
	req := c.pay(t, "wdr_1", 0, 500)
	require.ErrorIs(t, c.Freeze(c.freeze(t, "dov", "I am no officer")), ErrRefused)
	require.ErrorIs(t, c.Freeze([]byte("{}")), ErrInvalid)
	stop := c.freeze(t, "cem", "a strange payment")
	require.NoError(t, c.Freeze(stop))
	require.NoError(t, c.Freeze(stop), "the same again")
	for range 2 {
		c.refuses(t, req, ErrFrozen, "by cem")
		c.refuses(t, tokenCollect(t, c.Signer, "col_1", 0, 5), ErrFrozen, "by cem")
		c.restart(t)
	}
	status, err := c.Status()
	require.NoError(t, err)
	require.True(t, status.GetFrozen())
	document := status.GetTreasury().GetFrozen().GetDocument()
	lift := func(requester string, people ...string) *signerv1.SubmitRequest {
		return c.submission(t, c.deciding(meant.Unfreeze, "unfreeze-1", document, requester), nil, people...)
	}
	c.rejects(t, lift("dov", "ada"), ErrRefused, "it still takes 1 of officers")
	c.rejects(t, lift("ada", "ada", "bea"), ErrRefused, "who asks does not count")
	early := lift("dov", "ada", "bea")
	c.clock.advance(time.Minute)
	require.NoError(t, c.Freeze(c.freeze(t, "ada", "another one")))
	c.rejects(t, early, ErrRefused, "not the newest freeze")
	status, err = c.Status()
	require.NoError(t, err)
	document = status.GetTreasury().GetFrozen().GetDocument()
	c.submits(t, lift("dov", "bea", "cem"))
	require.ErrorContains(t, c.Freeze(stop), "was lifted")
	c.restart(t)
	c.signs(t, req)
	require.True(t, c.submits(t, lift("dov", "bea", "cem")), "nothing stands")
	require.NoError(t, c.Freeze(c.freeze(t, "ada", "once more")))
	c.rejects(t, lift("dov", "bea", "cem"), ErrRefused, "not the newest freeze")
}

func TestAFolderThatVerifiedConsentNeverForgetsIt(t *testing.T) {
	c := newChamber(t)
	require.NoError(t, c.Close())
	without := c.cfg
	without.Treasury = nil
	_, err := New(without)
	require.ErrorIs(t, err, ErrPolicy)
	foreign := *c.cfg.Treasury
	foreign.Environment = "strongroom-dev"
	without.Treasury = &foreign
	_, err = New(without)
	require.ErrorIs(t, err, ErrJournal)

	folder := filepath.Join(c.cfg.Dir, StateFolder, documentFolder)
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, f := range files {
		name := filepath.Join(folder, f.Name())
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, append(text, ' '), 0o600))
		_, err = New(c.cfg)
		require.ErrorIs(t, err, ErrJournal, "a document was changed")
		require.NoError(t, os.Remove(name))
		_, err = New(c.cfg)
		require.ErrorIs(t, err, ErrJournal, "a document is gone")
		require.NoError(t, os.WriteFile(name, text, 0o600))
	}
	c.Signer = openSigner(t, c.cfg)
}

func TestWindowsAreCountedRightAfterARestart(t *testing.T) {
	c := newChamber(t)
	for n := range uint64(3) {
		c.signs(t, c.pay(t, "wdr_"+string('a'+rune(n)), n, 1000))
		c.clock.advance(time.Hour)
	}
	c.refuses(t, c.pay(t, "wdr_x", 3, 1), ErrRefused, "it still takes")
	c.restart(t)
	c.refuses(t, c.pay(t, "wdr_x", 3, 1), ErrRefused, "it still takes")
	next := c.changed(c.clock.at)
	c.publish(t, next, "ada", "bea")
	c.refuses(t, c.pay(t, "wdr_x", 3, 1), ErrRefused, "it still takes") // another version counts the same
	c.signs(t, c.pay(t, "wdr_y", 3, 1000, "ada", "bea", "dov"))
	c.clock.advance(21*time.Hour - time.Second)
	c.refuses(t, c.pay(t, "wdr_x", 4, 1), ErrRefused, "it still takes")
	c.restart(t)
	c.clock.advance(time.Second)
	c.refuses(t, c.pay(t, "wdr_x", 4, 1001), ErrRefused, "it still takes")
	c.clock.advance(-90 * 24 * time.Hour) // a clock set back opens nothing
	late := c.pay(t, "wdr_x", 4, 1)
	_, err := c.Sign(late)
	require.Error(t, err)
}

func TestTreasuriesThatContradictThemselves(t *testing.T) {
	c := bareChamber(t)
	require.NoError(t, c.Close())
	for says, change := range map[string]func(*Treasury){
		"environment":            func(x *Treasury) { x.Environment = "" },
		"officers":               func(x *Treasury) { x.Officers.K = 0 },
		"on no chain":            func(x *Treasury) { x.Vaults = []VaultAddress{{Chain: "doge", Address: coldSafe}} },
		"vaults: transaction is": func(x *Treasury) { x.Vaults = []VaultAddress{{Chain: evmName, Address: "0x12"}} },
		"no Safe contracts": func(x *Treasury) {
			x.Vaults = []VaultAddress{{Chain: btcName, Address: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Safe: true}}
		},
		"policyDelay: -1":         func(x *Treasury) { x.PolicyDelay = -1 },
		"there are 1025, at most": func(x *Treasury) { x.Vaults = make([]VaultAddress, 1025) },
	} {
		cfg, treasury := c.cfg, *c.cfg.Treasury
		change(&treasury)
		cfg.Treasury = &treasury
		_, err := New(cfg)
		require.ErrorIs(t, err, ErrPolicy, says)
		require.ErrorContains(t, err, says)
	}
	for _, text := range []string{"", "{", `{"environment":"a","x":1}`, `{} {}`, `{"environment":"a"}`} {
		_, err := ParseTreasury([]byte(text))
		require.ErrorIs(t, err, ErrPolicy, text)
	}
}
