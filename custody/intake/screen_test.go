package intake_test

import (
	"context"
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

// sanctioned pays a deposit from an address that is on the list: coins of a
// stranger on the one chain, the stranger's account on the other.
func sanctioned(t *testing.T, k *custodytest.Kit, asset, to string, amount uint64) {
	t.Helper()
	info, _ := k.Assets.AssetByCode(asset)
	chain, node := k.Chains[info.Chain], k.Nodes[info.Chain]
	stranger, err := node.DeriveAddress(fakechain.PublicKey("listed"), 0, 0)
	must(t, err)
	k.Sanctions.List(stranger)
	const gas = 1_000_000_000_000_000
	txid, err := chain.Pay(chainadapters.Payment{To: stranger, Amount: money.FromUint64(amount + gas)})
	must(t, err)
	k.Mine(t, info.Chain, 1)
	plan := chainadapters.Plan{Payments: []chainadapters.Payment{{To: to, Amount: money.FromUint64(amount)}}}
	if node.Family() == chainadapters.UTXO {
		plan.Coins = []chainadapters.Coin{{Outpoint: chainadapters.Outpoint{TxID: txid}, Amount: money.FromUint64(amount + gas), Address: stranger}}
	} else {
		plan.Slot = &chainadapters.Slot{From: stranger}
	}
	plan.Fee, err = node.Quote(t.Context(), plan)
	must(t, err)
	unsigned, err := node.Build(plan)
	must(t, err)
	raw, _ := fakechain.Sign(unsigned.Bytes)
	must(t, node.Broadcast(t.Context(), raw))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestListedSenderIsQuarantined: exactly that deposit's amount is set aside, the
// customer's others are credited; a reorganisation does not let it out; released,
// it is credited once, on whichever branch, and not quarantined again.
func TestListedSenderIsQuarantined(t *testing.T) {
	for _, asset := range []string{custodytest.BTC, custodytest.ETH} {
		t.Run(asset, func(t *testing.T) {
			k := custodytest.New(t)
			ctx := t.Context()
			info, _ := k.Assets.AssetByCode(asset)
			to := k.Address(t, customer, asset)
			k.Pay(t, asset, to, 7_000)
			sanctioned(t, k, asset, to, 5_000)
			k.Mine(t, info.Chain, custodytest.FinalDepth)
			has := func(want uint64, when string) {
				t.Helper()
				if got := k.Available(t, custody.FundingAccount(customer, asset)); got != money.FromUint64(want) {
					t.Fatalf("%s: funding %s, want %d", when, got, want)
				}
			}
			has(7_000, "one of two is listed")
			held, err := k.Store.Quarantined(ctx, 9)
			must(t, err)
			if len(held) != 1 || held[0].Amount != money.FromUint64(5_000) || len(held[0].Senders) != 1 {
				t.Fatalf("in quarantine: %+v", held)
			}
			found, err := k.Store.Findings(ctx, held[0].ID)
			must(t, err)
			if len(found) != 1 || found[0].Act != custodydb.FindingHit || found[0].Address != held[0].Senders[0] || found[0].Entry == "" {
				t.Fatalf("on record: %+v", found)
			}
			if p, err := k.Intake.Advance(ctx, held[0].ID); err != nil || !p.Ended || p.State != custody.DepositQuarantined {
				t.Fatalf("%+v, %v", p, err)
			}
			release(t, k, held[0].ID)
			if _, err := k.Intake.Advance(ctx, held[0].ID); err != nil {
				t.Fatal(err)
			}
			for id, err := range k.Deliver(t) {
				t.Fatal(id, err)
			}
			k.Mine(t, info.Chain, 1)
			has(12_000, "released, with the listed sender still listed")
			again, err := k.Store.ReleaseDeposit(ctx, held[0].ID, "once more")
			if !errors.Is(err, custody.ErrIllegal) || again.Round != 1 {
				t.Fatalf("released after it was credited: %+v, %v", again, err)
			}
			if found, err = k.Store.Findings(ctx, held[0].ID); err != nil || len(found) != 2 || found[1].Act != custodydb.FindingRelease || found[1].Reason == "" {
				t.Fatalf("on record: %+v, %v", found, err)
			}
		})
	}
}

func release(t *testing.T, k *custodytest.Kit, id string) {
	t.Helper()
	ctx := t.Context()
	if _, err := k.Store.ReleaseDeposit(ctx, id, "  "); !errors.Is(err, custodydb.ErrReason) {
		t.Fatalf("released without a reason: %v", err)
	}
	if _, err := k.Store.ReleaseDeposit(ctx, "dep_none", "x"); !errors.Is(err, custody.ErrNotFound) {
		t.Fatal(err)
	}
	for range 2 {
		d, err := k.Store.ReleaseDeposit(ctx, id, "the court order was lifted")
		if err != nil || d.State != custody.DepositReleased || !d.Released {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

// TestQuarantineOutlivesAReorg: a deposit in quarantine whose block leaves the
// chain stays in quarantine when it comes back, and a released one is credited
// once on the new branch.
func TestQuarantineOutlivesAReorg(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	to := k.Address(t, customer, custodytest.BTC)
	sanctioned(t, k, custodytest.BTC, to, 5_000)
	k.Mine(t, custodytest.Coins, custodytest.CreditDepth)
	reorg := func() {
		t.Helper()
		must(t, k.Chains[custodytest.Coins].Reorg(custodytest.CreditDepth))
		k.Mine(t, custodytest.Coins, custodytest.CreditDepth) // what was mined comes back
	}
	reorg()
	held, err := k.Store.Quarantined(ctx, 9)
	must(t, err)
	if len(held) != 1 || !held[0].Canonical {
		t.Fatalf("%+v", held)
	}
	release(t, k, held[0].ID)
	must(t, k.Chains[custodytest.Coins].Reorg(custodytest.CreditDepth))
	k.Look(t, custodytest.Coins)
	k.Deliver(t)
	if d, err := k.Store.DepositRow(ctx, held[0].ID); err != nil || d.Canonical || d.State != custody.DepositReleased {
		t.Fatalf("%+v, %v", d, err)
	}
	k.Mine(t, custodytest.Coins, custodytest.WithdrawDepth)
	must(t, k.Chains[custodytest.Coins].Reorg(custodytest.WithdrawDepth)) // and once more after the credit
	k.Look(t, custodytest.Coins)
	k.Deliver(t)
	k.Mine(t, custodytest.Coins, custodytest.WithdrawDepth)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(5_000) {
		t.Fatalf("funding %s", got)
	}
}

// TestNoScreeningNoCredit: while nobody can say who is listed, deposits wait; what
// was credited before matures.
func TestNoScreeningNoCredit(t *testing.T) {
	k := custodytest.New(t)
	to := k.Address(t, customer, custodytest.ETH)
	k.Pay(t, custodytest.ETH, to, 3_000)
	k.Mine(t, custodytest.Accounts, custodytest.CreditDepth)
	k.Sanctions.Break(errors.New("list is too old"))
	k.Pay(t, custodytest.ETH, to, 5_000)
	refused := 0
	for range custodytest.FinalDepth {
		must(t, k.Chains[custodytest.Accounts].Mine(1))
		k.Look(t, custodytest.Accounts)
		for id, err := range k.Deliver(t) {
			if !errors.Is(err, custody.ErrScreening) {
				t.Fatalf("%s: %v", id, err)
			}
			refused++
		}
	}
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.ETH)); got != money.FromUint64(3_000) || refused == 0 {
		t.Fatalf("funding %s after %d refusals", got, refused)
	}
	k.Sanctions.Break(nil)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.ETH)); got != money.FromUint64(8_000) {
		t.Fatalf("funding %s", got)
	}
}
