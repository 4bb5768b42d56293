package treasurypages

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/vault"
)

// story is a screen in one of its states.
type story struct {
	Path, Text string
	template   string
	make       func(p *Pages, f *fixtures, s shell) (any, error)
}

type storybookView struct {
	shell

	Stories []story
}

func (p *Pages) storybook(w http.ResponseWriter, r *http.Request) {
	p.render(w, r.Context(), http.StatusOK, "storybook.html", storybookView{shell: p.shell(nil, "").at("", "Storybook"), Stories: stories()})
}

func (p *Pages) story(w http.ResponseWriter, r *http.Request) {
	list := stories()
	at := slices.IndexFunc(list, func(s story) bool { return s.Path == r.PathValue("screen") })
	if at < 0 {
		p.fault(w, r, http.StatusNotFound, "There is no such story.", "Choose one in the storybook.")
		return
	}
	f := p.fixtures()
	s := p.shell(f.roster.Person("ada"), "made-up")
	s.Self = r.URL.RequestURI()
	data, err := list[at].make(p, f, s)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r.Context(), http.StatusOK, list[at].template, data)
}

// stories are all screens.
func stories() []story {
	return slices.Concat(aboutRequests(), aboutMoney(), aboutRules(), aboutAccess())
}

func aboutRequests() []story {
	queue := func(view string, list func(f *fixtures) treasury.Page) func(*Pages, *fixtures, shell) (any, error) {
		return func(p *Pages, f *fixtures, s shell) (any, error) {
			page := list(f)
			return p.viewQueue(s, view, &page), nil
		}
	}
	all := func(f *fixtures) treasury.Page {
		return treasury.Page{Requests: f.requests(), Total: 1204, Next: "made-up"}
	}
	some := func(f *fixtures) treasury.Page {
		list := f.requests()[:2]
		return treasury.Page{Requests: list, Total: len(list)}
	}
	none := func(*fixtures) treasury.Page { return treasury.Page{} }
	list := []story{
		{"queue-mine", "Queue: what needs me", "queue.html", queue("mine", some)},
		{"queue-all", "Queue: all, with a next page", "queue.html", queue("all", all)},
		{"queue-empty", "Queue: nothing", "queue.html", queue("expiring", none)},
	}
	for _, one := range []struct {
		path, text, person string
		at                 int
	}{
		{"request-waiting", "Request: a large withdrawal to a new address that looks like a known one", "ada", 0},
		{"request-agreed", "Request: I agreed, others are asked", "ada", 1},
		{"request-mine", "Request: I asked for it", "bob", 1},
		{"request-stranger", "Request: I am in no group that is asked", "eve", 0},
		{"request-denied", "Request: denied", "ada", 2},
		{"request-done", "Request: a refill, done", "ada", 3},
		{"request-superseded", "Request: cancelled as the policy changed", "ada", 4},
		{"request-policy", "Request: another policy", "ada", 5},
	} {
		list = append(list, story{one.path, one.text, "request.html", func(p *Pages, f *fixtures, s shell) (any, error) {
			r := f.requests()[one.at]
			v, err := p.viewRequest(p.shellOf(s, f, one.person), f.roster, f.roster.Person(one.person), &r)
			if err == nil && one.path == "request-policy" {
				v.Version = "8"
				v.Diff, v.PolicyText, err = p.compare(f.policies, f.policies[0].Text)
			}
			return v, err
		}})
	}
	return list
}

// shellOf is the shell of another person of the fixtures.
func (p *Pages) shellOf(s shell, f *fixtures, person string) shell {
	as := p.shell(f.roster.Person(person), "made-up")
	as.Self = s.Self
	return as
}

func aboutMoney() []story {
	return []story{
		{"vaults", "Vaults: above a cap, below a floor, a drill is overdue", "vaults.html", func(p *Pages, f *fixtures, s shell) (any, error) {
			v := vaultsView{shell: s.at("vaults", "Vaults")}
			for _, state := range f.states() {
				if err := p.addSide(&v, &state); err != nil {
					return nil, err
				}
			}
			return v, nil
		}},
		{"vaults-empty", "Vaults: none", "vaults.html", func(_ *Pages, _ *fixtures, s shell) (any, error) {
			return vaultsView{shell: s.at("vaults", "Vaults")}, nil
		}},
		{"moves", "Moves: in each state", "moves.html", func(p *Pages, f *fixtures, s shell) (any, error) { return p.viewMoves(s, f.moves()), nil }},
		{"addresses", "Addresses: in each state", "addresses.html", func(p *Pages, f *fixtures, s shell) (any, error) {
			v := p.viewAddresses(s, "", f.entries())
			v.Chains = []string{"bitcoin", "ethereum"}
			return v, nil
		}},
	}
}

func aboutRules() []story {
	return []story{
		{"policies", "Policies: versions", "policies.html", func(_ *Pages, f *fixtures, s shell) (any, error) {
			return viewPolicies(s, f.policies, f.now.Unix())
		}},
		{"policy", "Policy: a draft, tried, and who can move money alone", "policy.html", func(p *Pages, f *fixtures, s shell) (any, error) {
			v, is, err := p.viewPolicy(s, f.policies, &f.policies[0])
			if err != nil {
				return nil, err
			}
			v.Trial = viewTrial(&treasury.Trial{
				From: f.now.Add(-30 * 24 * time.Hour), Total: 812, Changed: 2, Cut: true, Decisions: []treasury.Changed{
					{Request: "rqs_1", Was: "2 of treasury", Is: "allow", Sentence: "Rule “small-btc” lets it pass.", IsLaxer: true},
					{Request: "rqs_2", Was: "allow", Is: "2 of treasury", Sentence: "Rule “large” asks 2 of treasury."},
				},
			})
			v.Asset, v.Above = "BTC", "1"
			p.answer(&v, is, f.roster, units("100000000"))
			return v, nil
		}},
		{"people", "People", "people.html", func(_ *Pages, f *fixtures, s shell) (any, error) {
			uses := []treasury.KeyUse{{Person: "ada", Key: "ada-phone", Count: 41, Last: f.now.Add(-time.Hour)}}
			row := treasury.RosterRow{Version: f.roster.Version, Document: made("roster")}
			return viewPeople(s, f.roster, &row, uses), nil
		}},
	}
}

func aboutAccess() []story {
	freeze := func(person string, is Frozen, mute string) func(*Pages, *fixtures, shell) (any, error) {
		return func(p *Pages, f *fixtures, s shell) (any, error) {
			s = p.shellOf(s, f, person)
			if s.Mute = mute; is.Document != "" {
				s.Frozen = is.Person + " stopped all signing: " + is.Reason
			}
			return viewFreeze(s, f.roster, f.roster.Person(person), is, mute), nil
		}
	}
	stopped := func(f *fixtures) Frozen {
		return Frozen{Person: "bob", Reason: "payments that nobody asked for", At: f.now.Add(-time.Minute).Unix(), Document: made("freeze")}
	}
	return []story{
		{"freeze", "Freeze: an officer may", "freeze.html", freeze("ada", Frozen{}, "")},
		{"freeze-other", "Freeze: somebody else may not", "freeze.html", freeze("eve", Frozen{}, "")},
		{"freeze-mute", "Freeze: the signer does not answer", "freeze.html", freeze("ada", Frozen{}, "The signer does not answer: whether signing is stopped is not known.")},
		{"frozen", "Freeze: signing is stopped", "freeze.html", func(p *Pages, f *fixtures, s shell) (any, error) {
			return freeze("ada", stopped(f), "")(p, f, s)
		}},
		{"enter", "Log in", "enter.html", func(p *Pages, f *fixtures, _ shell) (any, error) {
			return enterView{shell: p.shell(nil, "").at("", "Log in"), Nonce: "made-up", Site: f.roster.RPID, Next: "/treasury/requests"}, nil
		}},
		{"enroll", "Add a passkey", "enroll.html", func(p *Pages, f *fixtures, _ shell) (any, error) {
			return enterView{shell: p.shell(nil, "").at("", "Add a passkey"), Site: f.roster.RPID}, nil
		}},
		{"fault", "What is refused", "fault.html", func(p *Pages, _ *fixtures, _ shell) (any, error) {
			err := fmt.Errorf("%w: challenge is of another intent, verdict, person, time or reason", consent.ErrApproval)
			return faultView{shell: p.shell(nil, ""), Text: sentence(err), Fix: "Nothing was changed. Try again with your own passkey.", Next: "/treasury/storybook", Action: "To the storybook"}, nil
		}},
	}
}

// entries are an address book's, in each state.
func (f *fixtures) entries() []treasury.EntryRow {
	day := int64(24 * 60 * 60)
	now := f.now.Unix()
	entry := func(id, label, chain, address string, state addressbook.State, alike ...string) treasury.EntryRow {
		e := addressbook.Entry{ID: id, Owner: addressbook.House, Chain: chain, Address: address, Label: label, State: state, ProposedAt: now - 3*day, Wait: day, Alike: alike}
		if state != addressbook.Proposed {
			e.ApprovedAt, e.ActiveFrom = now-2*day, now-day
		}
		if state == addressbook.Cooling {
			e.ApprovedAt, e.ActiveFrom = now-day/2, now+day/2
		}
		if !state.Live() {
			e.EndedAt, e.Reason = now-day, "the account was closed"
		}
		return treasury.EntryRow{Entry: e, Request: "rqs_" + id}
	}
	return []treasury.EntryRow{
		entry("adr_1", "Exchange A, Bitcoin", "bitcoin", coinAddress, addressbook.Active),
		entry("adr_2", "Market maker", "ethereum", accountAddress, addressbook.Cooling),
		entry("adr_3", "Auditor", "bitcoin", forgedAddress, addressbook.Proposed, coinAddress),
		entry("adr_4", "Old bank", "ethereum", "0x00000000219ab540356cBB839Cbe05303d7705Fa", addressbook.Removed),
	}
}

// states are vaults in trouble and vaults in none.
func (f *fixtures) states() []vault.State {
	state := func(code, chain, most, target, floor, hot, open, cold string) vault.State {
		asset, _ := madeAsset(code)
		low, deep := "hot-"+strings.ToLower(code), "cold-"+strings.ToLower(code)
		return vault.State{
			Asset: asset, Chain: chain, Now: f.now, Terms: vault.Terms{FeeShare: 100, Least: units("1000")},
			Holdings: []vault.Holding{
				{Vault: vault.Vault{
					ID: low, Asset: code, Chain: chain, Tier: vault.Hot, Address: "signer", Cap: units(most), Target: units(target), Floor: units(floor), ProofDays: 30,
				}, Final: units(hot), Open: units(open)},
				{Vault: vault.Vault{ID: deep, Asset: code, Chain: chain, Tier: vault.Cold, Address: coinAddress, ProofDays: 90}, Final: units(cold)},
			},
			Proofs: []vault.Proof{{Vault: low, At: f.now.Add(-time.Hour).Unix()}, {Vault: deep, At: f.now.Add(-80 * 24 * time.Hour).Unix()}},
		}
	}
	above := state("BTC", "bitcoin", "400000000", "300000000", "50000000", "512300000", "20000000", "91200000000")
	below := state("ETH", "ethereum", "90000000000000000000", "60000000000000000000", "20000000000000000000", "7100000000000000000", "0", "4100000000000000000000")
	below.Proofs = below.Proofs[:1]
	below.Flows = []vault.Flow{{ID: "wdr_1", From: "hot-eth", Amount: units("1000000000000000000"), Stage: vault.Sent}}
	return []vault.State{above, below}
}
