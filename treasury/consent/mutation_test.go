package consent_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

const mutations = 12_000

// TestNoMutationVerifies changes one field of a good approval at a time, by chance: none
// verifies, and none makes the quorum of two.
func TestNoMutationVerifies(t *testing.T) {
	h, i := open(t), payment()
	h.Add("gil", true, []string{"treasury"}, consenttest.Passkey(t, "gil-stick", consenttest.Site, consenttest.Origin, consenttest.ES256))
	const seed = 20260417
	dice := rand.New(rand.NewPCG(seed, seed))
	persons := []string{"ada", "bea", "cem", "dov", "eve", "gil", "nobody", ""}
	keys := []string{"ada-phone", "ada-api", "bea-stick", "cem-ledger", "dov-api", "gil-stick", "none", ""}
	var good []consent.Approval
	for _, person := range []string{"ada", "bea", "cem", "dov", "eve", "gil"} {
		for _, k := range h.Keys[person] {
			good = append(good, k.Approve(t, person, i, now.Unix()), k.Deny(t, person, i, now.Unix(), "not known to me"))
		}
	}
	fields := map[string]func(a *consent.Approval){
		"person": func(a *consent.Approval) { a.Person = persons[dice.IntN(len(persons))] },
		"key":    func(a *consent.Approval) { a.Key = keys[dice.IntN(len(keys))] },
		"scheme": func(a *consent.Approval) {
			a.Scheme = []consent.Scheme{"webauthn", "ed25519", "eip712", ""}[dice.IntN(4)]
		},
		"verdict": func(a *consent.Approval) {
			a.Verdict = []consent.Verdict{"approve", "deny", "Approve", ""}[dice.IntN(4)]
		},
		"reason": func(a *consent.Approval) {
			a.Reason = []string{"", "x", "not known to me.", "not known to m", a.Reason + " "}[dice.IntN(5)]
		},
		"at":        func(a *consent.Approval) { a.At += int64(dice.IntN(240)) - 120 },
		"payload":   func(a *consent.Approval) { a.Payload = spoil(dice, a.Payload) },
		"signature": func(a *consent.Approval) { a.Signature = spoil(dice, a.Signature) },
		"swap":      func(a *consent.Approval) { a.Signature = good[dice.IntN(len(good))].Signature },
		"graft": func(a *consent.Approval) {
			o := good[dice.IntN(len(good))]
			a.Payload, a.Signature = o.Payload, o.Signature
		},
	}
	names := []string{"person", "key", "scheme", "verdict", "reason", "at", "payload", "signature", "swap", "graft"}
	tried := map[string]int{}
	for total := 0; total < mutations; {
		original := good[dice.IntN(len(good))]
		a, name := original, names[dice.IntN(len(names))]
		if fields[name](&a); same(a, original) {
			continue
		}
		total++
		tried[name]++
		if _, err := h.Roster.Verify(i, &a); err == nil {
			t.Fatalf("another %s verifies: %+v was %+v", name, a, original)
		}
		if total%8 == 0 { // and the judge counts nobody for it
			j := judge(t, caseOf(t, h, i, consent.Requirement{Any: []consent.Requirement{of("treasury", 1), of("risk", 1), of("support", 1)}}, a))
			require.Equal(t, consent.Missing, j.Outcome)
			require.Len(t, j.Refused, 1)
		}
	}
	for _, name := range names {
		assert.Greater(t, tried[name], 500, name)
	}
	t.Logf("seed %d: %d mutations, none verifies: %v", seed, mutations, tried)
}

func same(a, b consent.Approval) bool {
	return a.Digest() == b.Digest() && bytes.Equal(a.Signature, b.Signature)
}

// spoil flips a bit, takes a byte away, puts one in or ends early.
func spoil(dice *rand.Rand, raw []byte) []byte {
	if len(raw) == 0 {
		return []byte{byte(dice.IntN(256))}
	}
	raw, at := bytes.Clone(raw), dice.IntN(len(raw))
	switch dice.IntN(5) {
	case 0:
		return append(raw[:at], raw[at+1:]...)
	case 1:
		return append(raw[:at], append([]byte{byte(dice.IntN(256))}, raw[at:]...)...)
	case 2:
		return raw[:at]
	}
	raw[at] ^= 1 << dice.IntN(8)
	return raw
}
