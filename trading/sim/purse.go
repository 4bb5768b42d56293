package sim

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"strongroom/api/client"
	"strongroom/money"
)

// Credential is a customer's Ed25519 key.
type Credential struct {
	Customer string `json:"customer"`
	Key      string `json:"key"`
	Seed     string `json:"seed"` // base64
}

// World is beyond the platform: it pays deposits.
type World interface {
	// Pay sends units to an address and returns when they are in a block.
	Pay(ctx context.Context, asset, to string, units money.Units) (txid string, err error)
}

// state is what is remembered across restarts.
type state struct {
	file string
	mu   sync.Mutex

	Customers map[string]Credential `json:"customers"` // by the name of who plays
	Paid      map[string]time.Time  `json:"paid"`      // when "name asset" was paid last
}

func openState(dir string) (*state, error) {
	s := &state{file: filepath.Join(dir, "sim.json")}
	raw, err := os.ReadFile(s.file)
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", s.file, err)
	}
	if s.Customers == nil {
		s.Customers = map[string]Credential{}
	}
	if s.Paid == nil {
		s.Paid = map[string]time.Time{}
	}
	return s, nil
}

// change applies a change and keeps it.
func (s *state) change(apply func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	apply()
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	next := s.file + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := os.Rename(next, s.file); err != nil {
		return fmt.Errorf("replace state: %w", err)
	}
	return nil
}

func (s *state) credential(name string) Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Customers[name]
}

// due tells whether who plays may be paid an asset again.
func (s *state) due(name, asset string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.Paid[name+" "+asset]) >= payPause
}

// payPause is how long a deposit has to arrive before another is sent.
const payPause = 3 * time.Minute

// enroll makes a customer with a key, once, who wants deposits to go to trading.
func enroll(ctx context.Context, s *state, operator *client.Client, name string) (Credential, error) {
	if have := s.credential(name); have.Key != "" {
		return have, nil
	}
	var customer struct{ ID string }
	if err := operator.Do(ctx, http.MethodPost, "/v1/customers", map[string]string{"name": name, "reference": "sim-" + strings.ReplaceAll(name, " ", "-")}, &customer); err != nil {
		return Credential{}, fmt.Errorf("create customer: %w", err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Credential{}, fmt.Errorf("make key: %w", err)
	}
	var created struct{ Key struct{ ID string } }
	err = operator.Do(ctx, http.MethodPost, "/v1/customers/"+customer.ID+"/keys", map[string]any{
		"label": "sim", "scheme": "ed25519", "publicKey": base64.StdEncoding.EncodeToString(public), "scopes": []string{"read", "trade"},
	}, &created)
	if err != nil {
		return Credential{}, fmt.Errorf("create API key: %w", err)
	}
	cred := Credential{Customer: customer.ID, Key: created.Key.ID, Seed: base64.StdEncoding.EncodeToString(private.Seed())}
	return cred, s.change(func() { s.Customers[name] = cred })
}

// purse sees to it that a customer has something to trade with.
type purse struct {
	name    string
	api     *client.Client
	account Account
	world   World
	state   *state
	assets  map[string]money.Asset
	fill    map[string]string // decimal by asset: what is paid where there is less than a quarter
	clock   func() time.Time
	asked   bool // deposits flow on to trading
}

// top pays what runs dry. A deposit on its way is waited for.
func (p *purse) top(ctx context.Context) error {
	if !p.asked {
		if err := p.api.Do(ctx, http.MethodPut, "/v1/trading/preferences", map[string]bool{"depositsToTrading": true}, nil); err != nil {
			return fmt.Errorf("prefer deposits to trading: %w", err)
		}
		p.asked = true
	}
	have, err := p.account.Trading(ctx)
	if err != nil {
		return fmt.Errorf("read balances: %w", err)
	}
	for code, amount := range p.fill {
		units, err := p.assets[code].Parse(amount)
		if err != nil {
			return fmt.Errorf("read amount of %s: %w", code, err)
		}
		four, err := have[code].Mul(4)
		if err != nil || !four.Less(units) || !p.state.due(p.name, code, p.clock()) {
			continue
		}
		if err := p.pay(ctx, code, units); err != nil {
			return err
		}
	}
	return nil
}

func (p *purse) pay(ctx context.Context, code string, units money.Units) error {
	var at struct{ Address string }
	if err := p.api.Do(ctx, http.MethodPost, "/v1/deposit-addresses", map[string]string{"asset": code}, &at); err != nil {
		return fmt.Errorf("ask for address: %w", err)
	}
	// Noted first: twice as much would do no harm, but each round again would.
	if err := p.state.change(func() { p.state.Paid[p.name+" "+code] = p.clock() }); err != nil {
		return err
	}
	if _, err := p.world.Pay(ctx, code, at.Address, units); err != nil {
		return fmt.Errorf("pay %s: %w", code, err)
	}
	return nil
}
