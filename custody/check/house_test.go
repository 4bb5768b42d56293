package check_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/collect"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/internal/id"
	"strongroom/money"
)

// fakeSigner signs for the fake chains.
type fakeSigner struct{}

func (fakeSigner) Sign(_ context.Context, req desk.SignRequest) (desk.Signature, error) {
	raw, txid := fakechain.Sign(req.Unsigned.Bytes)
	return desk.Signature{Raw: raw, TxID: txid}, nil
}

// house is all of custody on chains in memory.
type house struct {
	*custodytest.Kit
	desk      *desk.Desk
	collector *collector.Collector
	outside   map[chainadapters.ChainID]string // a stranger's address
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	h := &house{Kit: custodytest.New(tb), outside: map[chainadapters.ChainID]string{}}
	for name := range h.Chains {
		address, err := h.Nodes[name].DeriveAddress(fakechain.PublicKey("stranger"), 0, 0)
		if err != nil {
			tb.Fatal(err)
		}
		h.outside[name] = address
	}
	h.wire(tb)
	return h
}

func (h *house) wire(tb testing.TB) {
	tb.Helper()
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.Store, Adapters: h.Adapters, Assets: h.Assets, Signer: fakeSigner{}, Screening: h.Sanctions, Log: h.Log,
		Clock: time.Now, //nolint:forbidigo // nothing gets stuck here
	})
	if err != nil {
		tb.Fatal(err)
	}
	h.collector, err = collector.New(collector.Config{
		Store: h.Store, Adapters: h.Adapters, Assets: h.Assets, Log: h.Log,
		Merge: custody.ConsolidationPolicy{Above: 5, Most: 4, LowSatPerKVB: 1 << 40, SharePercent: 60},
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// fund gives the hot wallet of every asset plenty, and waits until it is booked.
func (h *house) fund(tb testing.TB) {
	tb.Helper()
	for _, info := range h.Assets {
		hot, err := h.Store.HotAddress(context.Background(), info.Chain)
		if err != nil {
			tb.Fatal(err)
		}
		for range 4 {
			h.Pay(tb, info.Code, hot.Address, plenty(info.Code))
		}
	}
	for chain := range h.Chains {
		h.Mine(tb, chain, custodytest.FinalDepth+1)
	}
}

// plenty is an amount beside which fees are small.
func plenty(asset string) uint64 {
	if asset == custodytest.ETH {
		return 1_000_000_000_000_000_000
	}
	return 100_000_000
}

// drive takes every step once for every intent that has not ended. Steps that
// cannot be taken now are no failure; it reports how many intents are open.
func (h *house) drive(tb testing.TB) (open int) {
	tb.Helper()
	rows, err := h.Pool.Query(context.Background(), `SELECT id FROM custody.withdrawal WHERE state NOT IN ('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted')
		UNION ALL SELECT id FROM custody.house_intent WHERE state NOT IN ('posted', 'cancelled', 'reverted') ORDER BY id`)
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for rows.Next() {
		var intent string
		if err := rows.Scan(&intent); err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, intent)
	}
	steps := []func(context.Context, string) (custody.Progress, error){
		h.desk.Screen, h.desk.Reserve, h.desk.Sign, h.desk.Send, h.desk.Observe, h.desk.Settle,
	}
	for _, intent := range ids {
		ended := false
		for _, step := range steps {
			if p, err := step(context.Background(), intent); err == nil {
				ended = p.Ended
			}
		}
		if !ended {
			open++
		}
	}
	return open
}

// withdraw asks for a payment to the stranger; refusals are part of the game.
func (h *house) withdraw(tb testing.TB, customer, asset string, amount uint64) {
	tb.Helper()
	info, _ := h.Assets.AssetByCode(asset)
	key := id.New("key")
	_, _, err := h.Store.CreateWithdrawal(context.Background(), custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: key, RequestHash: sha256.Sum256([]byte(key)), Asset: asset,
		To: h.outside[info.Chain], Amount: money.FromUint64(amount),
	})
	if err != nil && !errors.Is(err, custody.ErrInsufficient) && !errors.Is(err, custody.ErrFrozen) {
		tb.Fatal(err)
	}
}

// violations runs the check without any grace.
func (h *house) violations(tb testing.TB) []check.Violation {
	tb.Helper()
	found, err := check.Run(context.Background(), check.Config{Pool: h.Pool, Adapters: h.Adapters, Assets: h.Assets})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }
