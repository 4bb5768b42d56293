package site

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
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"strongroom/internal/kv"
)

// How long sessions last.
const (
	SessionLife = 12 * time.Hour
	SessionIdle = time.Hour
	// TouchEvery is how old a session's last use may be before it is written again.
	TouchEvery = time.Minute
)

// ErrNobody reports a request without a session, or with one that is over.
var ErrNobody = errors.New("nobody's session")

// Store keeps small values for a while; a kv.Store is one.
type Store interface {
	// Get returns kv.ErrMissing where there is no such key, or no longer.
	Get(ctx context.Context, key string) ([]byte, error)
	// Take returns a value and forgets it: of all who take it, in whatever process, one has
	// it. kv.ErrMissing as Get.
	Take(ctx context.Context, key string) ([]byte, error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Replace is Set where there is a value, and kv.ErrMissing where there is none.
	Replace(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) error
}

// Session is what is kept of one, below the hash of its token.
type Session struct {
	Token   string    `json:"-"`       // empty for nobody
	Subject string    `json:"subject"` // who it is
	Began   time.Time `json:"began"`
	Used    time.Time `json:"used"`
}

// CSRF is what forms of a session carry: who knows it does not know the token. It is empty
// for no session.
func (s *Session) CSRF() string {
	if s.Token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("csrf\x00" + s.Token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Sent tells whether a form came from a page of the session.
func (s *Session) Sent(r *http.Request) bool {
	return s.Token != "" && subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(s.CSRF())) == 1
}

// Keeper keeps the sessions of one kind of pages.
type Keeper struct {
	Store  Store
	Clock  func() time.Time
	Kind   string // what keys in the store begin with
	Cookie string // name
	Path   string // of the cookie
}

// Begin makes a session for somebody.
func (k *Keeper) Begin(ctx context.Context, subject string) (Session, error) {
	now := k.Clock()
	s := Session{Token: NewToken(), Subject: subject, Began: now, Used: now}
	return s, k.keep(ctx, k.Store.Set, s)
}

// Touch keeps a session from being idle. kv.ErrMissing says that it was left meanwhile.
func (k *Keeper) Touch(ctx context.Context, s Session) error {
	if k.Clock().Sub(s.Used) < TouchEvery {
		return nil
	}
	s.Used = k.Clock()
	return k.keep(ctx, k.Store.Replace, s)
}

func (k *Keeper) keep(ctx context.Context, write func(context.Context, string, []byte, time.Duration) error, s Session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	left := min(SessionIdle, s.Began.Add(SessionLife).Sub(k.Clock()))
	if err := write(ctx, k.Key("session", s.Token), data, left); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// Find returns the session that a request comes with, ErrNobody where there is none or
// where it is over.
func (k *Keeper) Find(r *http.Request) (s Session, err error) {
	cookie, err := r.Cookie(k.Cookie)
	if err != nil || cookie.Value == "" {
		return s, ErrNobody
	}
	data, err := k.Store.Get(r.Context(), k.Key("session", cookie.Value))
	if errors.Is(err, kv.ErrMissing) {
		return s, ErrNobody
	}
	if err != nil {
		return s, fmt.Errorf("read session: %w", err)
	}
	now := k.Clock()
	if json.Unmarshal(data, &s) != nil || s.Subject == "" || !now.Before(s.Began.Add(SessionLife)) || !now.Before(s.Used.Add(SessionIdle)) {
		return Session{}, ErrNobody
	}
	s.Token = cookie.Value
	return s, nil
}

// Forget ends the session that a browser had, where it had one.
func (k *Keeper) Forget(r *http.Request) error {
	cookie, err := r.Cookie(k.Cookie)
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	if err := k.Store.Delete(r.Context(), k.Key("session", cookie.Value)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SetCookie hands a session to the browser; an empty token takes it back.
func (k *Keeper) SetCookie(w http.ResponseWriter, r *http.Request, token string) {
	age := int(SessionLife / time.Second)
	if token == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: k.Cookie, Value: token, Path: k.Path, MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: !loopback(r.Host),
	})
}

// Key is where something is kept. What is stolen from there opens nothing.
func (k *Keeper) Key(kind, secret string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + secret))
	return k.Kind + ":" + kind + ":" + hex.EncodeToString(sum[:])
}

// NewToken draws 128 bits, as text for cookies and forms.
func NewToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// loopback tells whether a host is this machine, where there is no TLS.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}
