package intent_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/money"
	"strongroom/treasury/intent"
)

func payment() intent.Intent {
	return intent.Intent{
		Environment: "strongroom-dev", ID: "wdr_1", Action: intent.Withdrawal, Chain: "ethereum-dev", Genesis: "31337", Asset: "ETH",
		To: "0x52908400098527886E0F7030069857D2E4169EE7", Amount: money.FromUint64(5), MaxFee: money.FromUint64(2),
		Requester: "customer:ada", Policy: 3, Reason: "rent", Created: 1_700_000_000, Expires: 1_700_003_600,
	}
}

func decision() intent.Intent {
	return intent.Intent{
		Environment: "strongroom-dev", ID: "pol_1", Action: intent.Policy, Document: strings.Repeat("ab", 32),
		Requester: "ada", Policy: 3, Created: 1_700_000_000, Expires: 1_700_003_600,
	}
}

// TestFixedForm holds the form still: approvals are kept for ever.
func TestFixedForm(t *testing.T) {
	i := payment()
	text, err := i.Canonical()
	require.NoError(t, err)
	assert.Equal(t, strings.Join([]string{
		`{"environment":"strongroom-dev","id":"wdr_1","action":"withdrawal","chain":"ethereum-dev","genesis":"31337","asset":"ETH"`,
		`"to":"0x52908400098527886E0F7030069857D2E4169EE7","amount":"5","maxFee":"2","requester":"customer:ada","policy":3,"reason":"rent"`,
		`"created":1700000000,"expires":1700003600}`,
	}, ","), string(text))
	h, err := i.Hash()
	require.NoError(t, err)
	assert.Equal(t, fixed, h.String())
	assert.Equal(t, fixed[:4]+" "+fixed[4:8]+" … "+fixed[56:60]+" "+fixed[60:], h.Short())
	again, err := intent.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, i, again)
}

const fixed = "bae25b54f05365a496d98f070ebe5614058d45456a869cdfc603f84a405ae03a"

// TestEveryFieldCounts changes each field by itself: the hash changes, too, or the
// intent is refused.
func TestEveryFieldCounts(t *testing.T) {
	for _, base := range []intent.Intent{payment(), decision()} {
		first, err := base.Hash()
		require.NoError(t, err)
		seen := map[intent.Hash]string{first: "nothing"}
		for at := range reflect.TypeFor[intent.Intent]().NumField() {
			changed := base
			field := reflect.ValueOf(&changed).Elem().Field(at)
			name := reflect.TypeFor[intent.Intent]().Field(at).Name
			switch v := field.Addr().Interface().(type) {
			case *string:
				*v += "1"
			case *uint64:
				*v++
			case *int64:
				*v++
			case *money.Units:
				*v = money.FromUint64(77)
			case *intent.Action:
				if *v = intent.Sweep; !base.Action.Moves() {
					*v = intent.Roster
				}
			default:
				t.Fatalf("field %s is of a kind that this test does not know", name)
			}
			h, err := changed.Hash()
			if err != nil {
				require.ErrorIs(t, err, intent.ErrInvalid)
				continue
			}
			assert.NotContains(t, seen, h, name)
			seen[h] = name
		}
		assert.GreaterOrEqual(t, len(seen), 8)
	}
}

func TestRefusesWhatContradictsItself(t *testing.T) {
	for name, change := range map[string]func(i *intent.Intent){
		"action":      func(i *intent.Intent) { i.Action = "gift" },
		"environment": func(i *intent.Intent) { i.Environment = "" },
		"id":          func(i *intent.Intent) { i.ID = "" },
		"requester":   func(i *intent.Intent) { i.Requester = "" },
		"amount":      func(i *intent.Intent) { i.Amount = money.Units{} },
		"chain":       func(i *intent.Intent) { i.Chain = "" },
		"genesis":     func(i *intent.Intent) { i.Genesis = "" },
		"asset":       func(i *intent.Intent) { i.Asset = "" },
		"to":          func(i *intent.Intent) { i.To = "" },
		"document":    func(i *intent.Intent) { i.Document = strings.Repeat("ab", 32) },
		"vault":       func(i *intent.Intent) { i.Vault = "cold" },
		"vault ":      func(i *intent.Intent) { i.Action = intent.Refill },
		"expires":     func(i *intent.Intent) { i.Expires = i.Created },
		"expires ":    func(i *intent.Intent) { i.Expires = i.Created + int64(intent.MaxLife/time.Second) + 1 },
		"created":     func(i *intent.Intent) { i.Created = 0 },
		"reason":      func(i *intent.Intent) { i.Reason = "rent\u202eevil" },
		"reason ":     func(i *intent.Intent) { i.Reason = "rent\npaid" },
		"reason  ":    func(i *intent.Intent) { i.Reason = "rent\u00a0paid" },
		"reason   ":   func(i *intent.Intent) { i.Reason = strings.Repeat("a", intent.MaxTextBytes+1) },
		"reason    ":  func(i *intent.Intent) { i.Reason = "\xff" },
		"to ":         func(i *intent.Intent) { i.To = "0x\u200b52" },
	} {
		i := payment()
		change(&i)
		require.ErrorIs(t, i.Check(), intent.ErrInvalid, name)
		_, err := i.Canonical()
		require.ErrorIs(t, err, intent.ErrInvalid, name)
		_, err = i.Hash()
		require.ErrorIs(t, err, intent.ErrInvalid, name)
	}
	for name, change := range map[string]func(i *intent.Intent){
		"document":   func(i *intent.Intent) { i.Document = "" },
		"document ":  func(i *intent.Intent) { i.Document = strings.Repeat("AB", 32) },
		"document  ": func(i *intent.Intent) { i.Document = strings.Repeat("ab", 31) },
		"amount":     func(i *intent.Intent) { i.Amount = money.FromUint64(1) },
		"fee":        func(i *intent.Intent) { i.MaxFee = money.FromUint64(1) },
		"to":         func(i *intent.Intent) { i.To = "0x" },
		"genesis":    func(i *intent.Intent) { i.Genesis = "1" },
		"contract":   func(i *intent.Intent) { i.Contract = "0x" },
	} {
		i := decision()
		change(&i)
		require.ErrorIs(t, i.Check(), intent.ErrInvalid, name)
	}
}

func TestOnlyTheCanonicalFormIsRead(t *testing.T) {
	i := payment()
	text, err := i.Canonical()
	require.NoError(t, err)
	for name, other := range map[string]string{
		"a space":         strings.Replace(string(text), `,"id"`, `, "id"`, 1),
		"a doubled field": strings.Replace(string(text), `"id":"wdr_1"`, `"id":"wdr_2","id":"wdr_1"`, 1),
		"another case":    strings.Replace(string(text), `"id"`, `"ID"`, 1),
		"an escape":       strings.Replace(string(text), "rent", `\u0072ent`, 1),
		"a zero":          strings.Replace(string(text), `"amount":"5"`, `"amount":"05"`, 1),
		"a number":        strings.Replace(string(text), `"amount":"5"`, `"amount":5`, 1),
		"an empty field":  strings.Replace(string(text), `"asset":"ETH"`, `"asset":"ETH","contract":""`, 1),
		"another order":   strings.Replace(string(text), `"maxFee":"2","requester":"customer:ada"`, `"requester":"customer:ada","maxFee":"2"`, 1),
		"one field more":  strings.Replace(string(text), `"id"`, `"note":"x","id"`, 1),
		"what follows":    string(text) + "{}",
		"a line break":    string(text) + "\n",
		"no end":          string(text[:len(text)-1]),
		"too much":        strings.Repeat(" ", intent.MaxBytes+1),
		"nothing":         "",
	} {
		_, err := intent.Parse([]byte(other))
		require.ErrorIs(t, err, intent.ErrInvalid, name)
	}
}

func TestConsentEnds(t *testing.T) {
	i := payment()
	assert.False(t, i.Expired(time.Unix(i.Expires, 0).Add(-time.Nanosecond)))
	assert.True(t, i.Expired(time.Unix(i.Expires, 0)))
}

// FuzzParse: what is read has the form that it was read from.
func FuzzParse(f *testing.F) {
	for _, i := range []intent.Intent{payment(), decision()} {
		text, err := i.Canonical()
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := intent.Parse(text)
		if err != nil {
			return
		}
		again, err := i.Canonical()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q is read, and is %q: %v", text, again, err)
		}
	})
}
