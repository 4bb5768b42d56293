package treasurypages

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/vault"
	"strongroom/web/site"
)

// Switch stops all signing; the signer's client is behind it.
type Switch interface {
	// Freeze stops signing by one officer's signed word. An error that is not the
	// context's says why it does not count.
	Freeze(ctx context.Context, f consent.Freeze) error
	// Frozen tells who stopped signing; its zero value is that nobody did.
	Frozen(ctx context.Context) (Frozen, error)
}

// Frozen is an officer's freeze that stands.
type Frozen struct {
	Person, Reason string
	At             int64  // Unix seconds
	Document       string // that a request to go on names; empty: nothing is frozen
}

// Config is what the pages need. All of it is required unless said otherwise.
type Config struct {
	Environment string // as in rosters and intents
	Requests    treasury.Requests
	Vaults      treasury.Vaults
	Addresses   treasury.Addresses
	Policies    treasury.Policies
	People      treasury.People
	// Switch is nil where this process cannot reach the signer: the page then says so.
	Switch Switch
	// Assets finds an asset by its code, for amounts in wholes.
	Assets func(code string) (money.Asset, bool)
	// Terms are what moves of an asset keep to.
	Terms func(asset string) vault.Terms
	// Canonical is the one form of an address on a chain. Errors say what is wrong with it.
	Canonical func(chain, address string) (string, error)
	Sessions  site.Store
	// Storybook serves each screen in each of its states below /treasury/storybook, to
	// anybody, out of made up data. For development.
	Storybook bool
	Logger    *slog.Logger
	Clock     func() time.Time
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var errConfig = errors.New("treasury pages lack a collaborator")

// Pages serves everything below /treasury. It is safe for concurrent use.
type Pages struct {
	cfg       Config
	templates *template.Template
	static    *site.Static
	sessions  *site.Keeper
	hub       *hub
	handler   http.Handler
}

func (c *Config) whole() bool {
	return c.Environment != "" && c.Requests != nil && c.Vaults != nil && c.Addresses != nil && c.Policies != nil &&
		c.People != nil && c.Assets != nil && c.Terms != nil && c.Canonical != nil && c.Sessions != nil && c.Logger != nil && c.Clock != nil
}

// New makes the pages. It starts nothing: Run hears what changes.
func New(cfg Config) (*Pages, error) {
	if !cfg.whole() {
		return nil, errConfig
	}
	p := &Pages{cfg: cfg, hub: newHub()}
	p.sessions = &site.Keeper{Store: cfg.Sessions, Clock: cfg.Clock, Kind: "treasury", Cookie: "strongroom_treasury", Path: "/treasury"}
	var err error
	if p.static, err = site.NewStatic("/treasury/static", staticFiles); err != nil {
		return nil, err
	}
	if p.templates, err = template.New("").ParseFS(templateFiles, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	p.handler = p.routes()
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }
