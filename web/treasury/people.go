package treasurypages

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// peopleView is the roster.
type peopleView struct {
	shell

	Version, Created, Expires string
	Document                  []string
	ExpiresUnix               int64
	Signers                   string // how many officers' keys sign it
	People                    []personLine
}

type personLine struct {
	ID, Name, Groups string
	Officer, Me      bool
	Keys             []keyLine
}

type keyLine struct{ ID, Scheme, Synced, Last, Count string }

func (p *Pages) people(pg *page) error {
	roster, row, err := p.cfg.People.Roster(pg.Context())
	if err != nil {
		return err
	}
	uses, err := p.cfg.People.KeyUses(pg.Context())
	if err != nil {
		return err
	}
	return p.show(pg, "people.html", viewPeople(pg.shell, roster, &row, uses))
}

func viewPeople(s shell, roster *consent.Roster, row *treasury.RosterRow, uses []treasury.KeyUse) peopleView {
	v := peopleView{
		shell: s.at("people", "People"), Version: strconv.FormatUint(roster.Version, 10), Created: whenUnix(roster.Created), Expires: whenUnix(roster.Expires),
		ExpiresUnix: roster.Expires, Document: chunks(row.Document), Signers: fmt.Sprintf("%d of %d officers' keys", roster.Officers.K, len(roster.Officers.Keys)),
	}
	last := map[[2]string]treasury.KeyUse{}
	for _, u := range uses {
		last[[2]string{u.Person, u.Key}] = u
	}
	for i := range roster.Persons {
		is := &roster.Persons[i]
		line := personLine{ID: is.ID, Name: is.Name, Groups: strings.Join(is.Groups, ", "), Officer: is.Officer, Me: is.ID == s.Person}
		for j := range is.Keys {
			k := &is.Keys[j]
			u := last[[2]string{is.ID, k.ID}]
			key := keyLine{ID: k.ID, Scheme: schemeText(k.Scheme), Last: when(u.Last)}
			if k.Synced {
				key.Synced = "synced between devices"
			}
			if u.Count > 0 {
				key.Count = strconv.FormatUint(uint64(u.Count), 10)
			}
			line.Keys = append(line.Keys, key)
		}
		v.People = append(v.People, line)
	}
	return v
}

func schemeText(s consent.Scheme) string {
	switch s {
	case consent.WebAuthn:
		return "passkey"
	case consent.Ed25519:
		return "Ed25519 key"
	case consent.EIP712:
		return "hardware wallet"
	}
	return string(s)
}

// freezeView is the switch.
type freezeView struct {
	shell

	Is       Frozen
	Since    string
	Mute     string // why the signer's state is not known
	Officer  bool
	Keys     string
	Site     string
	Officers int // how many have to agree to go on
}

func (p *Pages) freezePage(pg *page) error {
	is, mute := p.hub.signer()
	v := viewFreeze(pg.shell, pg.roster, pg.person, is, mute)
	if p.cfg.Switch == nil {
		v.Mute = "This process does not reach the signer: freeze from the command line (strongroom treasury freeze)."
	}
	var err error
	if v.Keys, err = passkeys(pg.person); err != nil {
		return err
	}
	return p.show(pg, "freeze.html", v)
}

func viewFreeze(s shell, roster *consent.Roster, who *consent.Person, is Frozen, mute string) freezeView {
	return freezeView{
		shell: s.at("freeze", "Freeze"), Is: is, Mute: mute, Since: whenUnix(is.At), Officer: who.Officer, Keys: "[]", Site: roster.RPID, Officers: roster.Officers.K,
	}
}

// freeze stops all signing by the visitor's passkey.
func (p *Pages) freeze(pg *page) error {
	if p.cfg.Switch == nil {
		return fmt.Errorf("%w: this process does not reach the signer", treasury.ErrInvalid)
	}
	a, err := spoken(pg)
	if err != nil {
		return err
	}
	f := consent.Freeze{
		Environment: p.cfg.Environment, Person: a.Person, Key: a.Key, Scheme: a.Scheme, At: a.At, Reason: a.Reason, Payload: a.Payload, Signature: a.Signature,
	}
	if err := pg.roster.VerifyFreeze(&f, p.cfg.Clock()); err != nil {
		return err
	}
	if err := p.cfg.Switch.Freeze(pg.Context(), f); err != nil {
		return err
	}
	p.cfg.Logger.WarnContext(pg.Context(), "signing is stopped", "person", f.Person, "reason", f.Reason)
	p.look(pg.Context())
	http.Redirect(pg.w, pg.Request, "/treasury/freeze", http.StatusSeeOther)
	return nil
}

// unfreeze asks officers whether signing goes on.
func (p *Pages) unfreeze(pg *page) error {
	if p.cfg.Switch == nil {
		return fmt.Errorf("%w: this process does not reach the signer", treasury.ErrInvalid)
	}
	is, err := p.cfg.Switch.Frozen(pg.Context())
	if err != nil {
		return err
	}
	if is.Document == "" {
		return fmt.Errorf("%w: no officer's freeze stands", treasury.ErrInvalid)
	}
	r, err := p.cfg.Requests.Ask(pg.Context(), treasury.Question{Intent: intent.Intent{
		ID: "unfreeze-" + is.Document, Action: intent.Unfreeze, Document: is.Document, Requester: pg.person.ID, Reason: pg.PostFormValue("reason"),
	}})
	if err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/requests/"+r.ID, http.StatusSeeOther)
	return nil
}

// drillSoon is how long before it lapses a proof of control is asked for.
const drillSoon = 14 * 24 * time.Hour
