package treasurypages

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// Addresses of the storybook. The second resembles the first.
const (
	coinAddress    = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
	forgedAddress  = "bc1qar0s3pm4w7dkq2l643lydnw9re59gtzz9f5mdq"
	accountAddress = "0x52908400098527886E0F7030069857D2E4169EE7"
)

// fixtures are what the storybook shows.
type fixtures struct {
	now      time.Time
	roster   *consent.Roster
	policies []treasury.PolicyRow // a draft, the one in force, an old one
}

func units(text string) money.Units {
	u, _ := money.ParseUnits(text) // those written here are fine
	return u
}

// made is a SHA-256 of something made up.
func made(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// madeAsset are the storybook's assets.
func madeAsset(code string) (money.Asset, bool) {
	scale, ok := map[string]uint8{"BTC": 8, "ETH": 18, "USDC": 6}[code]
	return money.Asset{Code: code, Scale: scale}, ok
}

func (p *Pages) fixtures() *fixtures {
	now := p.cfg.Clock().Truncate(time.Second).UTC()
	f := &fixtures{now: now}
	person := func(id, name string, officer bool, groups []string, keys ...consent.Key) consent.Person {
		return consent.Person{ID: id, Name: name, Groups: groups, Keys: keys, Officer: officer}
	}
	passkey := func(id string, synced bool) consent.Key {
		return consent.Key{ID: id, Scheme: consent.WebAuthn, Credential: []byte(id), Synced: synced}
	}
	f.roster = &consent.Roster{
		Environment: p.cfg.Environment, Version: 12, Created: now.Add(-40 * 24 * time.Hour).Unix(), Expires: now.Add(200 * 24 * time.Hour).Unix(), RPID: "localhost",
		Officers: consent.Officers{Keys: []string{made("1"), made("2"), made("3")}, K: 2},
		Persons: []consent.Person{
			person("ada", "Ada Okafor", true, []string{"treasury"}, passkey("ada-phone", true), consent.Key{ID: "ada-wallet", Scheme: consent.EIP712}),
			person("bob", "Bob Lindqvist", true, []string{"treasury"}, passkey("bob-key", false)),
			person("cem", "Cem Aydın", false, []string{"risk", "treasury"}, passkey("cem-laptop", false), consent.Key{ID: "cem-api", Scheme: consent.Ed25519}),
			person("eve", "Eve Moreau", false, []string{"support"}, passkey("eve-key", false)),
		},
	}
	f.policies = f.versions()
	return f
}

// versions are a policy in force and a draft that is laxer in one place and stricter in
// another.
func (f *fixtures) versions() []treasury.PolicyRow {
	two, three := consent.Requirement{Group: "treasury", Count: 2}, consent.Requirement{Group: "treasury", Count: 3}
	text := func(version uint64, below string, large consent.Requirement) string {
		p := policy.Policy{Environment: f.roster.Environment, Version: version, NotBefore: f.now.Unix(), Layers: []policy.Layer{{Name: "base", Rules: []policy.Rule{
			{
				Name: "small-btc", Note: "What customers take out every day.", Outcome: policy.Allow,
				When: policy.Condition{
					Actions: []intent.Action{intent.Withdrawal}, Assets: []string{"BTC"}, Amount: policy.Range{Below: units(below)},
					Sums: []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: policy.Range{Below: units("500000000")}}},
				},
			},
			{Name: "large", When: policy.Condition{Actions: []intent.Action{intent.Withdrawal}}, Outcome: policy.Quorum, Requirement: &large, Lives: policy.Span(8 * time.Hour)},
		}}}}
		canonical, _ := p.Canonical() // what is written here is valid, and a test shows it
		return string(canonical)
	}
	row := func(version uint64, state treasury.PolicyState, text string) treasury.PolicyRow {
		return treasury.PolicyRow{
			Version: version, Text: text, Document: made(text), State: state, NotBefore: f.now.Add(24 * time.Hour), Author: "ada", Reason: "fewer questions about small payments",
			Created: f.now,
		}
	}
	force := row(7, treasury.PolicyPublished, text(7, "10000000", two))
	force.Request, force.Published, force.Author, force.Reason = "rqs_7", f.now.Add(-100*24*time.Hour), "bob", "yearly review"
	dropped := row(6, treasury.PolicyDropped, text(6, "90000000", two))
	dropped.Outcome = "denied by Cem Aydın: far too much"
	return []treasury.PolicyRow{row(8, treasury.PolicyDraft, text(8, "20000000", three)), force, dropped}
}

// requests are one for each state that a page has.
func (f *fixtures) requests() []treasury.Request {
	base := func(id string, action intent.Action, requester string) treasury.Request {
		return treasury.Request{
			ID: "rqs_" + id, State: treasury.Waiting, Version: 1, Rule: "large", Requirement: consent.Requirement{All: []consent.Requirement{{Group: "treasury", Count: 2}, {Group: "risk", Count: 1}}},
			Sentence: "Rule “large” of layer “base” asks 2 of treasury and 1 of risk to agree to withdrawals of 0.1 BTC and more.",
			Missing:  "2 of treasury and 1 of risk", Created: f.now.Add(-20 * time.Minute), Expires: f.now.Add(3*time.Hour + 12*time.Minute),
			Intent: intent.Intent{
				Environment: f.roster.Environment, ID: id, Action: action, Requester: requester, Policy: 7, Reason: "invoice 2211",
				Created: f.now.Add(-20 * time.Minute).Unix(), Expires: f.now.Add(3*time.Hour + 12*time.Minute).Unix(),
			},
		}
	}
	pays := func(r treasury.Request, amount, to string) treasury.Request {
		i := &r.Intent
		i.Chain, i.Genesis, i.Asset, i.To, i.Amount, i.MaxFee = "bitcoin", made("genesis"), "BTC", to, units(amount), units("50000")
		return r
	}
	said := func(r treasury.Request, person, name string, verdict consent.Verdict, reason string) treasury.Request {
		r.Signed = append(r.Signed, treasury.Signed{Approval: consent.Approval{
			Person: person, Key: person + "-key", Scheme: consent.WebAuthn, Verdict: verdict, Reason: reason, At: f.now.Unix(),
		}, Name: name, Came: f.now.Add(-time.Minute)})
		return r
	}
	ended := func(r treasury.Request, state treasury.State, outcome string) treasury.Request {
		r.State, r.Outcome, r.Missing, r.Ended = state, outcome, "", f.now.Add(-time.Minute)
		return r
	}
	large := pays(base("wdr_51", intent.Withdrawal, "customer:cus_9"), "280000000", forgedAddress)
	large.Effect = []string{"customer cus_9 gets 2.8 BTC at " + forgedAddress}
	large.Payload = []byte("a transaction")
	large.Notes = []treasury.Note{
		{Level: treasury.Danger, Text: "The address has the same beginning and end as " + coinAddress + ", which was paid before."},
		{Level: treasury.Warning, Text: "It is 14 times what this customer withdraws on average."},
		{Level: treasury.Info, Text: "The address is new."},
	}
	agreed := said(pays(base("wdr_52", intent.Withdrawal, "bob"), "15000000", coinAddress), "ada", "Ada Okafor", consent.Approve, "")
	agreed.Told, agreed.LastTold = 2, f.now.Add(-5*time.Minute)
	agreed.Missing = "1 of treasury and 1 of risk"
	denied := ended(said(pays(base("wdr_53", intent.Withdrawal, "customer:cus_4"), "15000000", coinAddress), "cem", "Cem Aydın", consent.Deny, "I called them: it was not them"), treasury.Denied, "Cem Aydın said no: I called them: it was not them")
	refill := pays(base("rfl_1n1", intent.Refill, "system:mover"), "250000000", coinAddress)
	refill.Intent.Vault = "cold-btc"
	refill = ended(said(said(refill, "ada", "Ada Okafor", consent.Approve, ""), "cem", "Cem Aydın", consent.Approve, ""), treasury.Done, "it is posted")
	old := ended(pays(base("wdr_54", intent.Withdrawal, "customer:cus_1"), "40000000", coinAddress), treasury.Cancelled, "policy 7 is in force: it was asked under another one")
	old.Superseded = true
	rules := base("policy-8", intent.Policy, "bob")
	rules.Intent.Document, rules.Effect = f.policies[0].Document, []string{"policy 8 is in force from tomorrow on"}
	list := []treasury.Request{large, agreed, denied, refill, old, rules}
	for i := range list {
		list[i].Hash, _ = list[i].Intent.Hash() // what is written here is valid, and a test shows it
	}
	return list
}

// moves are one for each state.
func (f *fixtures) moves() []treasury.MoveRow {
	var list []treasury.MoveRow
	for i, s := range []treasury.MoveState{
		treasury.MoveProposed, treasury.MoveSigned, treasury.MoveSent, treasury.MoveFinal, treasury.MoveRecalled, treasury.MoveFailed,
	} {
		r := treasury.MoveRow{
			ID: "mov_9/" + string(rune('1'+i)), Kind: intent.Sweep, Asset: "BTC", Chain: "bitcoin", From: "hot-btc", To: "cold-btc", Amount: units("212300000"), Fee: units("5000"),
			Why: "hot-btc holds more than its cap", State: s, Created: f.now.Add(-time.Hour), Changed: f.now.Add(-time.Minute),
		}
		if i%2 == 1 {
			r.Kind, r.From, r.To, r.TxID = intent.Refill, r.To, r.From, made("tx")
		}
		if !s.Open() {
			r.Outcome = "it is " + string(s)
		}
		list = append(list, r)
	}
	return list
}
