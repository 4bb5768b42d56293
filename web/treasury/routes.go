package treasurypages

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/web/site"
)

const maxForm = 512 << 10 // bytes of a posted form: a policy is the largest

// page is a request of somebody who is logged in.
type page struct {
	*http.Request
	shell

	w       http.ResponseWriter
	session site.Session
	roster  *consent.Roster
	person  *consent.Person
}

func (p *Pages) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /treasury", http.RedirectHandler("/treasury/requests", http.StatusFound))
	mux.Handle("GET /treasury/{$}", http.RedirectHandler("/treasury/requests", http.StatusFound))
	mux.HandleFunc("GET /treasury/enter", p.enterPage)
	mux.HandleFunc("POST /treasury/enter", p.enter)
	mux.HandleFunc("GET /treasury/enroll", p.enrollPage)
	for pattern, serve := range map[string]func(*page) error{
		"GET /treasury/requests":                    p.queue,
		"GET /treasury/requests/{id}":               p.request,
		"GET /treasury/vaults":                      p.vaults,
		"GET /treasury/moves":                       p.moves,
		"GET /treasury/addresses":                   p.addresses,
		"GET /treasury/policies":                    p.policies,
		"GET /treasury/policies/{version}":          p.policy,
		"GET /treasury/people":                      p.people,
		"GET /treasury/freeze":                      p.freezePage,
		"GET /treasury/events":                      p.events,
		"POST /treasury/leave":                      p.form(p.leave),
		"POST /treasury/requests/{id}/sign":         p.form(p.sign),
		"POST /treasury/requests/{id}/cancel":       p.form(p.stepUp(p.cancel)),
		"POST /treasury/addresses":                  p.form(p.stepUp(p.proposeAddress)),
		"POST /treasury/addresses/{id}/remove":      p.form(p.stepUp(p.removeAddress)),
		"POST /treasury/policies":                   p.form(p.stepUp(p.draftPolicy)),
		"POST /treasury/policies/{version}/propose": p.form(p.stepUp(p.proposePolicy)),
		"POST /treasury/policies/{version}/drop":    p.form(p.stepUp(p.dropPolicy)),
		"POST /treasury/freeze":                     p.form(p.freeze),
		"POST /treasury/unfreeze":                   p.form(p.stepUp(p.unfreeze)),
	} {
		mux.HandleFunc(pattern, p.known(serve))
	}
	if p.cfg.Storybook {
		mux.HandleFunc("GET /treasury/storybook", p.storybook)
		mux.HandleFunc("GET /treasury/storybook/{screen}", p.story)
	}
	mux.Handle("GET /treasury/static/", p.static)
	mux.HandleFunc("/treasury/", func(w http.ResponseWriter, r *http.Request) {
		p.fault(w, r, http.StatusNotFound, "There is no such page.", "Choose one in the menu.")
	})
	return site.Guard(maxForm, func(w http.ResponseWriter, r *http.Request) {
		p.fault(w, r, http.StatusForbidden, "This came from another site.", "Open the page itself and try again.")
	}, mux)
}

// known lets in who is logged in and in the roster; others are asked to log in.
func (p *Pages) known(serve func(*page) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := p.sessions.Find(r)
		if errors.Is(err, site.ErrNobody) {
			p.stranger(w, r)
			return
		}
		if err != nil {
			p.failed(w, r, err)
			return
		}
		roster, _, err := p.cfg.People.Roster(r.Context())
		if err != nil {
			p.failed(w, r, err)
			return
		}
		who := roster.Person(s.Subject)
		if who == nil {
			p.stranger(w, r)
			return
		}
		if r.URL.Path != "/treasury/events" { // what a page asks for by itself is no use of a session
			if err := p.sessions.Touch(r.Context(), s); err != nil {
				p.cfg.Logger.WarnContext(r.Context(), "a session's use is not kept", slog.Any("error", err))
			}
		}
		pg := &page{Request: r, w: w, session: s, roster: roster, person: who, shell: p.shell(who, s.CSRF())}
		pg.Frozen, pg.Mute = p.frozen()
		pg.Self, pg.Live = r.URL.RequestURI(), true
		if err := serve(pg); err != nil {
			p.failed(w, r, err)
		}
	}
}

func (p *Pages) stranger(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path == "/treasury/events" || r.Header.Get("HX-Request") != "" {
		p.fault(w, r, http.StatusUnauthorized, "You are not logged in any more.", "Log in and try again.")
		return
	}
	http.Redirect(w, r, "/treasury/enter?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
}

// form lets through what a form of this very session sent.
func (p *Pages) form(serve func(*page) error) func(*page) error {
	return func(pg *page) error {
		if !pg.session.Sent(pg.Request) {
			p.fault(pg.w, pg.Request, http.StatusForbidden, "This form is not of this session.", "Load the page again.")
			return nil
		}
		return serve(pg)
	}
}

// StepUp is how long after a passkey was used to log in a session may do what is not
// signed by itself.
const StepUp = 10 * time.Minute

// stepUp asks for the passkey again where that was long ago.
func (p *Pages) stepUp(serve func(*page) error) func(*page) error {
	return func(pg *page) error {
		if p.cfg.Clock().Sub(pg.session.Began) > StepUp {
			p.render(pg.w, pg.Context(), http.StatusForbidden, "fault.html", faultView{
				shell: p.shell(nil, ""), Text: "Show your passkey again for this.", Fix: "You logged in more than 10 minutes ago. Nothing was changed.",
				Next: "/treasury/enter?next=" + url.QueryEscape(backTo(pg.Request)), Action: "Log in again",
			})
			return nil
		}
		return serve(pg)
	}
}

// backTo is the page that a form was on.
func backTo(r *http.Request) string {
	if from, err := url.Parse(r.Referer()); err == nil {
		return local(from.RequestURI())
	}
	return "/treasury/requests"
}

// render writes a template, whole or not at all.
func (p *Pages) render(w http.ResponseWriter, ctx context.Context, status int, name string, data any) { //nolint:revive // the writer comes first everywhere
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, data); err != nil {
		p.cfg.Logger.ErrorContext(ctx, "render page", slog.String("template", name), slog.Any("error", err))
		http.Error(w, "The page cannot be shown now. Try again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader is gone where this fails
}

// show renders a page of somebody who is logged in.
func (p *Pages) show(pg *page, name string, data any) error {
	p.render(pg.w, pg.Context(), http.StatusOK, name, data)
	return nil
}

func (p *Pages) fault(w http.ResponseWriter, r *http.Request, status int, text, fix string) {
	p.render(w, r.Context(), status, "fault.html", faultView{shell: p.shell(nil, ""), Text: text, Fix: fix, Next: "/treasury/requests", Action: "To the requests"})
}

// failed says what went wrong, in full where it is the visitor's to put right.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	for _, known := range []struct {
		of     error
		status int
		fix    string
	}{
		{treasury.ErrUnknown, http.StatusNotFound, "Choose one in the menu."},
		{treasury.ErrRefused, http.StatusForbidden, "Nothing was changed. Load the page again and compare before you sign."},
		{treasury.ErrEnded, http.StatusConflict, "Load the page again: it shows how it ended."},
		{treasury.ErrConflict, http.StatusConflict, "Load the page again and decide by what it shows then."},
		{treasury.ErrInvalid, http.StatusBadRequest, "Change it and send it again."},
		{addressbook.ErrInvalid, http.StatusBadRequest, "Change it and send it again."},
		{addressbook.ErrThere, http.StatusConflict, "Look for it in the book."},
		{addressbook.ErrOwn, http.StatusConflict, "Pay it without an entry."},
		{addressbook.ErrState, http.StatusConflict, "Load the page again."},
		{consent.ErrApproval, http.StatusForbidden, "Nothing was changed. Try again with your own passkey."},
		{consent.ErrCloned, http.StatusForbidden, "Tell an officer at once, and use another passkey."},
		{treasury.ErrTampered, http.StatusInternalServerError, "Tell an officer at once: nothing is decided by it."},
	} {
		if errors.Is(err, known.of) {
			p.cfg.Logger.WarnContext(r.Context(), "refused", slog.String("path", r.URL.Path), slog.Any("error", err))
			p.fault(w, r, known.status, sentence(err), known.fix)
			return
		}
	}
	if r.Context().Err() == nil {
		p.cfg.Logger.ErrorContext(r.Context(), "serve page", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	p.fault(w, r, http.StatusServiceUnavailable, "This does not work right now.", "Try again in a moment.")
}
