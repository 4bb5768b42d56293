package signer

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
)

// paid is one request of each kind that people agreed to, or that passes without them.
func (c *chamber) paid(tb testing.TB) map[string]*signerv1.SignRequest {
	tb.Helper()
	all := everyKind(tb, c.Signer)
	for name, req := range all {
		if req.GetIntent().GetKind() == signerv1.IntentKind_INTENT_KIND_WITHDRAWAL {
			if name == "eth withdrawal" {
				req = ethWithdrawal(tb, "wdr_a1", 0, 2000)
			}
			all[name] = c.with(tb, req, c.meaning(tb, req), "ada", "bea", "dov")
		}
	}
	all["small withdrawal"] = c.pay(tb, "wdr_b1", 11, 400)
	all["vouched withdrawal"] = c.pay(tb, "wdr_b2", 12, 400, "cem")
	sweep := ethWithdrawal(tb, "swp_b3", 13, 300_000)
	sweep.Intent.Kind, sweep.Intent.To = signerv1.IntentKind_INTENT_KIND_SWEEP, coldSafe
	to, err := parseEVMAddress(coldSafe)
	require.NoError(tb, err)
	sweep.UnsignedTx = plainPayload(13, to, 300_000).bytes(tb)
	all["sweep"] = c.with(tb, sweep, c.meaning(tb, sweep), "bea", "cem")
	all["refill"] = c.refill(tb, "rfl_b4", 14, 600_000, "ada", "cem")
	all["token refill"] = c.tokenRefill(tb, "rfl_b5", 15, 600_000, "ada", "bea")
	return all
}

// Whoever owns the worker has every request that was signed and every approval in it. None
// of 8,000 changed requests is signed, and none reaches the journal.
func TestNoMutantOfASignedRequestIsSigned(t *testing.T) {
	c := newChamber(t)
	all := c.paid(t)
	for _, name := range sortedNames(all) {
		c.signs(t, all[name])
	}
	r := rand.New(rand.NewPCG(3, 4))
	evil := c.evilMutators(t, all, true)
	c.mutate(t, r, 8_000, all, func(r *rand.Rand, base, mutant *signerv1.SignRequest) {
		choices := evil
		if r.IntN(4) == 0 {
			family := evmMutators(t)
			if base.GetIntent().GetChain() == btcName {
				family = psbtMutators(t, c.Signer)
			}
			choices = slices.Concat(intentMutators(c.Signer), pathMutators(), byteMutators(), family)
		}
		choices[r.IntN(len(choices))](r, mutant)
	})
}

// The same before anything was signed: the worker has people's consent, and uses it for
// something else. Here nonce, coins and fee are left as they are: people did not agree to
// them, but to what is paid to whom and what it may cost at most.
func TestConsentIsWorthNothingForAnythingElse(t *testing.T) {
	c := newChamber(t)
	all := c.paid(t)
	for name, req := range all {
		if len(req.GetApprovals()) < 2 {
			delete(all, name)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	choices := slices.Concat(c.evilMutators(t, all, false), intentMutators(c.Signer))
	c.mutate(t, r, 8_000, all, func(r *rand.Rand, _, mutant *signerv1.SignRequest) {
		choices[r.IntN(len(choices))](r, mutant)
	})
	for _, name := range sortedNames(all) {
		c.signs(t, all[name]) // and it was good all the time
	}
}

// mutate has n mutants judged, of each request in turn.
func (c *chamber) mutate(t *testing.T, r *rand.Rand, n int, all map[string]*signerv1.SignRequest,
	change func(r *rand.Rand, base, mutant *signerv1.SignRequest),
) {
	t.Helper()
	if testing.Short() {
		n /= 10
	}
	names, entries := sortedNames(all), c.journal.head.seq
	for i := range n {
		base := all[names[i%len(names)]]
		mutant := clone(base)
		for proto.Equal(mutant, base) {
			for range 1 + r.IntN(2) {
				change(r, base, mutant)
			}
		}
		if out, err := c.Sign(mutant); err == nil {
			t.Fatalf("mutant %d of %s was signed as %s:\n%v\nof\n%v", i, names[i%len(names)], out.GetTxid(), mutant, base)
		}
	}
	require.Equal(t, entries, c.journal.head.seq, "mutants left records")
	t.Logf("%d mutants of %d requests: none signed", n, len(names))
}

func sortedNames(all map[string]*signerv1.SignRequest) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// evilMutators change what people agreed to, who they are and what they said. Where
// requests were signed before, attempts are changed too.
func (c *chamber) evilMutators(t *testing.T, all map[string]*signerv1.SignRequest, signed bool) []mutator {
	t.Helper()
	out := slices.Concat(c.textMutators(t), approvalMutators(), c.borrowedMutators(t, all), []mutator{
		func(r *rand.Rand, q *signerv1.SignRequest) { q.PolicyVersion = pick(r, "0", "2", "01", "-1", "one") },
		func(_ *rand.Rand, q *signerv1.SignRequest) { q.IntentText = nil },
		func(r *rand.Rand, q *signerv1.SignRequest) { // more may be paid than people agreed to
			if len(q.IntentText) > 0 {
				q.MaxFee = pick(r, "10000000000000001", "50000000000000000000")
			} else { // the chain's ceiling alone bounds what stays with our keys
				q.PolicyVersion = "1"
			}
		},
	})
	if signed {
		out = append(out, func(r *rand.Rand, q *signerv1.SignRequest) {
			// In Sign's own words an attempt of what needs nobody is only a number.
			if len(q.IntentText) > 0 {
				q.Attempt = pick[uint32](r, 0, 2, 7, 1<<31)
			} else {
				q.Approvals = []*signerv1.Approval{{Approver: "ada"}}
			}
		})
	}
	return out
}

// textMutators change each field of the intent, in canonical form and out of it.
func (c *chamber) textMutators(t *testing.T) []mutator {
	t.Helper()
	field := func(f func(r *rand.Rand, i *meant.Intent)) mutator {
		return func(r *rand.Rand, q *signerv1.SignRequest) {
			i, err := meant.Parse(q.IntentText)
			if err != nil {
				q.IntentText = append(q.IntentText, byte(r.IntN(256)))
				return
			}
			f(r, &i)
			text, err := json.Marshal(i)
			require.NoError(t, err)
			q.IntentText = text
		}
	}
	return []mutator{
		field(func(r *rand.Rand, i *meant.Intent) { i.Environment = pick(r, "", "strongroom", "strongroom-tesT") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.ID = pick(r, "", "wdr_zz", i.ID+"0") }),
		field(func(r *rand.Rand, i *meant.Intent) {
			i.Action = pick(r, meant.Refill, meant.ColdSpend, meant.Policy, meant.Allow, meant.Unfreeze, meant.KeyDrill, "")
		}),
		field(func(r *rand.Rand, i *meant.Intent) { i.Chain = pick(r, "", "ethereum-main") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Genesis = pick(r, "", "1", "31338", "0"+i.Genesis) }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Asset = pick(r, "", "USDC", "DOGE") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Contract = pick(r, outsideEVM, coldSafe) }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Vault = pick(r, "cold-eth", "hot") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.To = pick(r, "", tokenHex, i.To+"0") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Amount = units(r.Uint64N(400)) }),
		field(func(r *rand.Rand, i *meant.Intent) { i.MaxFee = pick(r, units(0), units(1), units(2e18)) }),
		field(func(_ *rand.Rand, i *meant.Intent) { i.Document = "00" }),
		field(func(r *rand.Rand, i *meant.Intent) {
			i.Requester = pick(r, "", "customer:yan", "signer:collect", "eve")
		}),
		field(func(r *rand.Rand, i *meant.Intent) { i.Policy = pick[uint64](r, 0, 2, 1<<40) }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Reason += pick(r, " and more", "\u200b") }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Created += pick[int64](r, -3600, -1, 1, 3600) }),
		field(func(r *rand.Rand, i *meant.Intent) { i.Expires += pick[int64](r, -90_000, -1, 1, 90_000) }),
		func(r *rand.Rand, q *signerv1.SignRequest) {
			if n := len(q.IntentText); n > 0 {
				q.IntentText[r.IntN(n)] ^= byte(1 << r.IntN(8))
			}
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.IntentText = append(q.IntentText, pick(r, byte(' '), '\n', '}', 0))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.IntentText = bytes.Replace(q.IntentText, []byte(`"id":`), []byte(pick(r, `"ID":`, `"id":"wdr_1","id":`, `"id": `)), 1)
		},
	}
}

// approvalMutators change one approval, how many there are and how they are sorted.
func approvalMutators() []mutator {
	one := func(f func(r *rand.Rand, a *signerv1.Approval)) mutator {
		return func(r *rand.Rand, q *signerv1.SignRequest) {
			if n := len(q.Approvals); n > 0 {
				f(r, q.Approvals[r.IntN(n)])
				return
			}
			q.Approvals = []*signerv1.Approval{{Approver: pick(r, "ada", "eve", "")}}
		}
	}
	flip := func(r *rand.Rand, b []byte) {
		if len(b) > 0 {
			b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
		}
	}
	return []mutator{
		one(func(r *rand.Rand, a *signerv1.Approval) {
			a.Approver = pick(r, "", "ADA", "bea ", "zoe", "customer:zoe", "eve")
		}),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.Key = pick(r, "", "eve-api", a.Key+"x") }),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.Scheme = pick(r, "", "none", "WebAuthn", "rsa") }),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.Verdict = pick(r, "", "deny", "Approve", "yes") }),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.Reason = pick(r, "because", a.Reason+" ") }),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.At += pick[int64](r, -1<<40, -3600, -1, 1, 3600, 1<<40) }),
		one(func(r *rand.Rand, a *signerv1.Approval) { flip(r, a.Payload); a.Signature = append(a.Signature, 0) }),
		one(func(r *rand.Rand, a *signerv1.Approval) { flip(r, a.Signature); a.Payload = append(a.Payload, ' ') }),
		one(func(r *rand.Rand, a *signerv1.Approval) { a.Signature = a.Signature[:r.IntN(1+len(a.Signature)/2)] }),
		one(func(r *rand.Rand, a *signerv1.Approval) {
			a.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, byte(r.IntN(128))})
		}),
		func(r *rand.Rand, q *signerv1.SignRequest) {
			if n := len(q.Approvals); n > 0 {
				at := r.IntN(n)
				q.Approvals = slices.Delete(q.Approvals, at, at+1)
			}
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			if n := len(q.Approvals); n > 0 {
				at := r.IntN(n)
				q.Approvals = slices.Insert(q.Approvals, at, q.Approvals[at])
			}
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			r.Shuffle(len(q.Approvals), func(a, b int) { q.Approvals[a], q.Approvals[b] = q.Approvals[b], q.Approvals[a] })
		},
		func(_ *rand.Rand, q *signerv1.SignRequest) { q.Approvals = nil },
	}
}

// borrowedMutators take texts and approvals from other requests, other intents of the same
// people, and other installations.
func (c *chamber) borrowedMutators(t *testing.T, all map[string]*signerv1.SignRequest) []mutator {
	t.Helper()
	names := sortedNames(all)
	foreign := c.meaning(t, ethWithdrawal(t, "wdr_a1", 0, 2000))
	foreign.Environment = "strongroom-dev"
	elsewhere := &signerv1.SignRequest{Approvals: c.approvals(t, foreign, "ada", "bea", "dov")}
	var plain []consent.Approval // zoe's own word, and that of people who are not asked
	for _, person := range []string{"eve", "ada"} {
		plain = append(plain, c.house.Keys[person][len(c.house.Keys[person])-1].Approve(t, person, foreign, c.clock.at.Unix()))
	}
	return []mutator{
		func(r *rand.Rand, q *signerv1.SignRequest) { q.Approvals = clone(all[pick(r, names...)]).Approvals },
		func(r *rand.Rand, q *signerv1.SignRequest) { q.IntentText = clone(all[pick(r, names...)]).IntentText },
		func(r *rand.Rand, q *signerv1.SignRequest) {
			other := clone(all[pick(r, names...)])
			q.IntentText, q.Approvals, q.PolicyVersion = other.IntentText, other.Approvals, other.PolicyVersion
		},
		func(_ *rand.Rand, q *signerv1.SignRequest) { q.Approvals = clone(elsewhere).Approvals },
		func(_ *rand.Rand, q *signerv1.SignRequest) { q.Approvals = wireConsent(plain...) },
	}
}

// An older journal, by however many records, and any changed byte of it: the signer does
// not start, or it starts with all that it ever signed.
func TestNoOlderOrChangedJournalIsBelieved(t *testing.T) {
	c := newChamber(t)
	for _, req := range c.paid(t) {
		c.signs(t, req)
	}
	head := c.journal.head
	require.NoError(t, c.Close())
	file := filepath.Join(c.cfg.Dir, StateFolder, journalFile)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	fingerprint := fingerprintOf(t, c.cfg)
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	var variants [][]byte
	for n := 1; n < len(lines)-1; n++ {
		variants = append(variants, bytes.Join(lines[:n], nil)) // rolled back
		variants = append(variants, slices.Concat(bytes.Join(lines[:n-1], nil), bytes.Join(lines[n:], nil)))
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 400 {
		mutant := slices.Clone(whole)
		mutant[r.IntN(len(mutant))] ^= byte(1 << r.IntN(8))
		variants = append(variants, mutant)
	}
	for n, variant := range variants {
		require.NoError(t, os.WriteFile(file, variant, 0o600))
		j, err := openJournal(filepath.Join(c.cfg.Dir, StateFolder), c.cfg.Checkpoint, fingerprint, func(record) {})
		if err == nil {
			require.Equal(t, head, j.head, "variant %d", n)
			require.NoError(t, j.close())
			continue
		}
		require.ErrorIs(t, err, ErrJournal)
	}
	t.Logf("%d journals: none believed", len(variants))
}

// Each subset of the house signs in each order of keys: the request passes where two of
// treasury and one of risk are among them, nobody else is, and none of them asked for it.
func TestTheWholeQuorumMatrix(t *testing.T) {
	c := newChamber(t)
	people := []string{"ada", "bea", "cem", "dov", "eve"}
	requesters := append([]string{zoe, "system:mover", "zed"}, people...)
	cases, passed := 0, 0
	for _, requester := range requesters {
		for subset := range 1 << len(people) {
			var who []string
			for n, person := range people {
				if subset>>n&1 == 1 {
					who = append(who, person)
				}
			}
			req := ethWithdrawal(t, "wdr_"+strconv.Itoa(cases), uint64(passed), 10_000)
			i := c.meaning(t, req)
			i.Requester = requester
			_, err := c.Sign(c.with(t, req, i, who...))
			treasurers := 0
			for _, person := range who {
				if slices.Contains(people[:3], person) {
					treasurers++
				}
			}
			good := treasurers >= 2 && slices.Contains(who, "dov") && !slices.Contains(who, "eve") && !slices.Contains(who, requester)
			require.Equal(t, good, err == nil, "%s asks, %v sign: %v", requester, who, err)
			if cases++; good {
				passed++
			}
		}
	}
	t.Logf("%d cases, %d with enough people passed", cases, passed)
	c.matrixOfDoubles(t)
	c.matrixOfStale(t)
}

// matrixOfDoubles lets one person sign with two keys, beside each other or not.
func (c *chamber) matrixOfDoubles(t *testing.T) {
	t.Helper()
	req := c.pay(t, "wdr_double", 900, 10_000, "ada", "dov")
	i, err := meant.Parse(req.GetIntentText())
	require.NoError(t, err)
	second := c.house.Keys["ada"][1].Approve(t, "ada", &i, c.clock.at.Unix())
	again := wireConsent(second)[0]
	ada, dov := req.Approvals[0], req.Approvals[1]
	for _, approvals := range [][]*signerv1.Approval{
		{ada, again, dov}, {again, ada, dov}, {ada, ada, dov}, {ada, dov, again}, {ada, dov, ada}, {ada, dov, dov}, {again, dov}, {ada, dov},
	} {
		req.Approvals = approvals
		_, err := c.Sign(req)
		require.Error(t, err)
	}
}

// matrixOfStale lets enough people sign by a roster, a policy or a time that has passed.
func (c *chamber) matrixOfStale(t *testing.T) {
	t.Helper()
	req := c.pay(t, "wdr_stale", 900, 10_000, "ada", "bea", "dov")
	c.house.Roster.Version++
	kept := c.house.Roster.Persons
	c.house.Roster.Persons = slices.DeleteFunc(slices.Clone(kept), func(p consent.Person) bool { return p.ID == "bea" })
	c.submits(t, &signerv1.SubmitRequest{Document: c.house.Sign(t)})
	c.refuses(t, req, ErrRefused, "bea")
	c.house.Roster.Version++
	c.house.Roster.Persons = kept
	c.submits(t, &signerv1.SubmitRequest{Document: c.house.Sign(t)})
	next := c.changed(c.clock.at)
	c.publish(t, next, "ada", "bea")
	c.refuses(t, req, ErrRefused, "asked by version 1")
	req = c.pay(t, "wdr_stale", 900, 10_000, "ada", "bea", "dov")
	c.clock.advance(24 * time.Hour)
	c.refuses(t, req, ErrRefused, "expires")
	req = c.pay(t, "wdr_stale", 900, 10_000, "ada", "bea", "dov")
	c.signs(t, req)
	c.clock.advance(90 * 24 * time.Hour)
	c.refuses(t, c.pay(t, "wdr_late", 901, 10_000, "ada", "bea", "dov"), ErrRefused, "roster: it has expired")
}
