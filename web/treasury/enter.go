package treasurypages

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"strongroom/internal/kv"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/web/site"
)

// nonceLife is how long a login may take.
const nonceLife = 5 * time.Minute

// enterView is the page that asks for a passkey.
type enterView struct {
	shell

	Nonce, Site, Next string
}

func (p *Pages) enterPage(w http.ResponseWriter, r *http.Request) {
	roster, _, err := p.cfg.People.Roster(r.Context())
	if err != nil {
		p.failed(w, r, err)
		return
	}
	nonce := site.NewToken()
	if err := p.cfg.Sessions.Set(r.Context(), p.sessions.Key("nonce", nonce), []byte("1"), nonceLife); err != nil {
		p.failed(w, r, fmt.Errorf("keep nonce: %w", err))
		return
	}
	p.render(w, r.Context(), http.StatusOK, "enter.html", enterView{
		shell: p.shell(nil, "").at("", "Log in"), Nonce: nonce, Site: roster.RPID, Next: local(r.URL.Query().Get("next")),
	})
}

// enrollPage is where a device makes a passkey for the officers to put on the roster. It
// keeps nothing and lets nobody in.
func (p *Pages) enrollPage(w http.ResponseWriter, r *http.Request) {
	roster, _, err := p.cfg.People.Roster(r.Context())
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r.Context(), http.StatusOK, "enroll.html", enterView{shell: p.shell(nil, "").at("", "Add a passkey"), Site: roster.RPID})
}

var errNonce = fmt.Errorf("%w: this page was used before, or is older than five minutes: load it again", consent.ErrApproval)

func (p *Pages) enter(w http.ResponseWriter, r *http.Request) {
	who, err := p.prove(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	if err := p.sessions.Forget(r); err != nil { // whoever was here before
		p.cfg.Logger.WarnContext(r.Context(), "an old session is not ended", slog.Any("error", err))
	}
	s, err := p.sessions.Begin(r.Context(), who)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.cfg.Logger.InfoContext(r.Context(), "logged in", slog.String("person", who))
	p.sessions.SetCookie(w, r, s.Token)
	http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther) //nolint:gosec // local lets paths of ours through alone
}

// prove finds out whose passkey signed a login. The nonce is used up first, whatever comes
// of it.
func (p *Pages) prove(r *http.Request) (person string, err error) {
	nonce := r.PostFormValue("nonce")
	_, err = p.cfg.Sessions.Take(r.Context(), p.sessions.Key("nonce", nonce))
	if errors.Is(err, kv.ErrMissing) {
		return "", errNonce
	}
	if err != nil {
		return "", fmt.Errorf("use nonce up: %w", err)
	}
	roster, _, err := p.cfg.People.Roster(r.Context())
	if err != nil {
		return "", err
	}
	if roster.Expired(p.cfg.Clock()) {
		return "", fmt.Errorf("%w: the roster has expired: officers have to sign a new one", consent.ErrApproval)
	}
	l := consent.Login{Environment: p.cfg.Environment, Nonce: nonce, Payload: []byte(r.PostFormValue("payload"))}
	if l.Credential, err = fromForm(r, "credential"); err != nil {
		return "", err
	}
	if l.Signature, err = fromForm(r, "signature"); err != nil {
		return "", err
	}
	who, count, err := roster.VerifyLogin(&l)
	if err != nil {
		return "", err
	}
	uses, err := p.cfg.People.KeyUses(r.Context())
	if err != nil {
		return "", err
	}
	return who.ID, fresh(uses, count)
}

// fresh refuses a passkey whose counter is not above that of its last approval.
func fresh(uses []treasury.KeyUse, count consent.Count) error {
	for _, u := range uses {
		if u.Person == count.Person && u.Key == count.Key && u.Count > 0 && count.Count <= u.Count {
			return fmt.Errorf("%w: it is %d, and was %d", consent.ErrCloned, count.Count, u.Count)
		}
	}
	return nil
}

// fromForm reads bytes of a form, as scripts of the pages send them.
func fromForm(r *http.Request, field string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(r.PostFormValue(field))
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not base64url", consent.ErrApproval, field)
	}
	return raw, nil
}

func (p *Pages) leave(pg *page) error {
	if err := p.sessions.Forget(pg.Request); err != nil {
		return err
	}
	p.sessions.SetCookie(pg.w, pg.Request, "")
	http.Redirect(pg.w, pg.Request, "/treasury/enter", http.StatusSeeOther)
	return nil
}
