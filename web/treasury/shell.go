package treasurypages

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"strongroom/money"
	"strongroom/treasury/consent"
)

// shell is what every page has.
type shell struct {
	Static, Environment string
	Person, Name        string // empty: nobody is logged in
	CSRF                string
	Now                 int64 // Unix seconds, by the server
	Frozen, Mute        string
	Here                string // of Links
	Title               string
	Self                string // path and query of the page
	Live                bool   // it hears of changes
}

// link is one of the menu.
type link struct {
	Path, Text string
	Here       bool
}

// Links is the menu.
func (s shell) Links() []link {
	all := []link{
		{Path: "requests", Text: "Requests"},
		{Path: "vaults", Text: "Vaults"},
		{Path: "moves", Text: "Moves"},
		{Path: "addresses", Text: "Addresses"},
		{Path: "policies", Text: "Policies"},
		{Path: "people", Text: "People"},
		{Path: "freeze", Text: "Freeze"},
	}
	for i := range all {
		all[i].Here = all[i].Path == s.Here
	}
	return all
}

func (s shell) at(here, title string) shell {
	s.Here, s.Title = here, title
	return s
}

func (p *Pages) shell(who *consent.Person, csrf string) shell {
	s := shell{Static: p.static.Base, Environment: p.cfg.Environment, CSRF: csrf, Now: p.cfg.Clock().Unix(), Title: "Treasury"}
	if who != nil {
		s.Person, s.Name = who.ID, who.Name
	}
	return s
}

// faultView is what is wrong and what would do.
type faultView struct {
	shell

	Text, Fix, Next, Action string
}

// frozen is what the banner says: who stopped signing, or why that is not known.
func (p *Pages) frozen() (stopped, mute string) {
	if p.cfg.Switch == nil {
		return "", ""
	}
	is, mute := p.hub.signer()
	if is.Document == "" {
		return "", mute
	}
	return is.Person + " stopped all signing: " + is.Reason, mute
}

// amount is in wholes of the asset where it is known.
func (p *Pages) amount(code string, u money.Units) string {
	if a, ok := p.cfg.Assets(code); ok {
		return a.Format(u) + " " + code
	}
	return u.String() + " base units of " + code
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func whenUnix(at int64) string {
	if at == 0 {
		return ""
	}
	return when(time.Unix(at, 0))
}

// sentence is an error for people: with a capital and a full stop.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

// local is a path below /treasury, whatever was asked for.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || path.Clean(u.Path) != u.Path || !strings.HasPrefix(u.Path, "/treasury/") || strings.Contains(next, `\`) {
		return "/treasury/requests"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).RequestURI()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
