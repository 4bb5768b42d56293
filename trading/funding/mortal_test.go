package funding_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/wire"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

var errDied = errors.New("the process died here")

// What becomes of a call: it may die before it has any effect, or after it had.
const (
	lives = iota
	diesBefore
	diesAfter
	fates
)

// mortalEngine is the shard as a process sees it that dies now and then.
type mortalEngine struct {
	funding.Engine

	fate     func() int
	mu       sync.Mutex
	accounts map[engine.AccountID]int // how often each was made
}

func (m *mortalEngine) Do(ctx context.Context, commands ...engine.Command) ([]wire.Result, error) {
	fate := m.fate()
	if fate == diesBefore {
		return nil, errDied
	}
	m.mu.Lock()
	for _, c := range commands {
		if c.Op == engine.OpAccount {
			m.accounts[c.Account]++
		}
	}
	m.mu.Unlock()
	results, err := m.Engine.Do(ctx, commands...)
	if fate == diesAfter {
		return nil, errDied
	}
	return results, err
}

// mortalLedger is the book as such a process sees it.
type mortalLedger struct {
	*ledger.Ledger

	fate func() int
}

func (m mortalLedger) Post(ctx context.Context, tx ledger.Transaction, with ...ledger.Attachment) (ledger.Receipt, error) {
	fate := m.fate()
	if fate == diesBefore {
		with = append(with, func(context.Context, pgx.Tx) error { return errDied })
	}
	receipt, err := m.Ledger.Post(ctx, tx, with...)
	if fate == diesAfter && err == nil {
		return ledger.Receipt{}, errDied
	}
	return receipt, err
}

// mortal puts the house's transfers on a book and a shard with this fate.
func (h *house) mortal(fate func() int) (*funding.Store, *mortalEngine) {
	h.tb.Helper()
	cfg := h.cfg
	core := &mortalEngine{Engine: h.link, fate: fate, accounts: map[engine.AccountID]int{}}
	cfg.Engine, cfg.Ledger = core, mortalLedger{h.ledger, fate}
	return h.with(cfg), core
}

// passes tells whether an error is one that a workflow asks again after.
func passes(err error) bool {
	return err == nil || errors.Is(err, errDied) || errors.Is(err, settle.ErrNotSettled)
}

// finish carries all transfers of a customer to their end and adds up what they moved.
func (h *house) finish(t interface{ Fatalf(string, ...any) }, customer string) {
	ctx := h.tb.Context()
	inFunding, inTrading := map[string]uint64{"BTC": plenty, "USDC": plenty}, map[string]uint64{}
	list, next, err := h.store.Transfers(ctx, customer, "", 500)
	if err != nil || next != "" {
		t.Fatalf("list: %v, %q", err, next)
	}
	for _, one := range list {
		if _, err := h.store.Tell(ctx, one.ID); err != nil {
			t.Fatalf("tell %s: %v", one.ID, err)
		}
		one = h.conclude(one.ID)
		amount, _ := one.Amount.Uint64()
		switch {
		case one.State == trading.TransferPending:
			t.Fatalf("%+v did not end", one)
		case one.State == trading.TransferRefused:
		case one.Direction == trading.ToTrading:
			inFunding[one.Asset] -= amount
			inTrading[one.Asset] += amount
		default:
			inFunding[one.Asset] += amount
			inTrading[one.Asset] -= amount
		}
	}
	for _, asset := range codes() {
		f, tr := h.has(customer, asset, "funding"), h.has(customer, asset, "trading")
		if f != inFunding[asset] || tr != inTrading[asset] {
			t.Fatalf("%s has %d %s in funding and %d in trading; its transfers leave %d and %d", customer, f, asset, tr, inFunding[asset], inTrading[asset])
		}
	}
	if n := h.count(`SELECT count(*) FROM funding.request r LEFT JOIN trading.transfer t USING (id) LEFT JOIN custody.outbox o ON o.subject = r.id
		WHERE r.customer = $1 AND (t.id IS NULL OR o.seq IS NULL)`, customer); n != 0 {
		t.Fatalf("%d requests lack their note or their message", n)
	}
}

// Random transfers by processes that die between any two steps, and in them: in the end
// each was carried out once, or refused with no effect, and ledger and engine agree.
func TestWhereverItDiesEachTransferHappensOnce(t *testing.T) {
	h := newHouse(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		customer := fmt.Sprint("cus_", runs)
		for _, asset := range codes() {
			h.fund(asset, money.FromUint64(plenty), customer)
		}
		store, _ := h.mortal(func() int { return max(lives, rapid.IntRange(-4, fates-1).Draw(rt, "fate")) })
		taken := map[string]bool{}
		var ids []string
		create := func() {
			n := trading.NewTransfer{
				Customer: customer, Key: strconv.Itoa(rapid.IntRange(0, 9).Draw(rt, "key")), Asset: rapid.SampledFrom(codes()).Draw(rt, "asset"),
				Amount:    money.FromUint64(rapid.Uint64Range(1, plenty/2).Draw(rt, "amount")),
				Direction: rapid.SampledFrom([]trading.Direction{trading.ToTrading, trading.ToFunding}).Draw(rt, "direction"),
			}
			got, _, err := store.CreateTransfer(t.Context(), n)
			if err == nil && !taken[got.ID] {
				taken[got.ID], ids = true, append(ids, got.ID)
			}
			if !passes(err) && !errors.Is(err, ledger.ErrInsufficient) && !errors.Is(err, trading.ErrIdempotency) {
				rt.Fatalf("create: %v", err)
			}
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			step := rapid.IntRange(0, 5).Draw(rt, "step")
			if step < 2 || len(ids) == 0 {
				create()
				continue
			}
			if step == 5 { // settlement halts where ledger and engine differ, half way too
				_, err := h.link.Do(t.Context(), engine.Command{Op: engine.OpCheckpoint})
				h.must(err)
				continue
			}
			take := store.Tell
			if step == 4 {
				take = store.Conclude
			}
			if _, err := take(t.Context(), rapid.SampledFrom(ids).Draw(rt, "id")); !passes(err) {
				rt.Fatalf("step: %v", err)
			}
		}
		h.finish(rt, customer)
		for _, id := range ids {
			if _, err := h.store.Transfer(t.Context(), customer, id); err != nil {
				rt.Fatalf("%s was taken and is not there: %v", id, err)
			}
		}
	})
	h.agree()
}

// Many workers take steps of the same transfers at once, for customers that the engine
// has never seen: each gets one account, and its tier stays what an operator made it.
func TestManyWorkersAtOnce(t *testing.T) {
	h := newHouse(t)
	store, core := h.mortal(func() int { return lives })
	customers := make([]string, 4)
	for i := range customers {
		customers[i] = fmt.Sprint("cus_", i)
	}
	for _, asset := range codes() {
		h.fund(asset, money.FromUint64(plenty), customers...)
	}
	var all sync.WaitGroup
	for worker := range 8 {
		rng := rand.New(rand.NewPCG(uint64(worker), 3))
		all.Go(func() {
			for range 25 {
				customer := customers[rng.IntN(len(customers))]
				n := to(trading.ToTrading, customer, strconv.Itoa(rng.IntN(12)), codes()[rng.IntN(2)], 1+rng.Uint64N(1000))
				if rng.IntN(3) == 0 {
					n.Direction = trading.ToFunding
				}
				got, _, err := store.CreateTransfer(t.Context(), n)
				if errors.Is(err, trading.ErrIdempotency) {
					continue
				}
				if err == nil {
					_, err = store.Tell(t.Context(), got.ID)
				}
				if err == nil {
					_, err = store.Conclude(t.Context(), got.ID)
				}
				if !passes(err) {
					t.Error(err)
				}
				if _, err := h.link.Do(t.Context(), engine.Command{Op: engine.OpCheckpoint}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, c := range customers {
		h.finish(t, c)
	}
	h.agree()
	for no, times := range core.accounts {
		if times != 1 {
			t.Errorf("account %d was made %d times", no, times)
		}
	}
	if len(core.accounts) != len(customers) {
		t.Errorf("accounts of %d customers: %v", len(customers), core.accounts)
	}
}

// A process without a shard takes transfers in, and no steps; one that lost its session
// opens another.
func TestWithoutAShard(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	cfg := h.cfg
	cfg.Engine = nil
	store := h.with(cfg)
	got, _, err := store.CreateTransfer(t.Context(), to(trading.ToTrading, alice, "k", "BTC", 5))
	h.must(err)
	if _, err := store.Tell(t.Context(), got.ID); !errors.Is(err, trading.ErrUnavailable) {
		t.Errorf("told: %v", err)
	}
	for _, id := range []string{"fnd_none", "", funding.ID(alice, "other")} {
		_, told := h.store.Tell(t.Context(), id)
		_, concluded := h.store.Conclude(t.Context(), id)
		if !errors.Is(told, trading.ErrNotFound) || !errors.Is(concluded, trading.ErrNotFound) {
			t.Errorf("%q: %v, %v", id, told, concluded)
		}
	}
	if _, err := funding.New(funding.Config{}); err == nil {
		t.Error("an empty config was taken")
	}
	if _, err := funding.NewForwarder(nil, nil); err == nil {
		t.Error("a forwarder of nothing was made")
	}
	if _, err := funding.NewPulling(funding.PullingConfig{}); err == nil {
		t.Error("an empty pulling was made")
	}
}

// crowd lets commands of transfers go on once several were answered.
type crowd struct {
	*mortalEngine

	left chan struct{} // one for each that has to come
	open chan struct{}
}

func (c *crowd) Do(ctx context.Context, commands ...engine.Command) ([]wire.Result, error) {
	if commands[0].Op == engine.OpAccount {
		<-time.NewTimer(50 * time.Millisecond).C // who does not take turns looks meanwhile
	}
	results, err := c.mortalEngine.Do(ctx, commands...)
	select {
	case <-c.left:
		if len(c.left) == 0 {
			close(c.open)
		}
		<-c.open
	default: // those that look again
	}
	return results, err
}

// Several learn at once that the engine does not know an account.
func TestAnAccountIsMadeOnce(t *testing.T) {
	const workers = 4
	h := newHouse(t)
	for _, asset := range codes() {
		h.fund(asset, money.FromUint64(plenty), alice)
	}
	_, core := h.mortal(func() int { return lives })
	all := &crowd{mortalEngine: core, left: make(chan struct{}, workers), open: make(chan struct{})}
	cfg := h.cfg
	cfg.Engine = all
	store := h.with(cfg)
	var ids []string
	for i := range workers {
		ids = append(ids, h.create(to(trading.ToTrading, alice, strconv.Itoa(i), "BTC", 5)).ID)
		all.left <- struct{}{}
	}
	var done sync.WaitGroup
	for _, id := range ids {
		done.Go(func() {
			if _, err := store.Tell(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	for no, times := range core.accounts {
		if times != 1 {
			t.Errorf("account %d was made %d times", no, times)
		}
	}
	if len(core.accounts) != 1 {
		t.Errorf("made %v", core.accounts)
	}
	h.finish(t, alice)
}

// bounded is a shard that takes nothing.
type bounded engine.Code

func (b bounded) Do(_ context.Context, commands ...engine.Command) ([]wire.Result, error) {
	return []wire.Result{{Kind: engine.EventTransfer, Code: engine.Code(b)}}[:len(commands)], nil
}

// What the engine does not even remember is for an operator, and not refused: it may be
// taken later.
func TestWhatIsNotTakenStaysUnderWay(t *testing.T) {
	h := newHouse(t)
	h.fund("BTC", money.FromUint64(plenty), alice)
	id := h.create(to(trading.ToTrading, alice, "k", "BTC", 5)).ID
	for _, code := range []engine.Code{engine.CodeTooManyKeys, engine.CodeUnknownAsset, engine.CodeUnknownAccount} {
		cfg := h.cfg
		cfg.Engine = bounded(code)
		if got, err := h.with(cfg).Tell(t.Context(), id); !errors.Is(err, funding.ErrNotTaken) || got.State != trading.TransferPending {
			t.Errorf("%s: %+v, %v", trading.CodeName(code), got, err)
		}
	}
	_, err := h.store.Tell(t.Context(), id)
	h.must(err)
	if got := h.conclude(id); got.State != trading.TransferDone {
		t.Errorf("%+v", got)
	}
}
