package assets_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/assets"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
)

const genesis = `{"assets":[
 {"code":"BTC","name":"Bitcoin","chain":"bitcoin-regtest","scale":8,"native":true,"minDeposit":"0.0001","minWithdrawal":"0.001",
  "withdrawalFee":"0.0002","tiers":[{"upTo":"1","creditDepth":1,"withdrawableDepth":3},{"creditDepth":3,"withdrawableDepth":6}],
  "finalDepth":3,"dailyLimit":"10","state":"listed"},
 {"code":"TUSD","name":"Test dollar","chain":"ethereum-dev","contract":"0x5FbDB2315678afecb367f032d93F642f64180aa3","scale":6,"native":false,
  "minDeposit":"1","minWithdrawal":"1","withdrawalFee":"0","tiers":[{"creditDepth":2,"withdrawableDepth":4}],
  "finalDepth":4,"dailyLimit":"10000","state":"deposits_only"}]}`

func parse(t *testing.T, text string) []assets.Asset {
	t.Helper()
	list, err := assets.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func registry(t *testing.T, clock func() time.Time) *assets.Registry {
	t.Helper()
	pool, err := pg.Open(t.Context(), testenv.Postgres(t, assets.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r, err := assets.New(assets.Config{Pool: pool, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGenesisIsReadExactly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "assets.json")
	if err := os.WriteFile(path, []byte(genesis), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := assets.ReadFile(path)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d assets, %v", len(list), err)
	}
	btc := list[0]
	if btc.MinWithdrawal != money.FromUint64(100_000) || btc.Tiers[0].UpTo != money.FromUint64(100_000_000) {
		t.Errorf("amounts are off: %+v", btc)
	}
	if small, large := btc.Tier(money.FromUint64(100_000_000)), btc.Tier(money.FromUint64(100_000_001)); small.CreditDepth != 1 || large.CreditDepth != 3 {
		t.Errorf("tiers: %+v at the bound, %+v above", small, large)
	}
	if !btc.Pays() || !btc.Accepts() || list[1].Pays() || !list[1].Accepts() {
		t.Error("listing states are misread")
	}
}

func TestContradictionsAreRefusedByName(t *testing.T) {
	for member, change := range map[string][2]string{
		"unknown field":  {`"code":"BTC"`, `"colour":"x","code":"BTC"`},
		"code":           {`"code":"BTC"`, `"code":"btc"`},
		"appears twice":  {`"code":"TUSD"`, `"code":"BTC"`},
		"contract":       {`"native":true`, `"native":false`},
		"minDeposit":     {`"minDeposit":"0.0001"`, `"minDeposit":"1e-4"`},
		"minWithdrawal":  {`"minWithdrawal":"0.001"`, `"minWithdrawal":"0"`},
		"withdrawalFee":  {`"withdrawalFee":"0.0002"`, `"withdrawalFee":"0.000000001"`},
		"tiers[0].upTo":  {`"upTo":"1"`, `"upTo":"-1"`},
		"tiers[1]":       {`"creditDepth":3`, `"creditDepth":7`},
		"tiers":          {`[{"creditDepth":2,"withdrawableDepth":4}]`, `[]`},
		"finalDepth":     {`"finalDepth":3`, `"finalDepth":0`},
		"dailyLimit":     {`"dailyLimit":"10"`, `"dailyLimit":"0.0001"`},
		"state":          {`"state":"listed"`, `"state":"gone"`},
		"goes on after":  {`"state":"deposits_only"}]}`, `"state":"deposits_only"}]} {}`},
		"cannot unmarsh": {`"scale":8`, `"scale":"8"`},
	} {
		text := strings.Replace(genesis, change[0], change[1], 1)
		if text == genesis {
			t.Fatalf("%s: nothing changed", member)
		}
		_, err := assets.Parse([]byte(text))
		if !errors.Is(err, assets.ErrInvalid) || !strings.Contains(err.Error(), member) {
			t.Errorf("%s: %v", member, err)
		}
	}
}

func TestLoadIsIdempotentAndKeepsIdentityAndState(t *testing.T) {
	ctx := t.Context()
	now := time.Unix(1_700_000_000, 0)
	r := registry(t, func() time.Time { return now })
	for range 2 {
		if err := r.Load(ctx, parse(t, genesis)); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := r.All(ctx); err != nil || len(all) != 2 || all[0].Code != "BTC" {
		t.Fatalf("%v, %v", all, err)
	}
	if err := r.SetState(ctx, "BTC", assets.Suspended); err != nil {
		t.Fatal(err)
	}
	if err := r.Load(ctx, parse(t, strings.Replace(genesis, `"dailyLimit":"10"`, `"dailyLimit":"11"`, 1))); err != nil {
		t.Fatal(err)
	}
	btc, err := r.ByCode(ctx, "BTC")
	if err != nil || btc.State != assets.Suspended || btc.DailyLimit != money.FromUint64(1_100_000_000) || len(btc.Tiers) != 2 {
		t.Errorf("after a second load: %+v, %v", btc, err)
	}
	for _, change := range [][2]string{{`"scale":8`, `"scale":7`}, {`bitcoin-regtest`, `bitcoin-other`}, {`180aa3`, `180aa4`}} {
		if err := r.Load(ctx, parse(t, strings.Replace(genesis, change[0], change[1], 1))); !errors.Is(err, assets.ErrConflict) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
	other := strings.Replace(genesis, `"code":"TUSD"`, `"code":"XUSD"`, 1)
	if err := r.Load(ctx, parse(t, other)); !errors.Is(err, assets.ErrConflict) {
		t.Errorf("contract under a second code: %v", err)
	}
	if _, err := r.ByCode(ctx, "XUSD"); !errors.Is(err, assets.ErrNotFound) {
		t.Errorf("half of a refused load stayed: %v", err)
	}
	if err := r.SetState(ctx, "NONE", assets.Listed); !errors.Is(err, assets.ErrNotFound) {
		t.Errorf("state of nothing: %v", err)
	}
}

func TestTraitsBoundWhatMayBeDone(t *testing.T) {
	ctx := t.Context()
	r := registry(t, func() time.Time { return time.Unix(1_700_000_000, 0) })
	with := func(state assets.State, traits ...assets.Trait) []assets.Asset {
		list := parse(t, genesis)
		list[1].State, list[1].Traits = state, traits
		return list[1:]
	}
	for name, list := range map[string][]assets.Asset{
		"rebasing and listed":        with(assets.Listed, assets.Rebasing),
		"rebasing and deposits only": with(assets.DepositsOnly, assets.Rebasing),
		"accepted without rebasing":  with(assets.Listed, assets.RebasingAccepted),
		"fee and paid out":           with(assets.Listed, assets.FeeOnTransfer),
		"unknown":                    with(assets.Listed, "shiny"),
		"twice":                      with(assets.Listed, assets.Pausable, assets.Pausable),
	} {
		if err := r.Load(ctx, list); !errors.Is(err, assets.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	native := parse(t, genesis)[:1]
	if native[0].Traits = []assets.Trait{assets.Pausable}; !errors.Is(r.Load(ctx, native), assets.ErrInvalid) {
		t.Error("a native asset with a trait is taken")
	}
	if err := r.Load(ctx, with(assets.Suspended, assets.Rebasing, assets.Pausable)); err != nil {
		t.Fatal(err)
	}
	if a, err := r.ByCode(ctx, "TUSD"); err != nil || !a.Has(assets.Rebasing) || !a.Has(assets.Pausable) || a.Has(assets.FeeOnTransfer) {
		t.Errorf("stored: %+v, %v", a, err)
	}
	if err := r.SetState(ctx, "TUSD", assets.DepositsOnly); !errors.Is(err, assets.ErrInvalid) {
		t.Errorf("a rebasing token is opened: %v", err)
	}
	if err := r.Load(ctx, with(assets.Suspended, assets.Rebasing, assets.RebasingAccepted)); err != nil {
		t.Fatal(err)
	}
	if err := r.SetState(ctx, "TUSD", assets.Listed); err != nil {
		t.Errorf("one whose drift is accepted: %v", err)
	}
	// A trait that comes to be known does not slip under a state that it forbids.
	if err := r.Load(ctx, with(assets.Suspended, assets.FeeOnTransfer)); !errors.Is(err, assets.ErrInvalid) {
		t.Errorf("a fee under a listed token: %v", err)
	}
}

func TestSnapshotAges(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	url := testenv.Postgres(t, assets.Migrations())
	open := func() *assets.Registry {
		pool, err := pg.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		r, err := assets.New(assets.Config{Pool: pool, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	reader, writer := open(), open()
	if err := writer.Load(t.Context(), parse(t, genesis)); err != nil {
		t.Fatal(err)
	}
	state := func() assets.State {
		a, err := reader.ByCode(t.Context(), "BTC")
		if err != nil {
			t.Fatal(err)
		}
		return a.State
	}
	if state() != assets.Listed {
		t.Fatal("not listed")
	}
	if err := writer.SetState(t.Context(), "BTC", assets.Suspended); err != nil {
		t.Fatal(err)
	}
	if state() != assets.Listed {
		t.Error("the snapshot was not used")
	}
	if now = now.Add(6 * time.Second); state() != assets.Suspended {
		t.Error("the snapshot did not age")
	}
}

// TestEveryValidAssetSurvivesStorage: what Validate accepts, PostgreSQL keeps
// unchanged.
func TestEveryValidAssetSurvivesStorage(t *testing.T) {
	r := registry(t, func() time.Time { return time.Unix(1_700_000_000, 0) })
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		units := func(name string) money.Units {
			return money.FromUint64(rapid.Uint64Range(1, 1<<62).Draw(t, name))
		}
		credit := rapid.Uint64Range(1, 100).Draw(t, "credit")
		want := assets.Asset{
			Code: "A" + strings.ToUpper(rapid.StringMatching(`[A-Z0-9]{0,11}`).Draw(t, "code")), Name: "Some coin",
			Chain: "chain-x", Contract: "c" + time.Duration(n).String(), Scale: rapid.Uint8Range(0, 18).Draw(t, "scale"),
			MinDeposit: units("dust"), MinWithdrawal: units("min"), WithdrawalFee: units("fee"), FinalDepth: credit,
			Tiers: []assets.Tier{{UpTo: units("upTo"), CreditDepth: credit, WithdrawableDepth: credit}, {CreditDepth: credit + 1, WithdrawableDepth: credit + 9}},
			State: assets.Listed,
		}
		if _, err := r.ByCode(context.Background(), want.Code); err == nil {
			return // drawn before
		}
		if err := r.Load(context.Background(), []assets.Asset{want}); err != nil {
			t.Fatal(err)
		}
		got, err := r.ByCode(context.Background(), want.Code)
		if err != nil || !got.SameIdentity(want) || got.Tiers[0] != want.Tiers[0] || got.MinDeposit != want.MinDeposit {
			t.Fatalf("stored %+v, got %+v (%v)", want, got, err)
		}
	})
}
