package softkey_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/consent/softkey"
	"strongroom/treasury/intent"
)

func keys(t *testing.T) []*softkey.Key {
	t.Helper()
	plain, err := softkey.New("ada-api")
	require.NoError(t, err)
	passkey, err := softkey.NewPasskey("ada-phone", consenttest.Site, consenttest.Origin)
	require.NoError(t, err)
	return []*softkey.Key{plain, passkey}
}

func TestWhatKeysSayCounts(t *testing.T) {
	for _, key := range keys(t) {
		text, err := key.File()
		require.NoError(t, err)
		again, err := softkey.Parse(text)
		require.NoError(t, err)
		require.Equal(t, key.Public(), again.Public())

		h := consenttest.Open(t, "test", 1, 1, 1000)
		h.Roster.Persons = append(h.Roster.Persons, consent.Person{ID: "ada", Name: "Ada", Groups: []string{"treasury"}, Keys: []consent.Key{key.Public()}, Officer: true})
		require.NoError(t, h.Roster.Check())
		i := intent.Intent{
			Environment: "test", ID: "wdr_1", Action: intent.Withdrawal, Chain: "c", Genesis: "1", Asset: "A", To: "x", Amount: money.FromUint64(5),
			Requester: "customer:1", Policy: 1, Reason: "rent", Created: 2000, Expires: 3000,
		}
		yes, err := again.Say(&i, consent.Approval{Person: "ada", Verdict: consent.Approve, At: 2001})
		require.NoError(t, err)
		_, err = h.Roster.Verify(&i, &yes)
		require.NoError(t, err, key.Public().Scheme)
		i.Amount = money.FromUint64(6)
		_, err = h.Roster.Verify(&i, &yes)
		require.ErrorIs(t, err, consent.ErrApproval)

		f, err := again.Freeze(consent.Freeze{Environment: "test", Person: "ada", Reason: "odd payments", At: 2001})
		require.NoError(t, err)
		require.NoError(t, h.Roster.VerifyFreeze(&f, time.Unix(2002, 0)))
		for _, shown := range []string{key.String(), fmt.Sprintf("%v %+v %#v", key, key, key)} {
			require.NotContains(t, shown, "private")
			require.Contains(t, shown, "secret")
		}
	}
}

func TestFilesThatAreNoKeys(t *testing.T) {
	all := keys(t)
	one, err := all[0].File()
	require.NoError(t, err)
	two, err := all[1].File()
	require.NoError(t, err)
	for name, text := range map[string]string{
		"nothing":         "",
		"another member":  strings.Replace(string(one), `"private"`, `"privates"`, 1),
		"another scheme":  strings.Replace(string(one), `"ed25519"`, `"webauthn"`, 1),
		"no site":         strings.Replace(string(two), `"site"`, `"origin"`, 1),
		"no private part": `{"key":{"id":"a","scheme":"ed25519","public":""},"private":""}`,
		"too long":        strings.Repeat(" ", 1<<20),
		"another private": strings.Replace(string(one), `"public": "`, `"public": "AAAA`, 1),
		"no id":           strings.Replace(string(one), `"ada-api"`, `""`, 1),
	} {
		if _, err := softkey.Parse([]byte(text)); !errors.Is(err, softkey.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
