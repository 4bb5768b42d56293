package treasurypages

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// requestView is one request, with all that a person who is asked should know.
type requestView struct {
	shell
	item

	Summary     string
	Outcome     string
	Ended       string
	Again       bool // it was asked of other people, or under another policy
	Sentence    string
	Rule        string
	Requirement string
	Bars        []bar
	Words       []word
	Notes       []treasury.Note
	Effect      []string
	Members     []member
	Canonical   string
	Hash        string
	HashGroups  []string
	Document    []string // hash in groups; nil where money moves
	PayloadHash []string // of the transaction; nil where there is none yet
	Payload     string   // base64
	Diff        []string // of a policy, against the one in force
	PolicyText  string
	Version     string // of the policy that is asked for
	Keys        string // the visitor's passkeys, as JSON for the script
	Site        string
	Scale       string // of the amount
	MaySign     bool
	MayDeny     bool
	MayCancel   bool
	Why         string // why the visitor's word is not asked for
	Told        string // how often those who are asked were told
}

// member is one of the intent's, as it is hashed, and the same for people.
type member struct{ Name, Text, Human string }

// bar is how much of a group's consent is there.
type bar struct {
	Group      string
	Have, Need int
	Or         bool // one of several ways
}

// word is what somebody said.
type word struct {
	Name, Person, Verdict, Key, Scheme, Reason, At string
	Digest                                         []string
}

func (p *Pages) request(pg *page) error {
	r, err := p.cfg.Requests.Request(pg.Context(), pg.PathValue("id"))
	if err != nil {
		return err
	}
	v, err := p.viewRequest(pg.shell, pg.roster, pg.person, &r)
	if err != nil {
		return err
	}
	if r.Intent.Action == intent.Policy {
		if err := p.addPolicy(pg, &v, r.Intent.Document); err != nil {
			return err
		}
	}
	return p.show(pg, "request.html", v)
}

// viewRequest is pure: whatever it shows is in its arguments.
func (p *Pages) viewRequest(s shell, roster *consent.Roster, who *consent.Person, r *treasury.Request) (requestView, error) {
	text, err := r.Intent.Canonical()
	if err != nil {
		return requestView{}, fmt.Errorf("%w: %w", treasury.ErrTampered, err)
	}
	it := p.item(r)
	v := requestView{
		shell: s.at("requests", it.What), item: it, Summary: consent.Summary(&r.Intent), Outcome: r.Outcome, Ended: when(r.Ended), Again: r.Superseded,
		Sentence: r.Sentence, Rule: r.Rule, Requirement: r.Requirement.String(), Bars: bars(roster, r), Words: words(r), Notes: r.Notes, Effect: r.Effect,
		Members: p.members(&r.Intent), Canonical: string(text), Hash: r.Hash.String(), HashGroups: chunks(r.Hash.String()), Site: roster.RPID,
	}
	if a, ok := p.cfg.Assets(r.Intent.Asset); ok {
		v.Scale = strconv.Itoa(int(a.Scale))
	}
	if r.Intent.Document != "" {
		v.Document = chunks(r.Intent.Document)
	}
	if len(r.Payload) > 0 {
		sum := sha256.Sum256(r.Payload)
		v.PayloadHash, v.Payload = chunks(hex.EncodeToString(sum[:])), base64.StdEncoding.EncodeToString(r.Payload)
	}
	if v.Keys, err = passkeys(who); err != nil {
		return requestView{}, err
	}
	v.MaySign, v.MayDeny, v.Why = may(who, r)
	if r.Told > 0 && r.State == treasury.Waiting {
		v.Told = plural(r.Told, "time", "times") + ", last " + when(r.LastTold)
	}
	v.MayCancel = r.State.Open() && (who.Officer || who.ID == r.Intent.Requester)
	return v, nil
}

// members are the intent's, in canonical order, as the script compares them with what it
// signs.
func (p *Pages) members(i *intent.Intent) []member {
	list := []member{{"environment", i.Environment, ""}, {"id", i.ID, ""}, {"action", string(i.Action), actionText(i.Action)}}
	add := func(name, text string) {
		if text != "" {
			list = append(list, member{name, text, ""})
		}
	}
	add("chain", i.Chain)
	add("genesis", i.Genesis)
	add("asset", i.Asset)
	add("contract", i.Contract)
	add("vault", i.Vault)
	add("to", i.To)
	human := ""
	if i.Action.Moves() {
		human = p.amount(i.Asset, i.Amount)
	}
	list = append(list, member{"amount", i.Amount.String(), human}, member{"maxFee", i.MaxFee.String(), p.fee(i)})
	add("document", i.Document)
	return append(list, member{"requester", i.Requester, ""}, member{"policy", strconv.FormatUint(i.Policy, 10), ""}, member{"reason", i.Reason, ""},
		member{"created", strconv.FormatInt(i.Created, 10), whenUnix(i.Created)}, member{"expires", strconv.FormatInt(i.Expires, 10), whenUnix(i.Expires)})
}

// fee is the most that the network takes, in wholes of the asset that pays it where that
// is the one that moves.
func (p *Pages) fee(i *intent.Intent) string {
	if !i.Action.Moves() || i.Contract != "" || i.MaxFee == (money.Units{}) {
		return ""
	}
	return p.amount(i.Asset, i.MaxFee)
}

// bars count, for each group that is asked, who has agreed.
func bars(roster *consent.Roster, r *treasury.Request) []bar {
	var people [][]string
	for i := range r.Signed {
		if s := &r.Signed[i]; s.Verdict == consent.Approve {
			if p := roster.Person(s.Person); p != nil {
				people = append(people, p.Member())
			}
		}
	}
	var list []bar
	var walk func(q *consent.Requirement, or bool)
	walk = func(q *consent.Requirement, or bool) {
		if q.Group != "" {
			have := 0
			for _, groups := range people {
				if slices.Contains(groups, q.Group) {
					have++
				}
			}
			list = append(list, bar{Group: q.Group, Have: min(have, q.Count), Need: q.Count, Or: or})
		}
		for i := range q.All {
			walk(&q.All[i], or)
		}
		for i := range q.Any {
			walk(&q.Any[i], true)
		}
	}
	walk(&r.Requirement, false)
	return list
}

func words(r *treasury.Request) []word {
	list := make([]word, len(r.Signed))
	for i := range r.Signed {
		s := &r.Signed[i]
		sum := s.Digest()
		list[i] = word{
			Name: s.Name, Person: s.Person, Verdict: string(s.Verdict), Key: s.Key, Scheme: string(s.Scheme), Reason: s.Reason, At: when(s.Came),
			Digest: chunks(hex.EncodeToString(sum[:8])),
		}
	}
	return list
}

// may says what a person can do about a request, and if nothing why. It saves a walk to
// the device; what counts is decided when the word comes.
func may(who *consent.Person, r *treasury.Request) (approve, deny bool, why string) {
	said := slices.IndexFunc(r.Signed, func(s treasury.Signed) bool { return s.Person == who.ID })
	asked := slices.ContainsFunc(r.Requirement.Groups(), func(g string) bool { return slices.Contains(who.Member(), g) })
	switch {
	case r.State != treasury.Waiting:
		return false, false, ""
	case who.ID == r.Intent.Requester:
		return false, false, "You asked for this: others have to agree."
	case said >= 0 && r.Signed[said].Verdict == consent.Approve:
		return false, false, "You agreed to this."
	case !slices.ContainsFunc(who.Keys, func(k consent.Key) bool { return k.Scheme == consent.WebAuthn }):
		return false, false, "You have no passkey on the roster: use your key from the command line."
	case !asked && !who.Officer:
		return false, false, "You are in no group that is asked: " + r.Requirement.String() + " are."
	case !asked:
		return false, true, "Nobody asks you to agree. As an officer you may say no."
	}
	return true, true, ""
}

// passkeys are a person's, for the script: ids of keys by their credentials.
func passkeys(who *consent.Person) (string, error) {
	type key struct {
		ID         string `json:"id"`
		Credential string `json:"credential"`
	}
	list := []key{}
	for i := range who.Keys {
		if k := &who.Keys[i]; k.Scheme == consent.WebAuthn {
			list = append(list, key{k.ID, base64.RawURLEncoding.EncodeToString(k.Credential)})
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("encode passkeys: %w", err)
	}
	return string(text), nil
}

// addPolicy shows the policy that a request is about.
func (p *Pages) addPolicy(pg *page, v *requestView, document string) error {
	rows, err := p.cfg.Policies.PolicyVersions(pg.Context())
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Document != document {
			continue
		}
		v.Version = strconv.FormatUint(rows[i].Version, 10)
		v.Diff, v.PolicyText, err = p.compare(rows, rows[i].Text)
		return err
	}
	return nil
}

// compare says what a policy changes, and lays it out for people.
func (*Pages) compare(rows []treasury.PolicyRow, text string) (diff []string, pretty string, err error) {
	next, err := policy.Parse([]byte(text))
	if err != nil {
		return nil, "", err
	}
	laid, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return nil, "", fmt.Errorf("lay out policy: %w", err)
	}
	for i := range rows {
		if rows[i].State != treasury.PolicyPublished || rows[i].Text == text {
			continue
		}
		now, err := policy.Parse([]byte(rows[i].Text))
		if err != nil {
			return nil, "", err
		}
		diff = policy.Diff(now, next)
	}
	return diff, string(laid), nil
}

// sign takes somebody's word, signed in their browser.
func (p *Pages) sign(pg *page) error {
	a, err := spoken(pg)
	if err != nil {
		return err
	}
	a.Verdict = consent.Verdict(pg.PostFormValue("verdict"))
	r, err := p.cfg.Requests.Sign(pg.Context(), pg.PathValue("id"), a)
	if err != nil {
		return err
	}
	p.cfg.Logger.InfoContext(pg.Context(), "word taken", "request", r.ID, "person", a.Person, "verdict", string(a.Verdict), "state", string(r.State))
	http.Redirect(pg.w, pg.Request, "/treasury/requests/"+r.ID, http.StatusSeeOther)
	return nil
}

// spoken reads what a passkey of the visitor signed. Whose session sent it is who said it.
func spoken(pg *page) (consent.Approval, error) {
	credential, err := fromForm(pg.Request, "credential")
	if err != nil {
		return consent.Approval{}, err
	}
	a := consent.Approval{Person: pg.person.ID, Scheme: consent.WebAuthn, Reason: pg.PostFormValue("reason"), Payload: []byte(pg.PostFormValue("payload"))}
	for i := range pg.person.Keys {
		if k := &pg.person.Keys[i]; k.Scheme == consent.WebAuthn && string(k.Credential) == string(credential) {
			a.Key = k.ID
		}
	}
	if a.Key == "" {
		return a, fmt.Errorf("%w: the passkey is not yours on the roster", consent.ErrApproval)
	}
	if a.Signature, err = fromForm(pg.Request, "signature"); err != nil {
		return a, err
	}
	if a.At, err = strconv.ParseInt(pg.PostFormValue("at"), 10, 64); err != nil {
		return a, fmt.Errorf("%w: at is not a time", consent.ErrApproval)
	}
	return a, nil
}

func (p *Pages) cancel(pg *page) error {
	r, err := p.cfg.Requests.Cancel(pg.Context(), pg.PathValue("id"), pg.person.ID, pg.PostFormValue("reason"))
	if err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/requests/"+r.ID, http.StatusSeeOther)
	return nil
}
