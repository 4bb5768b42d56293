package consent_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

func TestWhoLogsInIsWhosePasskeySigned(t *testing.T) {
	h := consenttest.Open(t, "test", 2, 3, 1_000)
	key := consenttest.Passkey(t, "ada-phone", consenttest.Site, consenttest.Origin, consenttest.ES256)
	other := consenttest.Passkey(t, "bea-phone", consenttest.Site, consenttest.Origin, consenttest.EdDSA)
	h.Add("ada", true, []string{"treasury"}, key)
	h.Add("bea", false, []string{"treasury"}, other)
	login := func(nonce string) consent.Login {
		l := consent.Login{Environment: "test", Nonce: nonce, Credential: key.Credential}
		l.Payload, l.Signature = key.Assert(t, consent.LoginChallenge("test", nonce))
		return l
	}
	good := login("one")
	p, count, err := h.Roster.VerifyLogin(&good)
	require.NoError(t, err)
	require.Equal(t, "ada", p.ID)
	require.Equal(t, "ada-phone", count.Key)
	require.Equal(t, uint32(1), count.Count)

	for name, change := range map[string]func(*consent.Login){
		"another nonce":       func(l *consent.Login) { l.Nonce = "two" },
		"another environment": func(l *consent.Login) { l.Environment = "live" },
		"somebody else's key": func(l *consent.Login) { l.Credential = other.Credential },
		"no key":              func(l *consent.Login) { l.Credential = nil },
		"nobody's key":        func(l *consent.Login) { l.Credential = []byte("nobody's") },
		"no signature":        func(l *consent.Login) { l.Signature = nil },
		"a long signature":    func(l *consent.Login) { l.Signature = make([]byte, consent.MaxSignatureBytes+1) },
		"another signature": func(l *consent.Login) {
			l.Signature = bytes.Clone(l.Signature)
			l.Signature[len(l.Signature)-1] ^= 1
		},
	} {
		l := good
		change(&l)
		_, _, err := h.Roster.VerifyLogin(&l)
		require.ErrorIs(t, err, consent.ErrApproval, name)
	}

	key.Flags = 0x01 // present, not verified
	unverified := login("three")
	_, _, err = h.Roster.VerifyLogin(&unverified)
	require.ErrorContains(t, err, "the user was not verified")
}
