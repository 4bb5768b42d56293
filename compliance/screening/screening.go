// Package screening says whether a chain address stands on a sanctions list. It
// reads lists and compares; it decides nothing about money and moves none. What
// it cannot say for certain - a list that is missing, unreadable, empty or too
// old - is an error and never "not listed": the callers then wait.
//
// A vendor is one file beside this one that implements Provider, and one line in
// vendors.
package screening

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// Errors of lists; Screen wraps them in custody.ErrScreening.
var (
	ErrMissing = errors.New("list is missing")
	ErrFormat  = errors.New("list is not in its format")
	ErrEmpty   = errors.New("list names no address")
	ErrStale   = errors.New("list is too old")
	ErrVendor  = errors.New("no such vendor of lists")
	ErrChain   = errors.New("chain is unknown to screening")
)

// Chain says how one of our chains is called on lists.
type Chain struct {
	ID chainadapters.ChainID
	// Currencies are the codes under which lists name its addresses, in capitals:
	// XBT, LTC. An address that begins with 0x is compared whatever its code.
	Currencies []string
}

// Subject is one address to be looked up.
type Subject struct {
	Chain   Chain
	Address string // canonical, as the chain's adapter gives it
}

// Provider answers from one vendor's list. Implementations MUST be safe for
// concurrent use, and MUST return an error where they cannot answer for every
// subject.
type Provider interface {
	// Find returns what the list has against the subjects; nothing where none of
	// them stands on it.
	Find(ctx context.Context, subjects []Subject) ([]custody.Finding, error)
}

// Source is where a vendor's list is and how old it may be.
type Source struct {
	Path   string        // a file, or a folder of the vendor's files
	MaxAge time.Duration // since the file was written; zero for any age
	Clock  func() time.Time
	Log    *slog.Logger
}

// vendors is the registration: a line per vendor.
func vendors() map[string]func(Source) (Provider, error) {
	return map[string]func(Source) (Provider, error){
		"ofac-sdn": openOFAC,
	}
}

// Vendors returns the names that Config.Lists may use, in order.
func Vendors() []string {
	names := make([]string, 0, len(vendors()))
	for name := range vendors() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Config says which lists count and for which chains.
type Config struct {
	// Lists maps a vendor's name to the path of its list. Where it is empty every
	// answer is custody.ErrScreening.
	Lists  map[string]string
	MaxAge time.Duration // see Source
	Chains []Chain
	Clock  func() time.Time
	Log    *slog.Logger
}

// Screener asks every configured list. It is safe for concurrent use.
type Screener struct {
	chains    map[chainadapters.ChainID]Chain
	names     []string
	providers []Provider
}

// New returns a Screener. A list that cannot be read now is no error here: it is
// one for each question until it can be read. Errors: ErrVendor.
func New(cfg Config) (*Screener, error) {
	if cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("screening: config lacks clock or log")
	}
	s := &Screener{chains: make(map[chainadapters.ChainID]Chain, len(cfg.Chains))}
	for _, c := range cfg.Chains {
		s.chains[c.ID] = c
	}
	known := vendors()
	for name := range cfg.Lists {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	for _, name := range s.names {
		open, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("%w: %q; there are %s", ErrVendor, name, strings.Join(Vendors(), ", "))
		}
		provider, err := open(Source{Path: cfg.Lists[name], MaxAge: cfg.MaxAge, Clock: cfg.Clock, Log: cfg.Log})
		if err != nil {
			return nil, fmt.Errorf("open list %s: %w", name, err)
		}
		s.providers = append(s.providers, provider)
	}
	return s, nil
}

// Screen returns what any list has against addresses of a chain. Every list must
// answer: where one does not, the error wraps custody.ErrScreening.
func (s *Screener) Screen(ctx context.Context, chain chainadapters.ChainID, addresses []string) ([]custody.Finding, error) {
	named, known := s.chains[chain]
	switch {
	case !known:
		return nil, fmt.Errorf("screen on %s: %w: %w", chain, custody.ErrScreening, ErrChain)
	case len(s.providers) == 0:
		return nil, fmt.Errorf("screen on %s: %w: no list is configured", chain, custody.ErrScreening)
	}
	subjects := make([]Subject, len(addresses))
	for i, a := range addresses {
		subjects[i] = Subject{Chain: named, Address: a}
	}
	var found []custody.Finding
	for i, p := range s.providers {
		hits, err := p.Find(ctx, subjects)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", custody.ErrScreening, s.names[i], err)
		}
		found = append(found, hits...)
	}
	return found, nil
}

// Currencies returns the codes under which lists name addresses of a chain whose
// native asset is called so: lists follow ISO 4217, where Bitcoin is XBT.
func Currencies(native string) []string {
	if native == "BTC" {
		return []string{"XBT", "BTC"}
	}
	return []string{native}
}
