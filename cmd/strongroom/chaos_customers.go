//go:build chaos

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"strongroom/api"
	"strongroom/api/client"
	"strongroom/assets"
	"strongroom/identity/reqsign"
	"strongroom/internal/chaos"
	"strongroom/money"
)

// Amounts, in wholes. Every customer begins with enough for all it will ask for.
const (
	chaosHotBTC, chaosHotLTC, chaosHotCoins = "0.25", "2.5", 24 // each of that many coins
	chaosHotETH, chaosHotUSDC               = "60", "50000"
)

// chaosAssets fills the hot wallets and returns what moves.
func (b *tourBooks) chaosAssets(ctx context.Context, world payer) ([]chaos.Asset, error) {
	var list []chaos.Asset
	for _, want := range []struct {
		code, fund, deposit, payout string
		coins, share                int
	}{
		{"ETH", chaosHotETH, "0.05", "0.01", 1, 3},
		{"USDC", chaosHotUSDC, "50", "5", 1, 3},
		{"BTC", chaosHotBTC, "0.02", "0.004", chaosHotCoins, 2},
		{"LTC", chaosHotLTC, "0.2", "0.04", chaosHotCoins, 2},
	} {
		a, err := b.assetOf(ctx, want.code)
		if err != nil {
			return nil, err
		}
		if err := b.fill(ctx, world, a, want.fund, want.coins); err != nil {
			return nil, err
		}
		list = append(list, chaos.Asset{Asset: a.Money(), Share: want.share, Deposit: want.deposit, Payout: want.payout})
	}
	return list, nil
}

// fill pays into a hot wallet and waits until the book has it.
func (b *tourBooks) fill(ctx context.Context, world payer, a assets.Asset, each string, times int) error {
	amount, err := a.Money().Parse(each)
	if err != nil {
		return err
	}
	hot, err := b.store.HotAddress(ctx, a.Chain)
	if err != nil {
		return err
	}
	var total money.Units
	var payments []func() error
	for range times {
		payments = append(payments, func() error { _, err := world.Pay(ctx, a.Code, hot.Address, amount); return err })
		if total, err = total.Add(amount); err != nil {
			return err
		}
	}
	if err := atOnce(payments); err != nil {
		return err
	}
	for {
		held, err := b.custodyBalance(ctx, a)
		if err != nil || !held.Less(total) {
			return err
		}
		if !pause(ctx, look) {
			return fmt.Errorf("await funds of %s: %w", a.Code, ctx.Err())
		}
	}
}

// enroll makes the customers, with a key, addresses and a first deposit each.
func (r *chaosRun) enroll(e *env, vars map[string]string, world payer, moves []chaos.Asset) ([]chaos.Customer, error) {
	cred, err := readCredential(adminFile(vars["STRONGROOM_STATE_DIR"]))
	if err != nil {
		return nil, err
	}
	url := vars["STRONGROOM_API_URL"]
	operator, err := client.New(client.Config{URL: url, Credential: cred, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	first := map[string]string{"ETH": "3", "USDC": "3000", "BTC": "0.8", "LTC": "8"}
	list := make([]chaos.Customer, r.Customers)
	var payments []func() error
	for n := range list {
		if list[n], err = enrollOne(e, operator, url, "chaos-"+strconv.Itoa(n)); err != nil {
			return nil, err
		}
		for _, a := range moves {
			var at struct{ Address string }
			if err := list[n].Client.Do(e.ctx, http.MethodPost, "/v1/deposit-addresses", map[string]string{"asset": a.Code}, &at); err != nil {
				return nil, err
			}
			list[n].Addresses[a.Code] = at.Address
			units, err := a.Parse(first[a.Code])
			if err != nil {
				return nil, err
			}
			payments = append(payments, func() error { _, err := world.Pay(e.ctx, a.Code, at.Address, units); return err })
		}
	}
	return list, atOnce(payments)
}

// atOnce does everything at once and joins what went wrong.
func atOnce(list []func() error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, one := range list {
		all.Go(func() { errs[i] = one() })
	}
	all.Wait()
	return errors.Join(errs...)
}

func enrollOne(e *env, operator *client.Client, url, name string) (chaos.Customer, error) {
	var none chaos.Customer
	var customer api.Customer
	if err := operator.Do(e.ctx, http.MethodPost, "/v1/customers", map[string]string{"name": name, "reference": name}, &customer); err != nil {
		return none, err
	}
	var created api.CreatedKey
	err := operator.Do(e.ctx, http.MethodPost, "/v1/customers/"+customer.ID+"/keys",
		map[string]any{"label": name, "scheme": "hmac-sha256", "scopes": []string{"read", "withdraw"}}, &created)
	if err != nil {
		return none, err
	}
	cred := reqsign.Credential{Key: created.Key.ID, Scheme: reqsign.HMAC, Secret: created.Secret, Customer: customer.ID}
	own, err := client.New(client.Config{URL: url, Credential: cred, Clock: e.clock})
	return chaos.Customer{Client: own, Addresses: map[string]string{}}, err
}
