package desk_test

import (
	"context"
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/money"
)

// asking says what it is told to, to everybody.
type asking struct {
	verdict desk.Verdict
	reason  string
}

func (a *asking) Decide(context.Context, custodydb.IntentRow, custody.AssetInfo) (desk.Verdict, string, error) {
	return a.verdict, a.reason, nil
}

// under puts the house under another policy.
func (h *house) under(p desk.Policy) {
	h.t.Helper()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for id, node := range h.nodes {
		adapters[id] = node
	}
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock, Policy: p,
	})
	h.must(err)
}

func (h *house) sweep(id, asset string) (custodydb.Sweep, custody.AssetInfo) {
	h.t.Helper()
	info := h.assets.list[asset]
	vault := fakechain.Address(string(info.Chain), "vault")
	name, err := h.store.RegisterVault(context.Background(), info.Chain, "cold-1", vault)
	h.must(err)
	if name != "cold-1" {
		h.t.Fatalf("the vault is called %s", name)
	}
	w := custodydb.Sweep{ID: id, Asset: asset, To: vault, Amount: units(200_000)}
	h.must(h.store.OpenSweep(context.Background(), w))
	h.must(h.store.OpenSweep(context.Background(), w))
	return w, info
}

// vaultAgrees compares the vault in the book with the chain.
func (h *house) vaultAgrees(info custody.AssetInfo, want money.Units) {
	h.t.Helper()
	b := h.balance(custody.VaultAccount(info.Chain, info.Code, "cold-1"))
	has, err := b.DebitsPosted.Sub(b.CreditsPosted)
	h.must(err)
	there := h.chains[info.Chain].Balance(fakechain.Address(string(info.Chain), "vault"), info.Contract)
	if has != want || there != want {
		h.t.Errorf("the vault of %s has %s in the book and %s on chain, want %s", info.Code, has, there, want)
	}
}

func TestSweepsReachTheVault(t *testing.T) {
	for _, asset := range []string{"BTC", "ETH", "TUSD"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			w, info := h.sweep("swp_1n1", asset)
			h.do(w.ID, custody.WithdrawalApproved, "screen")
			h.walkOut(w.ID, info.Chain)
			h.vaultAgrees(info, units(200_000))
			h.hotWalletAgrees(info)
			if n := h.count(`SELECT count(*) FROM custody.outbox WHERE subject = $1 AND topic = 'sweep' AND kind = 'start'`, w.ID); n != 1 {
				t.Errorf("started %d times", n)
			}
		})
	}
}

func TestSweepsWaitForPeople(t *testing.T) {
	h := ready(t, "ETH")
	says := &asking{desk.Wait, "2 of treasury have to agree"}
	h.under(says)
	w, info := h.sweep("swp_1n1", "ETH")
	if p := h.do(w.ID, custody.WithdrawalAwaitingApproval, "screen", "screen", "reserve", "sign"); p.Reason != says.reason {
		t.Errorf("waits because %q", p.Reason)
	}
	if ids, err := h.store.Awaiting(t.Context(), 10); err != nil || len(ids) != 1 || ids[0] != w.ID {
		t.Errorf("%v wait for people, %v", ids, err)
	}
	for range 2 {
		h.must(h.store.Wake(t.Context(), w.ID, "rqs_1/approved"))
		h.must(h.store.Wake(t.Context(), w.ID, ""))
	}
	if n := h.count(`SELECT count(*) FROM custody.outbox WHERE subject = $1 AND topic = 'sweep' AND kind = 'signal'`, w.ID); n != 3 {
		t.Errorf("woken %d times, by one decision and twice for nothing", n)
	}
	says.verdict = desk.Allow
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(w.ID, info.Chain)
	h.vaultAgrees(info, units(200_000))

	says.verdict, says.reason = desk.Deny, "ada said no"
	w, _ = h.sweep("swp_1n2", "ETH")
	if p := h.do(w.ID, custody.WithdrawalRejected, "screen", "reserve"); p.Reason != says.reason {
		t.Errorf("ended because %q", p.Reason)
	}
	if h.count(`SELECT count(*) FROM custody.nonce_slot WHERE intent = $1`, w.ID) != 0 {
		t.Error("what was denied has a nonce")
	}
}

func TestSweepsThatAreNone(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	w, info := h.sweep("swp_1n1", "ETH")
	hot, err := h.store.HotAddress(ctx, info.Chain)
	h.must(err)
	for name, tc := range map[string]struct {
		by   func(*custodydb.Sweep)
		want error
	}{
		"another amount under the same id": {func(s *custodydb.Sweep) { s.Amount = units(1) }, custody.ErrConflict},
		"to a stranger":                    {func(s *custodydb.Sweep) { s.ID, s.To = "swp_2n1", h.outside("ETH", "thief") }, custody.ErrDestination},
		"to the hot wallet":                {func(s *custodydb.Sweep) { s.ID, s.To = "swp_2n1", hot.Address }, custody.ErrDestination},
		"of nothing":                       {func(s *custodydb.Sweep) { s.ID, s.Amount = "swp_2n1", units(0) }, custody.ErrAmount},
		"of an unknown asset":              {func(s *custodydb.Sweep) { s.ID, s.Asset = "swp_2n1", "XYZ" }, custody.ErrAsset},
		"under a withdrawal's id":          {func(s *custodydb.Sweep) { s.ID = "wdr_1" }, custody.ErrAmount},
	} {
		wrong := w
		tc.by(&wrong)
		if err := h.store.OpenSweep(ctx, wrong); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.store.RegisterVault(ctx, info.Chain, "cold-9", hot.Address); !errors.Is(err, custody.ErrDestination) {
		t.Errorf("the hot wallet is a vault: %v", err)
	}
	if name, err := h.store.RegisterVault(ctx, info.Chain, "cold-9", w.To); err != nil || name != "cold-1" {
		t.Errorf("the vault is called %s anew: %v", name, err)
	}
	if _, err := h.store.RegisterVault(ctx, info.Chain, "", w.To); !errors.Is(err, custody.ErrDestination) {
		t.Errorf("a vault without a name: %v", err)
	}
	if n := h.count(`SELECT count(*) FROM custody.house_intent`); n != 1 {
		t.Errorf("%d sweeps are open", n)
	}
}
