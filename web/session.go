package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"strongroom/identity"
	"strongroom/internal/kv"
	"strongroom/web/site"
)

// inviteLife is how long a link to log in counts.
const inviteLife = time.Minute

// visitor is who looks at a page. Customer is empty for nobody known.
type visitor struct {
	Customer string
	CSRF     string // what forms of this session carry

	session site.Session
}

// Invite makes a link of one use for a customer: whoever opens path within a minute, and
// confirms, is that customer in that browser. Errors: identity.ErrNotFound, and those of
// the collaborators.
func (p *Pages) Invite(ctx context.Context, customer string) (path string, expires time.Time, err error) {
	if _, err := p.cfg.Customers.Customer(ctx, customer); err != nil {
		return "", time.Time{}, fmt.Errorf("find customer: %w", err)
	}
	code := site.NewToken()
	if err := p.cfg.Sessions.Set(ctx, p.sessions.Key("invite", code), []byte(customer), inviteLife); err != nil {
		return "", time.Time{}, fmt.Errorf("keep invitation: %w", err)
	}
	return "/trade/enter?code=" + url.QueryEscape(code), p.cfg.Clock().Add(inviteLife), nil
}

// redeem uses a code up and begins a session.
func (p *Pages) redeem(ctx context.Context, code string) (token string, ok bool, err error) {
	customer, err := p.cfg.Sessions.Take(ctx, p.sessions.Key("invite", code))
	if errors.Is(err, kv.ErrMissing) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("use invitation up: %w", err)
	}
	s, err := p.sessions.Begin(ctx, string(customer))
	return s.Token, err == nil, err
}

// visitor finds out who asks, and keeps a session from being idle. Where sessions cannot
// be read, that is nobody.
func (p *Pages) visitor(r *http.Request) visitor {
	s := p.known(r)
	if s.Token != "" {
		err := p.sessions.Touch(r.Context(), s)
		if errors.Is(err, kv.ErrMissing) {
			return visitor{} // it was left a moment ago
		}
		if err != nil {
			p.cfg.Logger.WarnContext(r.Context(), "a session's use is not kept", slog.Any("error", err))
		}
	}
	return visitor{Customer: s.Subject, CSRF: s.CSRF(), session: s}
}

// glance is visitor for what a page's script asks by itself: that is no use of a session.
func (p *Pages) glance(r *http.Request) visitor {
	s := p.known(r)
	return visitor{Customer: s.Subject, CSRF: s.CSRF(), session: s}
}

// known is the session of a request, nobody's where there is none.
func (p *Pages) known(r *http.Request) site.Session {
	s, err := p.sessions.Find(r)
	if err != nil && !errors.Is(err, site.ErrNobody) {
		p.cfg.Logger.WarnContext(r.Context(), "a session cannot be read", slog.Any("error", err))
	}
	return s
}

// Customer tells whose session a request belongs to; the stream's door asks. It is no use
// of the session.
func (p *Pages) Customer(r *http.Request) (customer string, ok bool) {
	v := p.glance(r)
	return v.Customer, v.Customer != ""
}

// SessionStands tells whether the session that a request came with has not ended since. It
// is no use of the session. An error says that this is not known now.
func (p *Pages) SessionStands(r *http.Request) (bool, error) {
	_, err := p.sessions.Find(r)
	if errors.Is(err, site.ErrNobody) {
		return false, nil
	}
	return err == nil, err
}

// active tells whether a customer may trade and move money.
func (p *Pages) active(ctx context.Context, customer string) (bool, error) {
	c, err := p.cfg.Customers.Customer(ctx, customer)
	if err != nil {
		return false, fmt.Errorf("find customer: %w", err)
	}
	return c.State == identity.Active, nil
}

func (v visitor) sent(r *http.Request) bool { return v.session.Sent(r) }
