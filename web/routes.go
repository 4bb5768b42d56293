package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"

	"strongroom/web/site"
)

const maxForm = 16 << 10 // bytes of a posted form

func (p *Pages) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /trade", p.first)
	mux.HandleFunc("GET /trade/{$}", p.first)
	mux.HandleFunc("GET /trade/enter", p.enterPage)
	mux.HandleFunc("POST /trade/enter", p.enter)
	mux.HandleFunc("POST /trade/leave", p.leave)
	mux.HandleFunc("GET /trade/{market}", p.market(p.visitor, p.page))
	mux.HandleFunc("GET /trade/{market}/candles", p.market(p.glance, p.candles))
	mux.HandleFunc("GET /trade/{market}/age", p.market(p.glance, p.age))
	mux.HandleFunc("GET /trade/{market}/cost", p.market(p.visitor, p.cost))
	mux.HandleFunc("GET /trade/{market}/panel/{panel}", p.market(p.glance, p.panel))
	mux.HandleFunc("POST /trade/{market}/orders", p.market(p.visitor, p.place))
	mux.HandleFunc("POST /trade/{market}/orders/{id}/cancel", p.market(p.visitor, p.cancel))
	mux.HandleFunc("POST /trade/{market}/transfer", p.market(p.visitor, p.transfer))
	mux.Handle("GET /static/", p.static)
	return site.Guard(maxForm, func(w http.ResponseWriter, r *http.Request) {
		p.fault(w, r, http.StatusForbidden, "This came from another site.", "Open the trade page itself and try again.")
	}, mux)
}

func (p *Pages) first(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/trade/"+url.PathEscape(p.cfg.Catalog.All()[0].Name), http.StatusFound)
}

// render writes a template, whole or not at all.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, data); err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "render page", slog.String("template", name), slog.Any("error", err))
		http.Error(w, "The page cannot be shown now. Try again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader is gone where this fails
}

// faultView is what is wrong and what would do.
type faultView struct {
	Static    string
	Text, Fix string
}

func (p *Pages) fault(w http.ResponseWriter, r *http.Request, status int, text, fix string) {
	p.render(w, r, status, "fault.html", faultView{Static: p.static.Base, Text: text, Fix: fix})
}

// partial tells whether htmx asks for a part of a page.
func partial(r *http.Request) bool { return r.Header.Get("Hx-Request") == "true" }
