package treasurypages

import (
	"cmp"
	"net/http"
	"slices"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

// addressesView is the address books.
type addressesView struct {
	shell

	Owner   string // empty: all
	Entries []entryLine
	Chains  []string
}

type entryLine struct {
	ID, Owner, Chain, Address, Label, State, Since, ActiveFrom, Reason, Request string
	ActiveUnix                                                                  int64
	Alike                                                                       []string
	Live                                                                        bool
}

func (p *Pages) addresses(pg *page) error {
	owner := pg.URL.Query().Get("owner")
	rows, err := p.cfg.Addresses.Addresses(pg.Context(), owner)
	if err != nil {
		return err
	}
	v := p.viewAddresses(pg.shell, owner, rows)
	vaults, err := p.cfg.Vaults.Vaults(pg.Context())
	if err != nil {
		return err
	}
	for i := range vaults {
		v.Chains = append(v.Chains, vaults[i].Chain)
	}
	slices.Sort(v.Chains)
	v.Chains = slices.Compact(v.Chains)
	return p.show(pg, "addresses.html", v)
}

func (p *Pages) viewAddresses(s shell, owner string, rows []treasury.EntryRow) addressesView {
	v := addressesView{shell: s.at("addresses", "Addresses"), Owner: owner}
	now := p.cfg.Clock()
	for i := range rows {
		e := &rows[i]
		at := e.At(now)
		line := entryLine{
			ID: e.ID, Owner: e.Owner, Chain: e.Chain, Address: e.Address, Label: e.Label, State: string(at), Since: whenUnix(cmp.Or(e.EndedAt, e.ApprovedAt, e.ProposedAt)),
			Reason: e.Reason, Request: e.Request, Alike: e.Alike, Live: at.Live(),
		}
		if at == addressbook.Cooling {
			line.ActiveFrom, line.ActiveUnix = whenUnix(e.ActiveFrom), e.ActiveFrom
		}
		v.Entries = append(v.Entries, line)
	}
	return v
}

func (p *Pages) proposeAddress(pg *page) error {
	c := treasury.Candidate{
		Owner: addressbook.House, Chain: pg.PostFormValue("chain"), Label: pg.PostFormValue("label"), Requester: pg.person.ID, Reason: pg.PostFormValue("reason"),
	}
	var err error
	if c.Address, err = p.cfg.Canonical(c.Chain, pg.PostFormValue("address")); err != nil {
		return err
	}
	_, r, err := p.cfg.Addresses.ProposeAddress(pg.Context(), c)
	if err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/requests/"+r.ID, http.StatusSeeOther)
	return nil
}

func (p *Pages) removeAddress(pg *page) error {
	if _, err := p.cfg.Addresses.RemoveAddress(pg.Context(), pg.PathValue("id"), pg.person.ID, pg.PostFormValue("reason")); err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/addresses", http.StatusSeeOther)
	return nil
}
