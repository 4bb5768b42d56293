package consent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

// TestPasskeysAreHeldToTheLetter: each thing that a relying party has to look at, by itself.
func TestPasskeysAreHeldToTheLetter(t *testing.T) {
	for _, algorithm := range []consenttest.Algorithm{consenttest.ES256, consenttest.EdDSA, consenttest.RS256} {
		h, i := consenttest.Open(t, environment, 1, 1, created), payment()
		k := consenttest.Passkey(t, "ada-phone", consenttest.Site, consenttest.Origin, algorithm)
		h.Add("ada", true, []string{"treasury"}, k)
		good := *k
		set := func(name string, value any) func() {
			return func() { k.Client = func(m map[string]any) { m[name] = value } }
		}
		for name, test := range map[string]struct {
			change func()
			says   string
		}{
			"good":                       {func() {}, ""},
			"a member nobody knows":      {set("other_keys_can_be_added_here", map[string]any{"a": []int{1}}), ""},
			"no crossOrigin":             {func() { k.Client = func(m map[string]any) { delete(m, "crossOrigin") } }, ""},
			"extension":                  {func() { k.Flags |= 0x80; k.Trailing = []byte{0xa1, 0x63, 'u', 'v', 'm', 0x81, 0x83, 2, 4, 2} }, ""},
			"type":                       {set("type", "webauthn.create"), "type"},
			"no type":                    {set("type", nil), "type"},
			"challenge":                  {set("challenge", base64.RawURLEncoding.EncodeToString(make([]byte, 32))), "challenge"},
			"challenge as a number":      {set("challenge", 5), "challenge"},
			"origin":                     {set("origin", "https://localhost.evil.example"), "origin"},
			"origin in another case":     {set("origin", strings.ToUpper(consenttest.Origin)), "origin"},
			"origin with a path":         {set("origin", consenttest.Origin+"/"), "origin"},
			"inside another page":        {set("crossOrigin", true), "crossOrigin"},
			"crossOrigin as text":        {set("crossOrigin", "false"), "crossOrigin"},
			"crossOrigin null":           {set("crossOrigin", nil), "crossOrigin"},
			"topOrigin":                  {set("topOrigin", consenttest.Origin), "crossOrigin"},
			"another site":               {func() { k.RPID = "evil.example" }, "another site"},
			"nobody present":             {func() { k.Flags = 0x04 }, "present"},
			"user not verified":          {func() { k.Flags = 0x01 }, "not verified"},
			"synced of a sudden":         {func() { k.Flags = 0x0d }, "copies"},
			"backed up, not eligible":    {func() { k.Flags = 0x15 }, "copies"},
			"a new key":                  {func() { k.Flags = 0x45 }, "length"},
			"bytes that no flag says":    {func() { k.Trailing = []byte{0xa0} }, "length"},
			"a flag without bytes":       {func() { k.Flags = 0x85 }, "length"},
			"extensions that are no map": {func() { k.Flags = 0x85; k.Trailing = []byte{0x80} }, "length"},
			"bytes after extensions":     {func() { k.Flags = 0x85; k.Trailing = []byte{0xa0, 0} }, "length"},
			"extensions cut off":         {func() { k.Flags = 0x85; k.Trailing = []byte{0xa1, 0x63, 'u'} }, "length"},
			"extensions without end":     {func() { k.Flags = 0x85; k.Trailing = []byte{0xbf, 0xff} }, "length"},
			"extensions too deep":        {func() { k.Flags = 0x85; k.Trailing = append(bytes.Repeat([]byte{0xa1, 0}, 9), 0) }, "length"},
			"extensions of a huge size":  {func() { k.Flags = 0x85; k.Trailing = []byte{0xbb, 255, 255, 255, 255, 255, 255, 255, 255} }, "length"},
		} {
			*k = good
			test.change()
			a := k.Approve(t, "ada", i, now.Unix())
			_, err := h.Roster.Verify(i, &a)
			if test.says == "" {
				require.NoError(t, err, "%s: %s", algorithm, name)
				continue
			}
			require.ErrorIs(t, err, consent.ErrApproval, "%s: %s", algorithm, name)
			assert.ErrorContains(t, err, test.says, "%s: %s", algorithm, name)
		}
	}
}

// TestClientDataIsOneObject: what parsers read in two ways is refused even where it is signed.
func TestClientDataIsOneObject(t *testing.T) {
	h, i := open(t), payment()
	k := h.Keys["ada"][0]
	good := k.Approve(t, "ada", i, now.Unix())
	a, err := consent.ParseAssertion(good.Payload)
	require.NoError(t, err)
	client := string(a.ClientDataJSON)
	for name, text := range map[string]string{
		"doubled":       strings.Replace(client, `{`, `{"type":"webauthn.create",`, 1),
		"escaped twin":  strings.Replace(client, `{`, `{"\u0074ype":"webauthn.create",`, 1),
		"another case":  strings.Replace(client, `"type"`, `"Type"`, 1),
		"an array":      "[" + client + "]",
		"what follows":  client + "{}",
		"no end":        client[:len(client)-1],
		"not UTF-8":     strings.Replace(client, `{`, "{\"x\":\"\xff\",", 1),
		"a mark before": "\ufeff" + client,
		"nothing":       "", "null": "null",
	} {
		other := good
		changed := consent.Assertion{AuthenticatorData: a.AuthenticatorData, ClientDataJSON: []byte(text)}
		other.Payload, other.Signature = changed.Payload(), k.SignAssertion(t, changed)
		_, err := h.Roster.Verify(i, &other)
		require.ErrorIs(t, err, consent.ErrApproval, name)
		require.ErrorContains(t, err, "clientDataJSON", name)
	}
	for name, payload := range map[string]string{
		"padding":    strings.Replace(string(good.Payload), `","client`, `=","client`, 1),
		"line break": strings.Replace(string(good.Payload), `","client`, `\n","client`, 1),
		"member":     strings.Replace(string(good.Payload), `{`, `{"x":1,`, 1), "space": " " + string(good.Payload), "empty": "{}", "short": `{"authenticatorData":"AA","clientDataJSON":"e30"}`,
	} {
		other := good
		other.Payload = []byte(payload)
		_, err := h.Roster.Verify(i, &other)
		require.ErrorIs(t, err, consent.ErrApproval, name)
	}
}

func TestACopiedPasskeyIsFound(t *testing.T) {
	h, i := open(t), payment()
	k, other := h.Keys["ada"][0], payment()
	other.ID = "wdr_2"
	for _, rising := range []bool{true, false} {
		counts := &consent.Counts{Rising: rising}
		say := func(about *consent.Case) consent.Judgement {
			about.Counters = counts
			j := judge(t, about)
			counts.Note(j.Counts...)
			return j
		}
		one := consent.Requirement{Group: "treasury", Count: 1}
		k.Count = 10
		eleven, twelve := k.Approve(t, "ada", i, now.Unix()), k.Approve(t, "ada", other, now.Unix())
		assert.Equal(t, consent.Met, say(caseOf(t, h, other, one, twelve)).Outcome)
		assert.Equal(t, consent.Met, say(caseOf(t, h, other, one, twelve)).Outcome, "the same approval again")
		late := say(caseOf(t, h, i, one, eleven))
		assert.Equal(t, rising, late.Outcome == consent.Missing, "in another order than signed")

		k.Count = 11 // the copy counts from where it was taken
		copied := say(caseOf(t, h, i, one, k.Approve(t, "ada", i, now.Unix()+1)))
		require.Len(t, copied.Refused, 1)
		require.ErrorIs(t, copied.Refused[0].Err, consent.ErrCloned)
		k.Count = ^uint32(0)
		stopped := say(caseOf(t, h, i, one, k.Approve(t, "ada", i, now.Unix()+2)))
		require.ErrorIs(t, stopped.Refused[0].Err, consent.ErrCloned, "it counted before, and now it does not")
	}
	k.Count = 20
	first := k.Approve(t, "ada", i, now.Unix())
	k.Count = 20
	j := judge(t, caseOf(t, h, i, two(), first, k.Deny(t, "ada", i, now.Unix(), "no")))
	require.ErrorIs(t, j.Refused[0].Err, consent.ErrCloned, "two in one case")

	counts := new(consent.Counts)
	for n := range uint32(1000) {
		counts.Note(consent.Count{Person: "ada", Key: "k", Count: n + 1, Approval: [32]byte{byte(n), byte(n >> 8)}})
	}
	require.ErrorIs(t, counts.Fresh(consent.Count{Person: "ada", Key: "k", Count: 700}), consent.ErrCloned, "too far behind to tell")
	require.NoError(t, counts.Fresh(consent.Count{Person: "ada", Key: "k", Count: 1001}))
	require.NoError(t, counts.Fresh(consent.Count{Person: "bea", Key: "k", Count: 1}))
	zero := consent.Count{Person: "cem", Key: "k"}
	counts.Note(zero, zero)
	require.NoError(t, counts.Fresh(zero), "a passkey that never counts")
}

func FuzzAssertion(f *testing.F) {
	f.Add(consent.Assertion{AuthenticatorData: make([]byte, 37), ClientDataJSON: []byte(`{"type":"webauthn.get"}`)}.Payload())
	h, i := open(f), payment()
	a := h.Keys["ada"][0].Approve(f, "ada", i, now.Unix())
	f.Add(a.Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if parsed, err := consent.ParseAssertion(payload); err == nil && !bytes.Equal(parsed.Payload(), payload) {
			t.Errorf("%q is read as %q", payload, parsed.Payload())
		}
		other := a
		if other.Payload = payload; bytes.Equal(payload, a.Payload) {
			return
		}
		if _, err := h.Roster.Verify(i, &other); err == nil {
			t.Errorf("%q verifies", payload)
		}
	})
}

func FuzzApproval(f *testing.F) {
	h, i := open(f), payment()
	for _, person := range []string{"ada", "cem", "dov"} {
		a := h.Keys[person][0].Approve(f, person, i, now.Unix())
		text, err := json.Marshal(a)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := consent.ParseApproval(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(a)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again))
	})
}
