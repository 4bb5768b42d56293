package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"strongroom/identity"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/web/site"
)

// Catalog is the markets there are; trading.Catalog is one.
type Catalog interface {
	// Market returns nil where there is none of that name.
	Market(name string) *trading.Market
	All() []*trading.Market
}

// Customers tells who a customer is; identity.Store is one.
type Customers interface {
	// Customer returns identity.ErrNotFound where there is none.
	Customer(ctx context.Context, customer string) (identity.Customer, error)
}

// Sessions keeps small values for a while; a kv.Store is one.
type Sessions = site.Store

// Funding reads what of a customer's money is not in trading.
type Funding interface {
	// Available returns what may be moved now, in base units, by asset code.
	Available(ctx context.Context, customer string) (map[string]money.Units, error)
}

// Tiers tells what a customer's tier of fees is, from 0.
type Tiers interface {
	Tier(ctx context.Context, customer string) (int, error)
}

// Config is what the pages need. All of it is required unless said otherwise.
type Config struct {
	Orders    trading.Orders
	Log       trading.Log
	Data      trading.MarketData
	Transfers trading.Transfers
	Catalog   Catalog
	Customers Customers
	Sessions  Sessions
	// Funding is shown beside trading balances; nil shows none.
	Funding Funding
	// Tiers is nil where all customers have tier 0.
	Tiers  Tiers
	Logger *slog.Logger
	Clock  func() time.Time
}

const cookieName = "strongroom_session"

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var errConfig = errors.New("trade page lacks a collaborator")

// Pages serves everything below /trade and /static. It is safe for concurrent use.
type Pages struct {
	cfg       Config
	templates *template.Template
	static    *site.Static
	sessions  *site.Keeper
	handler   http.Handler
}

func (c *Config) whole() bool {
	return c.Orders != nil && c.Log != nil && c.Data != nil && c.Transfers != nil && c.Catalog != nil &&
		c.Customers != nil && c.Sessions != nil && c.Logger != nil && c.Clock != nil
}

// New makes the pages. It starts nothing.
func New(cfg Config) (*Pages, error) {
	if !cfg.whole() {
		return nil, errConfig
	}
	if len(cfg.Catalog.All()) == 0 {
		return nil, fmt.Errorf("%w: there is no market", errConfig)
	}
	p := &Pages{cfg: cfg, sessions: &site.Keeper{Store: cfg.Sessions, Clock: cfg.Clock, Kind: "web", Cookie: cookieName, Path: "/"}}
	var err error
	if p.static, err = site.NewStatic("/static", staticFiles); err != nil {
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
