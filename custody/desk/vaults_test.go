package desk_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/custody/watch"
	"strongroom/money"
)

// contracts is the one vault of the account chain, whose owners sign when they are told to.
type contracts struct {
	h       *house
	refuse  error  // of the owners
	foreign uint64 // payments that the owners made past us
	asked   []uint64
}

func (c *contracts) Next(ctx context.Context, chain chainadapters.ChainID, _ string) (address string, nonce uint64, err error) {
	address = fakechain.Address(string(chain), "vault")
	nonce, err = c.h.nodes[chain].NextNonce(ctx, address)
	return address, nonce + c.foreign, err
}

func (c *contracts) Call(_ context.Context, _ custodydb.IntentRow, _ string, nonce uint64) ([]byte, error) {
	c.asked = append(c.asked, nonce)
	return fakechain.VaultCall(nonce), c.refuse
}

// guarded is a house whose vault has 200,000 of an asset, from which 50,000 are to come.
func guarded(t *testing.T, asset string) (*house, *contracts, custodydb.Refill, custody.AssetInfo) {
	t.Helper()
	h := ready(t, asset)
	if asset != "ETH" {
		h.fund("ETH", 0, big)
	}
	s, info := h.sweep("swp_1n1", asset)
	h.do(s.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(s.ID, info.Chain)
	c := &contracts{h: h}
	h.owned(c)
	return h, c, h.refillOf("rfl_1n1", asset), info
}

func (h *house) owned(v desk.Vaults) {
	h.t.Helper()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for id, node := range h.nodes {
		adapters[id] = node
	}
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock, Vaults: v,
		StuckAfter: time.Hour,
	})
	h.must(err)
}

func (h *house) refillOf(id, asset string) custodydb.Refill {
	h.t.Helper()
	w := custodydb.Refill{ID: id, Asset: asset, Vault: "cold-1", Amount: units(50_000)}
	for range 2 {
		h.must(h.store.OpenRefill(context.Background(), w))
	}
	return w
}

// spent is what our transactions of an intent cost.
func (h *house) spent(intent string) (fee money.Units) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT sum(fee) FROM custody.chain_tx WHERE intent = $1 AND block_height IS NOT NULL`, intent).Scan(&fee))
	return fee
}

// A contract pays once its owners have signed, by a transaction of the hot wallet, which
// nobody waits for meanwhile.
func TestRefillsComeOutOfContracts(t *testing.T) {
	for _, asset := range []string{"ETH", "TUSD"} {
		t.Run(asset, func(t *testing.T) {
			h, owners, w, info := guarded(t, asset)
			before, gas := h.standing(asset), h.standing("ETH").Hot
			owners.refuse = custody.ErrConsent
			h.do(w.ID, custody.WithdrawalApproved, "screen")
			for range 2 {
				if p, err := h.desk.Reserve(t.Context(), w.ID); !errors.Is(err, custody.ErrConsent) || p.State != custody.WithdrawalApproved {
					t.Fatalf("without owners: %+v, %v", p, err)
				}
			}
			out := h.withdraw(asset, 10_000)
			h.do(out.ID, custody.WithdrawalApproved, "screen")
			h.walkOut(out.ID, info.Chain)
			paid := h.spent(out.ID)

			owners.refuse = nil
			h.do(w.ID, custody.WithdrawalReserved, "reserve")
			asked := len(owners.asked)
			h.restart() // what is to be signed is stored: owners are not asked again
			h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
			h.mine(info.Chain, finalDepth)
			h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
			if len(owners.asked) != asked || asked != 3 {
				t.Errorf("owners were asked %v", owners.asked)
			}
			fee := h.spent(w.ID)
			want, err := minus(before.Hot, units(10_000)).Add(units(50_000))
			h.must(err)
			if asset == "ETH" {
				want = minus(want, fee, paid)
			} else if has := h.standing("ETH").Hot; has != minus(gas, fee, paid) {
				t.Errorf("the hot wallet has %s for gas, had %s", has, gas)
			}
			if after := h.standing(asset); after.Hot != want {
				t.Errorf("the hot wallet has %s, want %s", after.Hot, want)
			}
			h.vaultAgrees(info, units(150_000))
			h.hotWalletAgrees(info)
			if n := h.count(`SELECT count(*) FROM custody.deposit WHERE txid IN (SELECT txid FROM custody.chain_tx WHERE intent = $1)`, w.ID); n != 0 {
				t.Errorf("it was taken for %d deposits", n)
			}
		})
	}
}

// The gas of a token's sweep is on its way out of the native asset, which its plan does not
// count.
func TestStandingCountsGasOfTokenSweeps(t *testing.T) {
	h := ready(t, "TUSD")
	h.fund("ETH", 0, big)
	before := h.standing("ETH").Hot
	w, _ := h.sweep("swp_1n1", "TUSD")
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	var most money.Units
	h.must(h.pool.QueryRow(t.Context(), `SELECT max(max_fee) FROM custody.chain_tx WHERE intent = $1`, w.ID).Scan(&most))
	if at := h.standing("ETH").Hot; most.IsZero() || at != minus(before, most) {
		t.Errorf("%s of %s, the sweep may cost %s", at, before, most)
	}
}

// A vault makes one payment at a time, each at a place of its own; what is taken back gives
// its place to the next.
func TestRefillsOfAContractTakeTurns(t *testing.T) {
	h, owners, first, info := guarded(t, "ETH")
	second, third := h.refillOf("rfl_1n2", "ETH"), h.refillOf("rfl_1n3", "ETH")
	for _, w := range []custodydb.Refill{first, second, third} {
		h.do(w.ID, custody.WithdrawalApproved, "screen")
	}
	owners.refuse = custody.ErrConsent
	turn := func(w custodydb.Refill, want error) {
		t.Helper()
		if _, err := h.desk.Reserve(t.Context(), w.ID); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", w.ID, err, want)
		}
	}
	turn(first, custody.ErrConsent)
	turn(second, custody.ErrSlots)
	p, err := h.desk.Release(t.Context(), first.ID, "not needed")
	if err != nil || p.State != custody.WithdrawalCancelled {
		t.Fatalf("%+v, %v", p, err)
	}
	turn(second, custody.ErrConsent)
	turn(third, custody.ErrSlots)
	owners.refuse = nil
	h.do(second.ID, custody.WithdrawalReserved, "reserve")
	turn(third, custody.ErrSlots)
	h.do(second.ID, custody.WithdrawalBroadcast, "sign", "send")
	h.mine(info.Chain, finalDepth)
	h.do(second.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	h.do(third.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(third.ID, info.Chain)
	h.vaultAgrees(info, units(100_000))
	for intent, nonce := range map[string]int{first.ID: 0, second.ID: 0, third.ID: 1} {
		if n := h.count(`SELECT nonce FROM custody.vault_slot WHERE intent = $1`, intent); n != nonce {
			t.Errorf("%s is payment %d, want %d", intent, n, nonce)
		}
	}
}

func TestRefillsThatOwnersOvertake(t *testing.T) {
	h, owners, w, _ := guarded(t, "ETH")
	owners.refuse = custody.ErrConsent
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	if _, err := h.desk.Reserve(t.Context(), w.ID); !errors.Is(err, custody.ErrConsent) {
		t.Fatal(err)
	}
	owners.refuse, owners.foreign = nil, 1
	h.do(w.ID, custody.WithdrawalCancelled, "reserve")
	if n := h.count(`SELECT count(*) FROM custody.nonce_slot WHERE intent = $1`, w.ID); n != 0 {
		t.Error("it has a nonce of the hot wallet")
	}
}

// A higher bid sends the same call; what is taken back moves nothing but its gas.
func TestRefillsOfContractsBidAgain(t *testing.T) {
	for name, cancels := range map[string]bool{"paid": false, "taken back": true} {
		t.Run(name, func(t *testing.T) {
			h, _, w, info := guarded(t, "ETH")
			h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
			h.chains[info.Chain].SetPrice(dear("ETH"))
			h.mine(info.Chain, 2)
			h.pass(time.Minute)
			end, left := custody.WithdrawalPosted, units(150_000)
			if cancels {
				h.must(h.store.OrderCancel(t.Context(), w.ID, "not needed"))
				end, left = custody.WithdrawalCancelled, units(200_000)
			}
			h.do(w.ID, custody.WithdrawalStuck, "observe")
			h.do(w.ID, custody.WithdrawalReplaced, "observe")
			h.do(w.ID, custody.WithdrawalBroadcast, "send")
			h.mine(info.Chain, finalDepth)
			h.do(w.ID, end, "observe", "settle")
			if n := h.count(`SELECT count(DISTINCT plan->>'exec') FROM custody.chain_tx WHERE intent = $1`, w.ID); n != 1 {
				t.Errorf("%d calls", n)
			}
			h.vaultAgrees(info, left)
			h.hotWalletAgrees(info)
		})
	}
}

// Whoever sees a signed call may send it. Ours then fails and costs its gas; what came is
// nobody's until a person has looked.
func TestRefillsThatAStrangerSends(t *testing.T) {
	h, _, w, info := guarded(t, "ETH")
	h.do(w.ID, custody.WithdrawalSigned, "screen", "reserve", "sign")
	plan, err := h.store.Plan(t.Context(), w.ID)
	h.must(err)
	stranger := h.outside("ETH", "stranger")
	h.must2(h.chains[info.Chain].Pay(chainadapters.Payment{To: stranger, Amount: units(big)}))
	h.mine(info.Chain, 1)
	theirs := plan.Plan
	theirs.Slot = &chainadapters.Slot{From: stranger}
	unsigned, err := h.nodes[info.Chain].Build(theirs)
	h.must(err)
	raw, _ := fakechain.Sign(unsigned.Bytes)
	h.must(h.nodes[info.Chain].Broadcast(t.Context(), raw))
	h.do(w.ID, custody.WithdrawalBroadcast, "send")
	h.mine(info.Chain, finalDepth)
	h.do(w.ID, custody.WithdrawalReverted, "observe")
	if h.spent(w.ID).IsZero() {
		t.Error("it cost nothing")
	}
	if n := h.count(`SELECT count(*) FROM custody.deposit WHERE state = 'unattributed' AND canonical AND amount = 50000`); n != 1 {
		t.Errorf("what came is %d deposits of nobody", n)
	}
}

// blind is a node that cannot trace: it does not say what contracts send, nor what comes
// to one address.
type blind struct {
	*fakechain.Adapter

	to string
}

func (b blind) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	block, err := b.Adapter.Block(ctx, ref, contracts)
	block.Untraced = true
	block.Movements = slices.DeleteFunc(block.Movements, func(m chainadapters.Movement) bool {
		return m.Index >= chainadapters.InternalIndex && m.Contract == "" || m.To == b.to
	})
	return block, err
}

// What a vault sends is no deposit either where balances alone show it.
func TestRefillsThatNobodyTells(t *testing.T) {
	h, _, w, info := guarded(t, "ETH")
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	to, err := h.store.HotAddress(t.Context(), info.Chain)
	h.must(err)
	h.must2(h.chains[info.Chain].Pay(chainadapters.Payment{To: to.Address, Amount: units(70_000)}))
	watcher, err := watch.New(watch.Config{
		Chain: info.Chain, Adapter: blind{h.nodes[info.Chain], to.Address}, Store: h.store, Assets: h.assets, MaxReorg: finalDepth - 1, Poll: time.Millisecond, Log: quiet(),
	})
	h.must(err)
	h.must(h.chains[info.Chain].Mine(finalDepth))
	for more := true; more; {
		more, err = watcher.Look(t.Context())
		h.must(err)
	}
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	for amount, want := range map[int]int{70_000: 1, 50_000: 0, 120_000: 0} {
		if n := h.count(`SELECT count(*) FROM custody.deposit WHERE amount = $1`, amount); n != want {
			t.Errorf("%d deposits of %d, want %d", n, amount, want)
		}
	}
	h.vaultAgrees(info, units(150_000))
}
