package web

import (
	"log/slog"
	"net/http"
)

// enterView is the page that asks to go on: a preview of the link uses nothing up.
type enterView struct{ Static, Code string }

const maxCode = 64

func (p *Pages) enterPage(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	if code == "" || len(code) > maxCode {
		p.fault(w, r, http.StatusBadRequest, "This link is not complete.", "Ask for a new one.")
		return
	}
	p.render(w, r, http.StatusOK, "enter.html", enterView{Static: p.static.Base, Code: code})
}

func (p *Pages) enter(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	token, ok, err := p.redeem(r.Context(), code)
	switch {
	case err != nil:
		p.cfg.Logger.ErrorContext(r.Context(), "begin session", slog.Any("error", err))
		p.fault(w, r, http.StatusServiceUnavailable, "Logging in does not work right now.", "Ask for a new link in a moment.")
	case !ok:
		p.fault(w, r, http.StatusGone, "This link was used before, or is older than a minute.", "Ask for a new one.")
	default:
		p.forget(r) // whoever was here before
		p.sessions.SetCookie(w, r, token)
		http.Redirect(w, r, "/trade", http.StatusSeeOther)
	}
}

func (p *Pages) leave(w http.ResponseWriter, r *http.Request) {
	v := p.visitor(r)
	if v.Customer != "" && !v.sent(r) {
		p.fault(w, r, http.StatusForbidden, "This form is not of this session.", "Load the trade page again.")
		return
	}
	if v.Customer != "" {
		if err := p.sessions.Forget(r); err != nil {
			p.cfg.Logger.ErrorContext(r.Context(), "end session", slog.Any("error", err))
			p.fault(w, r, http.StatusServiceUnavailable, "Leaving did not work.", "Try again.")
			return
		}
	}
	p.sessions.SetCookie(w, r, "")
	http.Redirect(w, r, "/trade", http.StatusSeeOther)
}

// forget ends the session that a browser had, where it had one.
func (p *Pages) forget(r *http.Request) {
	if err := p.sessions.Forget(r); err != nil {
		p.cfg.Logger.WarnContext(r.Context(), "an old session is not ended", slog.Any("error", err))
	}
}
