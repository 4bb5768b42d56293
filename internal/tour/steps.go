package tour

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"

	"strongroom/api/client"
	"strongroom/money"
)

// fund gives the hot wallets what network fees will cost, once.
func (t *Tour) fund(ctx context.Context) error {
	for _, f := range t.cfg.House {
		if t.state.Funded[f.Asset.Code] != "" {
			continue
		}
		units, err := f.Asset.Parse(f.Amount)
		if err != nil {
			return fmt.Errorf("read funding of %s: %w", f.Asset.Code, err)
		}
		txid, err := t.cfg.Outside.Pay(ctx, f.Asset.Code, f.Address, units)
		if err != nil {
			return fmt.Errorf("fund hot wallet: %w", err)
		}
		t.say("%-4s house funds its hot wallet with %s for network fees in %s", f.Asset.Code, f.Amount, short(txid))
		t.state.Funded[f.Asset.Code] = txid
		if err := t.save(); err != nil {
			return err
		}
	}
	return nil
}

// enroll makes the customer and its key, once.
func (t *Tour) enroll(ctx context.Context) error {
	if t.state.Customer.Key == "" || len(t.cfg.Deals) > 0 && !t.state.Customer.Trades {
		if err := t.register(ctx); err != nil {
			return err
		}
	}
	var err error
	if t.customer, err = t.cfg.Customer(t.state.Customer); err != nil {
		return fmt.Errorf("use customer's key: %w", err)
	}
	return nil
}

func (t *Tour) register(ctx context.Context) error {
	customer := struct{ ID string }{t.state.Customer.Customer}
	var err error
	if customer.ID == "" {
		err = t.patiently(ctx, "create customer", func(ctx context.Context) (bool, error) {
			err := t.cfg.Operator.Do(ctx, http.MethodPost, "/v1/customers", map[string]string{"name": "Ada Tour", "reference": "tour"}, &customer)
			return err == nil, err
		})
	}
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	scopes := []string{"read", "withdraw"}
	cred := Credential{Customer: customer.ID, Seed: base64.StdEncoding.EncodeToString(private.Seed()), Trades: len(t.cfg.Deals) > 0}
	if cred.Trades {
		scopes = append(scopes, "trade")
	}
	var created struct{ Key struct{ ID string } }
	err = t.patiently(ctx, "create API key", func(ctx context.Context) (bool, error) {
		err := t.cfg.Operator.Do(ctx, http.MethodPost, "/v1/customers/"+customer.ID+"/keys", map[string]any{
			"label": "tour", "scheme": "ed25519", "publicKey": base64.StdEncoding.EncodeToString(public), "scopes": scopes,
		}, &created)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	cred.Key = created.Key.ID
	t.state.Customer = cred
	t.say("customer %s with Ed25519 key %s", cred.Customer, cred.Key)
	return t.save()
}

// deposit pays to the customer's address of each asset and follows the deposits
// until they may be withdrawn.
func (t *Tour) deposit(ctx context.Context) error {
	for _, leg := range t.cfg.Legs {
		if t.state.Paid[leg.Asset.Code] == "" {
			if err := t.pay(ctx, leg); err != nil {
				return err
			}
		}
	}
	return t.followDeposits(ctx)
}

func (t *Tour) pay(ctx context.Context, leg Leg) error {
	var at struct{ Address string }
	err := t.patiently(ctx, "ask for address", func(ctx context.Context) (bool, error) {
		err := t.customer.Do(ctx, http.MethodPost, "/v1/deposit-addresses", map[string]string{"asset": leg.Asset.Code}, &at)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	units, err := leg.Asset.Parse(leg.Deposit)
	if err != nil {
		return fmt.Errorf("read deposit of %s: %w", leg.Asset.Code, err)
	}
	txid, err := t.cfg.Outside.Pay(ctx, leg.Asset.Code, at.Address, units)
	if err != nil {
		return fmt.Errorf("pay %s: %w", leg.Asset.Code, err)
	}
	t.say("%-4s outside pays %s to %s in %s", leg.Asset.Code, leg.Deposit, at.Address, short(txid))
	t.state.Paid[leg.Asset.Code] = txid
	return t.save()
}

// depositView is what the tour reads of a deposit.
type depositView struct {
	ID, Asset, TxID, State, Amount string
}

func (t *Tour) followDeposits(ctx context.Context) error {
	last := map[string]string{}
	return t.patiently(ctx, "follow deposits", func(ctx context.Context) (bool, error) {
		var page struct{ Items []depositView }
		if err := t.customer.Do(ctx, http.MethodGet, "/v1/deposits?limit=200", nil, &page); err != nil {
			return false, err
		}
		ready := 0
		for _, d := range page.Items {
			if t.state.Paid[d.Asset] != d.TxID {
				continue
			}
			if last[d.ID] != d.State {
				t.say("%-4s deposit %s of %s: %s", d.Asset, short(d.ID), d.Amount, d.State)
				last[d.ID] = d.State
			}
			if d.State == "withdrawable" {
				ready++
			}
		}
		return ready == len(t.cfg.Legs), nil
	})
}

// withdraw asks for a payment of each asset to an outside address and follows
// them until they are posted.
func (t *Tour) withdraw(ctx context.Context) error {
	for _, leg := range t.cfg.Legs {
		if t.state.Asked[leg.Asset.Code] == "" {
			if err := t.ask(ctx, leg); err != nil {
				return err
			}
		}
	}
	return t.followWithdrawals(ctx)
}

func (t *Tour) ask(ctx context.Context, leg Leg) error {
	code := leg.Asset.Code
	to, err := t.cfg.Outside.Address(code, t.label())
	if err != nil {
		return fmt.Errorf("make outside address: %w", err)
	}
	if t.state.Before[code] == "" {
		var before money.Units
		err := t.patiently(ctx, "read outside balance", func(ctx context.Context) (bool, error) {
			var err error
			before, err = t.cfg.Outside.Balance(ctx, code, to)
			return err == nil, err
		})
		if err != nil {
			return err
		}
		t.state.Before[code] = before.String()
		if err := t.save(); err != nil {
			return err
		}
	}
	var w struct{ ID, Fee string }
	err = t.patiently(ctx, "withdraw "+code, func(ctx context.Context) (bool, error) {
		err := t.customer.Do(ctx, http.MethodPost, "/v1/withdrawals",
			map[string]string{"asset": code, "to": to, "amount": leg.Withdraw}, &w, client.IdempotencyKey(t.label()+"-"+code))
		return err == nil, err
	})
	if err != nil {
		return err
	}
	t.say("%-4s withdraw %s (fee %s) to %s: %s", code, leg.Withdraw, w.Fee, to, short(w.ID))
	t.state.Asked[code] = w.ID
	return t.save()
}

func (t *Tour) label() string { return fmt.Sprintf("tour-%d", t.state.Run) }

// withdrawalView is what the tour reads of a withdrawal.
type withdrawalView struct {
	ID, State, TxID, Reason string
}

func (t *Tour) followWithdrawals(ctx context.Context) error {
	last := map[string]string{}
	return t.patiently(ctx, "follow withdrawals", func(ctx context.Context) (bool, error) {
		posted := 0
		for _, leg := range t.cfg.Legs {
			var w withdrawalView
			if err := t.customer.Do(ctx, http.MethodGet, "/v1/withdrawals/"+t.state.Asked[leg.Asset.Code], nil, &w); err != nil {
				return false, err
			}
			if line := w.State + w.Reason; last[w.ID] != line {
				t.say("%-4s withdrawal %s: %s%s%s", leg.Asset.Code, short(w.ID), w.State, suffix(" in ", short(w.TxID)), suffix(": ", w.Reason))
				last[w.ID] = line
			}
			switch w.State {
			case "awaiting_approval":
				if err := t.agree(ctx, leg.Asset.Code, w.ID); err != nil {
					return false, err
				}
			case "posted":
				posted++
			case "rejected", "cancelled", "expired", "blocked", "reverted":
				return false, fmt.Errorf("%w: withdrawal %s is %s: %s", errEnded, w.ID, w.State, w.Reason)
			}
		}
		return posted == len(t.cfg.Legs), nil
	})
}

// short keeps the end of an id: ids made at one time begin alike.
func short(s string) string {
	const keep = 12
	if len(s) <= keep {
		return s
	}
	return "…" + s[len(s)-keep:]
}

func suffix(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}
