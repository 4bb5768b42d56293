package treasurypages

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

func int64Text(n int64) string { return strconv.FormatInt(n, 10) }

// What the script has signed is what the signer verifies: hashes and messages are the
// same, whatever is in the text.
func TestTheScriptSaysWhatTheProgramVerifies(t *testing.T) {
	type asked struct {
		Canonical   string `json:"canonical"`
		Environment string `json:"environment"`
		Verdict     string `json:"verdict"`
		Person      string `json:"person"`
		At          int64  `json:"at"`
		Reason      string `json:"reason"`
		Amount      string `json:"amount"`
		Scale       uint8  `json:"scale"`
	}
	type answer struct {
		Hash    string   `json:"hash"`
		Consent string   `json:"consent"`
		Freeze  string   `json:"freeze"`
		Login   string   `json:"login"`
		Whole   string   `json:"whole"`
		Same    []string `json:"same"`
		Other   []string `json:"other"`
	}
	legible := rapid.StringMatching(`[ -~äß漢字€<>&"\\😀]{1,40}`)
	var cases []asked
	var want []answer
	for i := range 200 {
		c := rapid.Custom(func(t *rapid.T) asked {
			in := intent.Intent{
				Environment: "production", ID: "wdr_1", Action: intent.Withdrawal, Chain: "bitcoin", Genesis: "0f", Asset: "BTC", To: legible.Draw(t, "to"),
				Amount: money.FromUint64(rapid.Uint64Min(1).Draw(t, "amount")), MaxFee: money.FromUint64(7), Requester: "bob", Policy: 3, Reason: legible.Draw(t, "reason"),
				Created: 1_800_000_000, Expires: 1_800_003_600,
			}
			text, err := in.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			return asked{
				Canonical: string(text), Environment: in.Environment, Verdict: rapid.SampledFrom([]string{"approve", "deny"}).Draw(t, "verdict"), Person: "ada",
				At: 1_800_000_100, Reason: legible.Draw(t, "why"), Amount: in.Amount.String(), Scale: rapid.Uint8Max(30).Draw(t, "scale"),
			}
		}).Example(i)
		in, err := intent.Parse([]byte(c.Canonical))
		if err != nil {
			t.Fatal(err)
		}
		hash, err := in.Hash()
		if err != nil {
			t.Fatal(err)
		}
		a := consent.Approval{Verdict: consent.Verdict(c.Verdict), Person: c.Person, At: c.At, Reason: c.Reason}
		f := consent.Freeze{Environment: c.Environment, Person: c.Person, At: c.At, Reason: c.Reason}
		cases = append(cases, c)
		want = append(want, answer{
			Hash: hash.String(), Consent: string(consent.Message(hash, &a)), Freeze: string(f.Message()), Login: "strongroom login 1\nproduction\n" + c.Reason,
			Whole: money.Asset{Code: "BTC", Scale: c.Scale}.Format(in.Amount), Other: []string{"to"},
		})
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "words_test.mjs")
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []answer
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
		t.Fatalf("%d answers, %v", len(got), err)
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Hash != w.Hash || g.Consent != w.Consent || g.Freeze != w.Freeze || g.Login != w.Login || g.Whole != w.Whole || len(g.Same) > 0 || !slices.Equal(g.Other, w.Other) {
			t.Errorf("%s\ngot  %+v\nwant %+v", cases[i].Canonical, g, w)
		}
	}
}
