package server_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"strongroom/signer"
	signerclient "strongroom/signer/client"
	"strongroom/treasury/consent"
)

func said(person string) consent.Approval {
	return consent.Approval{
		Person: person, Key: person + "-1", Scheme: consent.Ed25519, Verdict: consent.Approve, At: 7, Payload: []byte{1}, Signature: []byte(person),
	}
}

func TestConsentTravelsInOneOrder(t *testing.T) {
	h := open(t)
	c := h.client(t, h.certs, "worker")
	req := withdrawal()
	req.Kind, req.IntentText, req.Approvals = signerclient.Sweep, []byte("text"), []consent.Approval{said("bea"), said("ada")}
	_, err := c.Sign(t.Context(), req)
	require.NoError(t, err)
	got := h.core.last
	require.Equal(t, "text", string(got.GetIntentText()))
	require.Equal(t, []string{"ada", "bea"}, []string{got.GetApprovals()[0].GetApprover(), got.GetApprovals()[1].GetApprover()})
	a := got.GetApprovals()[1]
	require.Equal(t, consent.Approval{
		Person: a.GetApprover(), Key: a.GetKey(), Scheme: consent.Scheme(a.GetScheme()), Verdict: consent.Verdict(a.GetVerdict()),
		Reason: a.GetReason(), At: a.GetAt(), Payload: a.GetPayload(), Signature: a.GetSignature(),
	}, said("bea"))
	require.Equal(t, "bea", req.Approvals[0].Person, "the caller's list was changed")
}

func TestDecisionsReachTheSigner(t *testing.T) {
	h := open(t)
	for name, may := range map[string]bool{"worker": true, "api": true, "cli": true, "matching": false} {
		c := h.client(t, h.certs, name)
		known, submitErr := c.Submit(t.Context(), []byte("text"), []byte("document"), []consent.Approval{said("ada")})
		_, rosterErr := c.SubmitRoster(t.Context(), []byte("roster"))
		freezeErr := c.Freeze(t.Context(), consent.Freeze{Person: "ada", Reason: "stop"})
		_, disallowErr := c.Disallow(t.Context(), "house", "ethereum-dev", "0x1")
		if !may {
			require.ErrorIs(t, submitErr, signerclient.ErrForbidden)
			require.ErrorIs(t, freezeErr, signerclient.ErrForbidden)
			require.ErrorIs(t, disallowErr, signerclient.ErrForbidden)
			continue
		}
		require.NoError(t, submitErr)
		require.NoError(t, rosterErr)
		require.NoError(t, freezeErr)
		require.True(t, known)
		require.Equal(t, name == "worker", disallowErr == nil, "only the worker keeps address books")
	}
	require.Equal(t, "roster", string(h.core.submitted.GetDocument()))
	require.Equal(t, [3]string{"house", "ethereum-dev", "0x1"}, h.core.disallowed)
	f, err := consent.ParseFreeze(h.core.froze)
	require.NoError(t, err)
	require.Equal(t, "stop", f.Reason)
	h.core.err = fmt.Errorf("%w: because", signer.ErrRefused)
	_, err = h.client(t, h.certs, "worker").Submit(t.Context(), nil, nil, nil)
	require.ErrorIs(t, err, signerclient.ErrRefused)
}
