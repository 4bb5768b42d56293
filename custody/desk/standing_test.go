package desk_test

import (
	"context"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

func (h *house) standing(asset string, sweeps ...string) custodydb.Standing {
	h.t.Helper()
	at, err := h.store.Standing(context.Background(), asset, units(7), sweeps)
	h.must(err)
	return at
}

func minus(u money.Units, parts ...money.Units) money.Units {
	for _, p := range parts {
		u = u.SubFloor(p)
	}
	return u
}

// What treasury plans from follows a payment from its request to its end, and counts
// nothing twice.
func TestStandingFollowsPayments(t *testing.T) {
	for _, asset := range []string{"BTC", "ETH"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			all := h.standing(asset).Hot
			if all.IsZero() {
				t.Fatal("the hot wallet is empty")
			}
			w := h.withdraw(asset, 50_000)
			if at := h.standing(asset); at.Open != units(50_007) || !at.Approved.IsZero() || at.Hot != all {
				t.Errorf("requested: %+v", at)
			}
			h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
			if at := h.standing(asset); at.Open != units(50_007) || at.Approved != units(50_007) || at.Hot != all {
				t.Errorf("reserved: %+v", at)
			}
			h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
			var most money.Units
			h.must(h.pool.QueryRow(t.Context(), `SELECT max(max_fee) FROM custody.chain_tx WHERE intent = $1`, w.ID).Scan(&most))
			if at := h.standing(asset); !at.Open.IsZero() || at.Hot != minus(all, units(50_000), most) {
				t.Errorf("sent: %+v of %s, at most %s", at, all, most)
			}
			h.mine(h.assets.list[asset].Chain, finalDepth)
			h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
			var fee money.Units
			h.must(h.pool.QueryRow(t.Context(), `SELECT fee FROM custody.chain_tx WHERE intent = $1 AND block_height IS NOT NULL`, w.ID).Scan(&fee))
			if at := h.standing(asset); !at.Open.IsZero() || at.Hot != minus(all, units(50_000), fee) {
				t.Errorf("posted: %+v of %s, fee %s", at, all, fee)
			}
		})
	}
}

func TestStandingTellsSweepsApart(t *testing.T) {
	h := ready(t, "ETH")
	all := h.standing("ETH").Hot
	w, info := h.sweep("swp_1n1", "ETH")
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	at := h.standing("ETH", w.ID, "swp_none")
	if p := at.Sweeps[w.ID]; at.Hot != all || len(at.Sweeps) != 1 || p.State != custody.WithdrawalBroadcast || p.TxID == "" || p.Ended {
		t.Errorf("sent: %+v", at)
	}
	h.mine(info.Chain, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	at = h.standing("ETH", w.ID)
	if at.Vaults["cold-1"] != units(200_000) || !at.Hot.Less(minus(all, units(200_000))) || !at.Sweeps[w.ID].Ended {
		t.Errorf("posted: %+v of %s", at, all)
	}
	if _, err := h.store.Standing(t.Context(), "XYZ", units(1), nil); err == nil {
		t.Error("an unknown asset stands somewhere")
	}
}

// What a vault pays to the outside is off the vault from when people agreed, and never off
// the hot wallet.
func TestStandingFollowsPaymentsOutOfVaults(t *testing.T) {
	h := ready(t, "BTC")
	s, info := h.sweep("swp_1n1", "BTC")
	h.do(s.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(s.ID, info.Chain)
	hot, vault := h.standing("BTC").Hot, units(200_000)
	w := custodydb.ColdSpend{ID: "csp_1", Asset: "BTC", Vault: "cold-1", To: h.outside("BTC", "auditor"), Amount: units(50_000), Requester: "ada", Purpose: "the audit"}
	h.must(h.store.OpenColdSpend(t.Context(), w))
	stands := func(when string, takes ...money.Units) {
		t.Helper()
		if at := h.standing("BTC"); at.Hot != hot || at.Vaults["cold-1"] != minus(vault, takes...) {
			t.Errorf("%s: %+v, the hot wallet had %s", when, at, hot)
		}
	}
	stands("asked")
	h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
	stands("reserved", units(50_000))
	h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
	stands("sent", units(50_000), units(vaultFee))
	h.mine(info.Chain, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	stands("posted", units(50_000), units(vaultFee))
}
