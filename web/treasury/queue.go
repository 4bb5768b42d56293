package treasurypages

import (
	"time"

	"strongroom/treasury"
)

// soon is what the view "expiring" is of.
const soon = 4 * time.Hour

// item is a request as a line of the queue.
type item struct {
	ID, Action, What, To, ToShort, State, StateText, Missing, By, Reason string
	ToGroups                                                             []string
	Expires                                                              int64
	ExpiresText                                                          string
	Danger                                                               bool
}

// queueView is a page of requests.
type queueView struct {
	shell

	View  string // mine, all, expiring
	Views []link
	Items []item
	Count string
	Next  string
}

func (p *Pages) queue(pg *page) error {
	query := pg.URL.Query()
	view, f := query.Get("view"), treasury.Filter{States: []treasury.State{treasury.Waiting}, After: query.Get("after")}
	switch view {
	case "all":
		f.States = nil
	case "expiring":
		f.Before = p.cfg.Clock().Add(soon)
	default:
		view, f.Person = "mine", pg.person.ID
	}
	list, err := p.cfg.Requests.List(pg.Context(), f)
	if err != nil {
		return err
	}
	return p.show(pg, "queue.html", p.viewQueue(pg.shell, view, &list))
}

func (p *Pages) viewQueue(s shell, view string, list *treasury.Page) queueView {
	v := queueView{shell: s.at("requests", "Requests"), View: view, Next: list.Next, Count: plural(list.Total, "request", "requests")}
	for _, l := range []link{{Path: "mine", Text: "Needs me"}, {Path: "all", Text: "All"}, {Path: "expiring", Text: "Expiring"}} {
		l.Here = l.Path == view
		v.Views = append(v.Views, l)
	}
	for i := range list.Requests {
		v.Items = append(v.Items, p.item(&list.Requests[i]))
	}
	return v
}

func (p *Pages) item(r *treasury.Request) item {
	in := &r.Intent
	it := item{
		ID: r.ID, Action: string(in.Action), What: actionText(in.Action), To: in.To, ToShort: short(in.To), State: string(r.State), StateText: stateText(r.State),
		Missing: r.Missing, By: in.Requester, Reason: in.Reason, Expires: r.Expires.Unix(), ExpiresText: when(r.Expires),
	}
	if in.To != "" {
		it.ToGroups = chunks(in.To)
	}
	if in.Action.Moves() {
		it.What += " of " + p.amount(in.Asset, in.Amount)
	}
	for _, n := range r.Notes {
		it.Danger = it.Danger || n.Level == treasury.Danger
	}
	return it
}
