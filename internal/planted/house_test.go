//go:build planted

package planted_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/ledger/ledgertest"
	"strongroom/money"
)

// house is all of custody on chains in memory, with workers that die and sleep.
type house struct {
	*custodytest.Kit

	t       *trap
	rng     *rand.Rand
	desk    *desk.Desk
	drowsy  *intake.Intake // of the worker that pauses and dies
	outside map[chainadapters.ChainID]string
	die     context.CancelFunc // ends the step that is under way
	mortal  bool               // whether processes die
	awake   bool               // whether the drowsy worker may fall asleep
	orders  int
}

func newHouse(t *trap, seed uint64) *house {
	h := &house{
		Kit: custodytest.New(t), t: t, rng: rand.New(rand.NewPCG(seed, 23)), die: func() {},
		outside: map[chainadapters.ChainID]string{},
	}
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for name, node := range h.Nodes {
		adapters[name] = mortal{node, h}
		address, err := node.DeriveAddress(fakechain.PublicKey("stranger"), 0, 0)
		h.must(err)
		h.outside[name] = address
	}
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.Store, Adapters: adapters, Assets: h.Assets, Signer: mortalSigner{h}, Screening: h.Sanctions, Log: h.Log,
		Clock: time.Now, //nolint:forbidigo // nothing here depends on it
	})
	h.must(err)
	h.drowsy, err = intake.New(intake.Config{Store: h.Store, Ledger: sleeper{h.Ledger, h}, Assets: h.Assets, Adapters: h.Adapters, Screening: h.Sanctions, Log: h.Log})
	h.must(err)
	return h
}

func (h *house) must(err error) {
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) chance(of int) bool { return h.rng.IntN(of) == 0 }

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func (h *house) chain() chainadapters.ChainID {
	return pick(h.rng, custodytest.Coins, custodytest.Accounts)
}

// fund gives the hot wallets plenty.
func (h *house) fund() {
	for _, info := range h.Assets {
		hot, err := h.Store.HotAddress(context.Background(), info.Chain)
		h.must(err)
		for range 3 {
			h.Pay(h.t, info.Code, hot.Address, plenty(info.Code))
		}
	}
	for chain := range h.Chains {
		for range custodytest.FinalDepth + 1 {
			h.mine(chain)
		}
	}
	h.mortal, h.awake = true, true
}

func plenty(asset string) uint64 {
	if asset == custodytest.ETH {
		return 1_000_000_000_000_000_000
	}
	return 100_000_000
}

// disturb does one random thing.
func (h *house) disturb() {
	asset, customer := pick(h.rng, custodytest.BTC, custodytest.ETH, custodytest.TUSD), pick(h.rng, "cus_a", "cus_b", "cus_c")
	chain := h.chain()
	switch n := h.rng.IntN(20); {
	case n < 5:
		h.Pay(h.t, asset, h.Address(h.t, customer, asset), custodytest.Dust+h.rng.Uint64N(3*custodytest.Small))
	case n < 10:
		h.mine(chain)
	case n < 12:
		h.must(h.Chains[chain].Reorg(1 + h.rng.IntN(custodytest.MaxReorg)))
		if h.chance(3) {
			h.Chains[chain].DropPool()
		}
		h.Look(h.t, chain)
	case n < 13:
		h.Chains[chain].DropPool()
	case n < 16:
		h.order(customer, asset)
	default:
		_, _ = h.drive() // what fails is tried again
	}
}

// mine adds a block and carries what it means.
func (h *house) mine(chain chainadapters.ChainID) {
	h.must(h.Chains[chain].Mine(1))
	h.Look(h.t, chain)
	h.deliver()
}

// meanwhile is what happens around a worker that is asleep.
func (h *house) meanwhile() {
	chain := h.chain()
	h.must(h.Chains[chain].Reorg(1 + h.rng.IntN(custodytest.MaxReorg)))
	if h.chance(2) {
		h.Chains[chain].DropPool()
	}
	h.Look(h.t, chain)
	h.Deliver(h.t) // another worker, wide awake
}

// order asks for a withdrawal, several times at once with one key.
func (h *house) order(customer, asset string) {
	info, _ := h.Assets.AssetByCode(asset)
	h.orders++
	key := "key-" + strconv.Itoa(h.orders)
	req := custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: key, RequestHash: sha256.Sum256([]byte(key)), Asset: asset,
		To: h.outside[info.Chain], Amount: money.FromUint64(custodytest.Dust + h.rng.Uint64N(custodytest.Small)),
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			_, _, err := h.Store.CreateWithdrawal(context.Background(), req)
			if err != nil && !errors.Is(err, custody.ErrInsufficient) && !errors.Is(err, custody.ErrFrozen) {
				h.t.Error(err)
			}
		})
	}
	all.Wait()
}

// deliver hands messages to the drowsy worker, which may die over each; then its
// message is delivered again. A deposit is credited at its depth, not before.
func (h *house) deliver() {
	rows, err := h.Store.Outbox(context.Background(), 500)
	h.must(err)
	for _, r := range rows {
		if r.Topic == custodydb.TopicDeposit {
			h.advance(r.Subject)
		}
		h.must(h.Store.OutboxSent(context.Background(), []int64{r.Seq}))
	}
}

// maxLives bounds how often a message is delivered to workers that die.
const maxLives = 20

func (h *house) advance(deposit string) {
	before, err := h.Store.DepositRow(context.Background(), deposit)
	if errors.Is(err, custody.ErrNotFound) {
		h.t.note("what is told about exists: a deposit is gone")
		return
	}
	h.must(err)
	for range maxLives {
		ctx, cancel := context.WithCancel(context.Background())
		h.die = cancel
		_, err := h.drowsy.Advance(ctx, deposit)
		died := ctx.Err() != nil
		cancel()
		if err == nil || !died {
			break // what cannot be done now is told again with another block
		}
	}
	h.depth(before)
}

// depth judges a deposit that was not credited before.
func (h *house) depth(before custodydb.DepositRow) {
	now, err := h.Store.DepositRow(context.Background(), before.ID)
	if err != nil || before.State.Booked() || !now.State.Booked() || !now.Canonical || now.Block != before.Block {
		return
	}
	info, _ := h.Assets.AssetByCode(now.Asset)
	chain, err := h.Store.Chain(context.Background(), now.Chain)
	h.must(err)
	// A pause may have moved the chain back by as much as policy allows.
	if got := custody.Confirmations(now.Block.Height, chain.HeadHeight); got < info.TierOf(now.Amount).CreditDepth {
		h.t.note("a deposit is credited at its depth")
	}
}

// drive takes every step once for every intent that has not ended; a worker may
// die in each. It reports how many are open and what one of them waits for.
func (h *house) drive() (open int, why error) {
	rows, err := h.Pool.Query(context.Background(), `SELECT id FROM custody.withdrawal
		WHERE state NOT IN ('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted') ORDER BY id`)
	h.must(err)
	var ids []string
	for rows.Next() {
		var id string
		h.must(rows.Scan(&id))
		ids = append(ids, id)
	}
	h.must(rows.Err())
	for _, id := range ids {
		ended := false
		for _, step := range []func(context.Context, string) (custody.Progress, error){
			h.desk.Screen, h.desk.Reserve, h.desk.Sign, h.desk.Send, h.desk.Observe, h.desk.Settle,
		} {
			ctx, cancel := context.WithCancel(context.Background())
			h.die = cancel
			p, err := step(ctx, id)
			cancel()
			if ended = p.Ended; err != nil {
				why = err
			}
		}
		if !ended {
			open++
		}
	}
	return open, why
}

// maxRounds bounds the way to rest.
const maxRounds = 60

// calm mines and works, without death and sleep, until nothing moves any more.
func (h *house) calm() {
	h.mortal, h.awake = false, false
	quiet := 0
	var why error
	for range maxRounds {
		for chain := range h.Chains {
			h.mine(chain)
		}
		h.must(h.Intake.RepayDebts(context.Background()))
		var open int
		if open, why = h.drive(); open > 0 {
			quiet = 0
		} else if quiet++; quiet > custodytest.FinalDepth {
			return
		}
	}
	h.t.note("all comes to rest")
	if why != nil {
		h.t.Logf("waits for: %s", short(why.Error()))
	}
}

// judge runs the checkers of custody and of the book.
func (h *house) judge() {
	found, err := check.Run(context.Background(), check.Config{Pool: h.Pool, Adapters: h.Adapters, Assets: h.Assets})
	h.must(err)
	for _, v := range found {
		h.t.note(v.Invariant)
	}
	books, err := ledgertest.Check(context.Background(), h.Pool)
	h.must(err)
	for _, v := range books {
		h.t.note("ledger: " + short(fmt.Sprint(v)))
	}
}
