package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

const page = "../../docs/treasury-policy.md"

// TestThePage: the example of the page is the policy that is tested here, what it says of
// it is what Alone says, and each example of a condition can be written so.
func TestThePage(t *testing.T) {
	page, err := os.ReadFile(page)
	must(t, err)
	text, err := os.ReadFile("testdata/house.json")
	must(t, err)
	if !strings.Contains(string(page), "```json\n"+string(text)+"```\n") {
		t.Error("the page has another example than testdata/house.json")
	}
	said := strings.Join(policy.Alone(house(t), three(), "BTC", units(200_000_000)).Sentences(bitcoin), "\n")
	if !strings.Contains(string(page), "```\n"+said+"\n```\n") {
		t.Errorf("the page does not say:\n%s", said)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z]+)` .*\\| `(.*)` \\|$").FindAllStringSubmatch(string(page), -1)
	const members = 10
	if len(rows) != members {
		t.Errorf("%d rows, %d members", len(rows), members)
	}
	for _, row := range rows {
		one := `{"environment":"e","version":1,"notBefore":1,"layers":[{"name":"a","rules":[{"name":"x","when":{` + row[2] + `},"outcome":"deny"}]}]}`
		if _, err := policy.Parse([]byte(one)); err != nil || !strings.Contains(row[2], `"`+row[1]+`": `) {
			t.Errorf("%s: %v", row[1], err)
		}
	}
}

// TestTheHouse: what the example asks for.
func TestTheHouse(t *testing.T) {
	p := house(t)
	const btc = 100_000_000
	for name, c := range map[string]struct {
		action intent.Action
		class  policy.Class
		asset  string
		amount uint64
		spent  uint64
		want   string // empty: nobody
	}{
		"small sweep":             {intent.Sweep, policy.Own, "BTC", btc, 0, ""},
		"small refill":            {intent.Refill, policy.Own, "BTC", btc, 3 * btc, ""},
		"sweep past a day's":      {intent.Sweep, policy.Own, "BTC", btc, 4 * btc, "2 of treasury"},
		"sweep to somewhere":      {intent.Sweep, policy.New, "BTC", btc, 0, "denied"},
		"other asset inside":      {intent.Sweep, policy.Own, "LTC", 1, 0, "2 of treasury"},
		"small withdrawal":        {intent.Withdrawal, policy.New, "BTC", 14_999_999, 0, ""},
		"large withdrawal":        {intent.Withdrawal, policy.Allowlisted, "BTC", 15_000_000, 0, "2 of treasury"},
		"many small withdrawals":  {intent.Withdrawal, policy.New, "BTC", 14_999_999, 2 * btc, "2 of treasury"},
		"small after a busy week": {intent.Withdrawal, policy.New, "BTC", 1, 20 * btc, "2 of treasury and 1 of officers"},
		"small of ether":          {intent.Withdrawal, policy.New, "ETH", 4_000_000_000_000_000_000, 0, ""},
		"other asset":             {intent.Withdrawal, policy.New, "LTC", 1, 0, "2 of treasury"},
		"cold":                    {intent.ColdSpend, policy.Allowlisted, "BTC", 1, 0, "2 of treasury and 1 of officers"},
		"policy":                  {intent.Policy, "", "", 0, 0, "2 of treasury and 1 of officers"},
		"address":                 {intent.Allow, "", "", 0, 0, "1 of treasury"},
		"drill":                   {intent.KeyDrill, "", "", 0, 0, "1 of treasury"},
		"unfreeze":                {intent.Unfreeze, "", "", 0, 0, "denied"}, // officers decide that by the roster
	} {
		f := payment(p, c.amount)
		f.Environment, f.Action, f.Class, f.Asset = p.Environment, c.action, c.class, c.asset
		spend(p, f, c.spent)
		d := p.Decide(f)
		var got string
		switch d.Outcome {
		case policy.Quorum:
			got = d.Requirement.String()
		case policy.Deny:
			got = "denied"
		case policy.Allow:
		}
		if got != c.want {
			t.Errorf("%s: %q: %s", name, got, d.Sentence)
		}
		if c.action == intent.Policy && d.Lives != 24*time.Hour {
			t.Error(d.Lives)
		}
	}
}
