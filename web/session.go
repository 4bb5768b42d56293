package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"strongroom/identity"
	"strongroom/internal/kv"
)

// How long things last.
const (
	inviteLife  = time.Minute
	sessionLife = 12 * time.Hour
	sessionIdle = time.Hour
	// touchEvery is how old a session's last use may be before it is written again.
	touchEvery = time.Minute
)

const cookieName = "strongroom_session"

// errNobody reports a request without a session, or with one that is over.
var errNobody = errors.New("nobody's session")

// session is what is kept of one, below the hash of its token.
type session struct {
	Customer string    `json:"customer"`
	Began    time.Time `json:"began"`
	Used     time.Time `json:"used"`
}

// visitor is who looks at a page. Customer is empty for nobody known.
type visitor struct {
	Customer string
	CSRF     string // what forms of this session carry
}

// Invite makes a link of one use for a customer: whoever opens path within a minute, and
// confirms, is that customer in that browser. Errors: identity.ErrNotFound, and those of
// the collaborators.
func (p *Pages) Invite(ctx context.Context, customer string) (path string, expires time.Time, err error) {
	if _, err := p.cfg.Customers.Customer(ctx, customer); err != nil {
		return "", time.Time{}, fmt.Errorf("find customer: %w", err)
	}
	code := newToken()
	if err := p.cfg.Sessions.Set(ctx, keyOf("invite", code), []byte(customer), inviteLife); err != nil {
		return "", time.Time{}, fmt.Errorf("keep invitation: %w", err)
	}
	return "/trade/enter?code=" + url.QueryEscape(code), p.cfg.Clock().Add(inviteLife), nil
}

// redeem uses a code up and begins a session.
func (p *Pages) redeem(ctx context.Context, code string) (token string, ok bool, err error) {
	customer, err := p.cfg.Sessions.Take(ctx, keyOf("invite", code))
	if errors.Is(err, kv.ErrMissing) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("use invitation up: %w", err)
	}
	now := p.cfg.Clock()
	token = newToken()
	if err := p.keep(ctx, p.cfg.Sessions.Set, token, session{Customer: string(customer), Began: now, Used: now}); err != nil {
		return "", false, err
	}
	return token, true, nil
}

// keep writes a session by Set, or by Replace where it may have ended meanwhile.
func (p *Pages) keep(ctx context.Context, write func(context.Context, string, []byte, time.Duration) error, token string, s session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	left := min(sessionIdle, s.Began.Add(sessionLife).Sub(p.cfg.Clock()))
	if err := write(ctx, keyOf("session", token), data, left); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// find returns the session that a request comes from, errNobody where there is none or
// where it is over.
func (p *Pages) find(r *http.Request) (token string, s session, err error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		return "", s, errNobody
	}
	data, err := p.cfg.Sessions.Get(r.Context(), keyOf("session", cookie.Value))
	if errors.Is(err, kv.ErrMissing) {
		return "", s, errNobody
	}
	if err != nil {
		return "", s, fmt.Errorf("read session: %w", err)
	}
	now := p.cfg.Clock()
	if json.Unmarshal(data, &s) != nil || s.Customer == "" || !now.Before(s.Began.Add(sessionLife)) || !now.Before(s.Used.Add(sessionIdle)) {
		return "", session{}, errNobody
	}
	return cookie.Value, s, nil
}

// visitor finds out who asks, and keeps a session from being idle. Where sessions cannot
// be read, that is nobody.
func (p *Pages) visitor(r *http.Request) visitor {
	token, s := p.known(r)
	if now := p.cfg.Clock(); token != "" && now.Sub(s.Used) >= touchEvery {
		s.Used = now
		err := p.keep(r.Context(), p.cfg.Sessions.Replace, token, s)
		if errors.Is(err, kv.ErrMissing) {
			return visitor{} // it was left a moment ago
		}
		if err != nil {
			p.cfg.Logger.WarnContext(r.Context(), "a session's use is not kept", slog.Any("error", err))
		}
	}
	return visitor{Customer: s.Customer, CSRF: csrfOf(token)}
}

// glance is visitor for what a page's script asks by itself: that is no use of a session.
func (p *Pages) glance(r *http.Request) visitor {
	token, s := p.known(r)
	return visitor{Customer: s.Customer, CSRF: csrfOf(token)}
}

// known is find with nobody's session where there is none.
func (p *Pages) known(r *http.Request) (token string, s session) {
	token, s, err := p.find(r)
	if err != nil && !errors.Is(err, errNobody) {
		p.cfg.Logger.WarnContext(r.Context(), "a session cannot be read", slog.Any("error", err))
	}
	return token, s
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
	_, _, err := p.find(r)
	if errors.Is(err, errNobody) {
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

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// keyOf is where something is kept. What is stolen from there opens nothing.
func keyOf(kind, secret string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + secret))
	return "web:" + kind + ":" + hex.EncodeToString(sum[:])
}

// csrfOf is what forms of a session carry: who knows it does not know the token. It is
// empty for no session.
func csrfOf(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("csrf\x00" + token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (v visitor) sent(r *http.Request) bool {
	return v.CSRF != "" && subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(v.CSRF)) == 1
}

func sessionCookie(r *http.Request, token string, life time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: cookieName, Value: token, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: !loopback(r.Host),
	}
}

// loopback tells whether a host is this machine, where there is no TLS.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}
