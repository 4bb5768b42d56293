package trading

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"strongroom/matching/engine"
	"strongroom/money"
)

// Numbers gives assets the numbers by which a shard knows them, the same for ever;
// settle.Registry is one.
type Numbers interface {
	Asset(ctx context.Context, code string) (engine.AssetID, error)
}

// Catalog is the markets of a shard and the assets that they trade. It does not change
// and is safe for concurrent use.
type Catalog struct {
	markets []*Market
	names   map[string]*Market
	ids     map[engine.MarketID]*Market
	assets  map[engine.AssetID]money.Asset
	numbers map[string]engine.AssetID
}

// NewCatalog works out what the markets of terms mean. lookup finds an asset by its code;
// its error is wrapped. Errors: ErrTerms, with market, field and fix; those of lookup and
// numbers.
func NewCatalog(ctx context.Context, terms []Terms, lookup func(code string) (money.Asset, error), numbers Numbers) (*Catalog, error) {
	c := &Catalog{
		names: map[string]*Market{}, ids: map[engine.MarketID]*Market{},
		assets: map[engine.AssetID]money.Asset{}, numbers: map[string]engine.AssetID{},
	}
	if err := checkList(terms); err != nil {
		return nil, err
	}
	for i := range terms {
		t := &terms[i]
		for _, code := range []string{t.Base, t.Quote} {
			if err := c.admit(ctx, t.Name, code, lookup, numbers); err != nil {
				return nil, err
			}
		}
		base, quote := c.numbers[t.Base], c.numbers[t.Quote]
		m, err := t.market(c.assets[base], c.assets[quote], base, quote)
		if err != nil {
			return nil, err
		}
		c.markets = append(c.markets, m)
		c.names[m.Name], c.ids[m.ID] = m, m
	}
	return c, nil
}

// admit learns an asset, once.
func (c *Catalog) admit(ctx context.Context, market, code string, lookup func(string) (money.Asset, error), numbers Numbers) error {
	if _, ok := c.numbers[code]; ok {
		return nil
	}
	asset, err := lookup(code)
	if err != nil {
		return fmt.Errorf("find asset %s of market %s: %w", code, market, err)
	}
	no, err := numbers.Asset(ctx, code)
	if err != nil {
		return fmt.Errorf("number asset %s of market %s: %w", code, market, err)
	}
	c.numbers[code], c.assets[no] = no, asset
	return nil
}

// Market returns a market by its name, nil where there is none.
func (c *Catalog) Market(name string) *Market { return c.names[name] }

// ByID returns a market by its number, nil where there is none.
func (c *Catalog) ByID(id engine.MarketID) *Market { return c.ids[id] }

// All returns the markets in the order of their terms.
func (c *Catalog) All() []*Market { return slices.Clone(c.markets) }

// Names lists the markets, for people.
func (c *Catalog) Names() string {
	names := make([]string, 0, len(c.markets))
	for _, m := range c.markets {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// Asset returns an asset by its number in the shard.
func (c *Catalog) Asset(no engine.AssetID) (money.Asset, bool) {
	a, ok := c.assets[no]
	return a, ok
}

// AssetNo returns the number of an asset in the shard.
func (c *Catalog) AssetNo(code string) (engine.AssetID, bool) {
	no, ok := c.numbers[code]
	return no, ok
}

// Assets returns the numbers of all assets that trade, in order of their codes.
func (c *Catalog) Assets() []engine.AssetID {
	codes := make([]string, 0, len(c.numbers))
	for code := range c.numbers {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	out := make([]engine.AssetID, 0, len(codes))
	for _, code := range codes {
		out = append(out, c.numbers[code])
	}
	return out
}
