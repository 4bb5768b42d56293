package chaintest

import (
	"errors"
	"slices"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

func addresses(t *testing.T, h Harness) {
	t.Helper()
	a, examples := h.Adapter(), h.Addresses()
	if min(len(examples.Valid), len(examples.Invalid), len(examples.Derived)) == 0 {
		t.Fatal("the harness gives no examples")
	}
	for text, want := range examples.Valid {
		got, err := a.ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("address %q: got %q, %v, want %q", text, got, err, want)
		}
		if again, err := a.ParseAddress(got); err != nil || again != got {
			t.Errorf("canonical form %q is not its own canonical form: %q, %v", got, again, err)
		}
	}
	for _, text := range append(examples.Invalid, "", " ", "0x", "\x00", "1", "bitcoin:", "ünïcode") {
		if got, err := a.ParseAddress(text); !errors.Is(err, chainadapters.ErrAddress) || got != "" {
			t.Errorf("address %q: got %q, %v, want ErrAddress", text, got, err)
		}
	}
	derivations(t, a, examples.Derived)
}

func derivations(t *testing.T, a chainadapters.Adapter, derived []Derived) {
	t.Helper()
	for _, d := range derived {
		got, err := a.DeriveAddress(d.XPub, d.Branch, d.Index)
		if err != nil || got != d.Address {
			t.Errorf("key %d/%d: got %q, %v, want %q", d.Branch, d.Index, got, err, d.Address)
		}
		if got, err := a.ParseAddress(d.Address); err != nil || got != d.Address {
			t.Errorf("derived address %q is not canonical: %q, %v", d.Address, got, err)
		}
		if got, err := a.DeriveAddress(d.XPub, d.Branch, 1<<31); err == nil {
			t.Errorf("a hardened key was derived from a public one: %q", got)
		}
	}
	if got, err := a.DeriveAddress("xpub of nobody", 0, 0); err == nil {
		t.Errorf("nonsense was derived from: %q", got)
	}
}

func impossiblePlans(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	good := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)})
	payTo := func(to string, amount money.Units) func(*chainadapters.Plan) {
		return func(plan *chainadapters.Plan) {
			plan.Payments = []chainadapters.Payment{{To: to, Amount: amount}}
		}
	}
	spoil := map[string]func(*chainadapters.Plan){
		"no payment":        func(plan *chainadapters.Plan) { plan.Payments = nil },
		"payment of zero":   payTo(good.Payments[0].To, money.Units{}),
		"malformed address": payTo(h.Addresses().Invalid[0], good.Payments[0].Amount),
		"no fee":            func(plan *chainadapters.Plan) { plan.Fee = chainadapters.Fee{} },
		"neither slot nor coins": func(plan *chainadapters.Plan) {
			plan.Slot, plan.Coins = nil, nil
		},
		"both slot and coins": func(plan *chainadapters.Plan) {
			plan.Slot = &chainadapters.Slot{From: p.Address}
			plan.Coins = []chainadapters.Coin{{Outpoint: chainadapters.Outpoint{TxID: headOf(t, h).Hash}, Amount: h.Plenty(), Address: p.Address}}
		},
	}
	if h.Adapter().Family() == chainadapters.UTXO {
		spoil["same coin twice"] = func(plan *chainadapters.Plan) { plan.Coins = append(slices.Clone(plan.Coins), plan.Coins[0]) }
		spoil["dust"] = payTo(good.Payments[0].To, h.Adapter().Dust().SubFloor(money.FromUint64(1)))
	}
	for name, change := range spoil {
		plan := good
		change(&plan)
		_, err := h.Adapter().Build(plan)
		if !errors.Is(err, chainadapters.ErrPlan) && !errors.Is(err, chainadapters.ErrFunds) {
			t.Errorf("%s: got %v, want ErrPlan or ErrFunds", name, err)
		}
	}
}

func damagedTransactions(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	raw, _, signed := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)}))
	for n := range raw {
		if got, err := h.Adapter().Decode(raw[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were read as %+v", n, len(raw), got)
		}
	}
	if got, err := h.Adapter().Decode(append(slices.Clone(raw), 0)); err == nil {
		t.Fatalf("a trailing byte was read as %+v", got)
	}
	for i := range raw {
		damaged := slices.Clone(raw)
		damaged[i] ^= 0x01
		got, err := h.Adapter().Decode(damaged)
		if err == nil && got.TxID == signed.TxID && h.Adapter().Family() == chainadapters.Account {
			t.Fatalf("byte %d changed and the id did not", i)
		}
	}
}

func coins(t *testing.T, h Harness) {
	t.Helper()
	a := h.Adapter()
	payment := []chainadapters.Payment{{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 2)}}
	if a.Family() == chainadapters.Account {
		if _, err := a.SelectCoins(nil, payment, chainadapters.Fee{}); err == nil {
			t.Fatal("an account chain selected coins")
		}
		return
	}
	p := &purse{Wallet: h.NewWallet(t)}
	for range 5 {
		h.Fund(t, p.Address, fraction(t, h.Plenty(), 6))
	}
	p.collect(mined(t, h))
	if len(p.coins) != 5 {
		t.Fatalf("coins: got %d, want 5", len(p.coins))
	}
	fee := must(a.Quote(within(t), chainadapters.Plan{Payments: payment, Coins: p.coins, ChangeTo: p.Address}))(t, "quote")
	chosen := must(a.SelectCoins(p.coins, payment, fee))(t, "select")
	again := must(a.SelectCoins(p.coins, payment, fee))(t, "select again")
	if !slices.Equal(chosen, again) {
		t.Fatal("the same input gave another selection")
	}
	if _, err := a.Build(chainadapters.Plan{Payments: payment, Coins: chosen, ChangeTo: p.Address, ChangePath: p.Path, Fee: fee}); err != nil {
		t.Fatalf("build with the selection: %v", err)
	}
	all := []chainadapters.Payment{{To: payment[0].To, Amount: h.Plenty()}}
	if _, err := a.SelectCoins(p.coins, all, fee); !errors.Is(err, chainadapters.ErrFunds) {
		t.Fatalf("selection for more than there is: got %v, want ErrFunds", err)
	}
	pay(t, h, p, payment[0])
}
