package funding_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodytest"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

// pulling is a house whose customers withdraw.
type pulling struct {
	*custodial

	door *funding.Pulling
	fee  uint64
	to   string
}

func newPulling(t *testing.T, wait time.Duration) *pulling {
	t.Helper()
	p := &pulling{custodial: newCustodial(t)}
	p.door = p.waits(wait)
	info, _ := p.kit.Assets.AssetByCode(custodytest.BTC)
	p.fee, _ = info.WithdrawalFee.Uint64()
	var err error
	p.to, err = p.kit.Nodes[info.Chain].DeriveAddress(fakechain.PublicKey("stranger"), 0, 0)
	p.must(err)
	return p
}

func (p *pulling) waits(wait time.Duration) *funding.Pulling {
	p.tb.Helper()
	door, err := funding.NewPulling(funding.PullingConfig{
		Store: p.store, Withdrawals: p.kit.Store, Balances: engineBalances{p.house}, Assets: p.kit.Assets, Wait: wait,
	})
	p.must(err)
	return door
}

// engineBalances reads them from the shard.
type engineBalances struct{ h *house }

func (b engineBalances) Balances(ctx context.Context, customer string) ([]trading.Balance, uint64, error) {
	registry := settle.NewRegistry(b.h.pool)
	account, err := registry.Account(ctx, customer)
	if err != nil {
		return nil, 0, err
	}
	asset, err := registry.Asset(ctx, custodytest.BTC)
	if err != nil {
		return nil, 0, err
	}
	out, err := b.h.client.Any(0).Balances(ctx, &matchingv1.BalancesRequest{Account: uint32(account), Assets: []uint32{uint32(asset)}})
	if err != nil {
		return nil, 0, err
	}
	have := out.GetBalances()[0].GetAvailable()
	return []trading.Balance{{Asset: custodytest.BTC, Available: settle.UnitsOf(engine.Amount{Hi: have.GetHi(), Lo: have.GetLo()})}}, out.GetSeq(), nil
}

// work carries transfers, as a worker would, until the test ends.
func (p *pulling) work() {
	p.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			rows, err := p.pool.Query(ctx, `SELECT id FROM funding.request WHERE state = 'pending'`)
			if err == nil {
				ids, _ := pgx.CollectRows(rows, pgx.RowTo[string])
				for _, id := range ids {
					_, _ = p.store.Tell(ctx, id)
					_, _ = p.store.Conclude(ctx, id)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.NewTimer(5 * time.Millisecond).C:
			}
		}
	})
	p.tb.Cleanup(func() { cancel(); all.Wait() })
}

// own gives Alice 10,000 in funding, and money in trading.
func (p *pulling) own(inTrading uint64) {
	p.tb.Helper()
	p.deposit(alice, 10_000+inTrading)
	p.mature()
	got := p.carry(to(trading.ToTrading, alice, "own", "BTC", inTrading))
	if got.State != trading.TransferDone {
		p.tb.Fatalf("%+v", got)
	}
}

func (p *pulling) ask(customer, key string, amount uint64) custody.WithdrawalRequest {
	return custody.WithdrawalRequest{Customer: customer, IdempotencyKey: key, Asset: "BTC", To: p.to, Amount: money.FromUint64(amount)}
}

func TestAWithdrawalPullsWhatItLacks(t *testing.T) {
	p := newPulling(t, 0)
	p.own(50_000)
	p.work()
	amount := 40_000 - p.fee
	w, repeated, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, "k", amount))
	if err != nil || repeated {
		t.Fatalf("%+v, %t, %v", w, repeated, err)
	}
	p.expect(alice, "BTC", 40_000, 20_000) // all of funding is held
	if again, repeated, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, "k", amount)); err != nil || !repeated || again.ID != w.ID {
		t.Errorf("again: %+v, %t, %v", again, repeated, err)
	}
	if _, _, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, "too much", 20_001)); !errors.Is(err, custody.ErrInsufficient) {
		t.Errorf("more than both have: %v", err)
	}
	if n := p.count(`SELECT count(*) FROM funding.request WHERE direction = 'to_funding'`); n != 1 {
		t.Errorf("%d transfers were made", n)
	}
	if _, _, err := p.door.CreateWithdrawal(t.Context(), p.ask(bob, "k", 5_000)); !errors.Is(err, custody.ErrInsufficient) {
		t.Errorf("of who has nothing: %v", err)
	}
	p.agree()
}

func TestManyAtOncePullOnce(t *testing.T) {
	p := newPulling(t, 0)
	p.own(90_000)
	p.work()
	ids := make([]string, 12)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			w, _, err := p.door.CreateWithdrawal(context.Background(), p.ask(alice, "k", 30_000-p.fee))
			if err != nil {
				t.Error(err)
			}
			ids[i] = w.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several withdrawals: %v", ids)
		}
	}
	p.expect(alice, "BTC", 30_000, 70_000)
	p.agree()
}

// overtaken is refused once, and then somebody else is faster.
type overtaken struct {
	funding.Withdrawals

	then func()
}

func (o *overtaken) CreateWithdrawal(ctx context.Context, r custody.WithdrawalRequest) (custody.Withdrawal, bool, error) {
	w, repeated, err := o.Withdrawals.CreateWithdrawal(ctx, r)
	if then := o.then; then != nil {
		o.then = nil
		then()
	}
	return w, repeated, err
}

// What the same request pulled meanwhile, and used, is not pulled once more.
func TestARequestThatWasOvertakenPullsNothing(t *testing.T) {
	p := newPulling(t, 0)
	p.own(90_000)
	p.work()
	ask := p.ask(alice, "k", 30_000-p.fee)
	var first custody.Withdrawal
	slow := &overtaken{Withdrawals: p.kit.Store, then: func() {
		var err error
		first, _, err = p.door.CreateWithdrawal(t.Context(), ask)
		p.must(err)
	}}
	door, err := funding.NewPulling(funding.PullingConfig{Store: p.store, Withdrawals: slow, Balances: engineBalances{p.house}, Assets: p.kit.Assets})
	p.must(err)
	w, repeated, err := door.CreateWithdrawal(t.Context(), ask)
	if err != nil || !repeated || w.ID != first.ID {
		t.Errorf("%+v, %t, %v", w, repeated, err)
	}
	p.expect(alice, "BTC", 30_000, 70_000)
	if n := p.count(`SELECT count(*) FROM funding.request WHERE key LIKE 'withdrawal/%'`); n != 1 {
		t.Errorf("%d transfers", n)
	}
}

// The worker is away: the caller hears so, repeats with the same key, and it goes on.
func TestWhileItIsUnderWayTheCallerRepeats(t *testing.T) {
	p := newPulling(t, 30*time.Millisecond)
	p.own(50_000)
	for range 3 {
		if _, _, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, "k", 30_000-p.fee)); !errors.Is(err, trading.ErrUnavailable) {
			t.Fatalf("err = %v", err)
		}
	}
	id := funding.ID(alice, "withdrawal/k")
	_, err := p.store.Tell(t.Context(), id)
	p.must(err)
	p.conclude(id)
	if _, _, err := p.door.CreateWithdrawal(t.Context(), p.ask(alice, "k", 30_000-p.fee)); err != nil {
		t.Errorf("err = %v", err)
	}
	p.expect(alice, "BTC", 30_000, 30_000)
}

// What the transfer brought is gone before the withdrawal is made, or the engine refuses
// the transfer: the same key may be used later all the same.
func TestAPullThatDidNotHelpIsNotTheLast(t *testing.T) {
	p := newPulling(t, 30*time.Millisecond)
	p.own(50_000)
	ask := p.ask(alice, "k", 30_000-p.fee)
	if _, _, err := p.door.CreateWithdrawal(t.Context(), ask); !errors.Is(err, trading.ErrUnavailable) {
		t.Fatal(err)
	}
	p.carry(to(trading.ToFunding, alice, "first", "BTC", 45_000)) // now the engine has too little
	p.carry(to(trading.ToTrading, alice, "hide", "BTC", 55_000))
	p.carry(to(trading.ToFunding, alice, "and back", "BTC", 60_000))
	p.create(to(trading.ToTrading, alice, "booked only", "BTC", 60_000)) // the engine does not know yet
	id := funding.ID(alice, "withdrawal/k")
	_, err := p.store.Tell(t.Context(), id)
	p.must(err)
	if got := p.conclude(id); got.State != trading.TransferRefused {
		t.Fatalf("%+v", got)
	}
	if _, _, err := p.door.CreateWithdrawal(t.Context(), ask); !errors.Is(err, custody.ErrInsufficient) {
		t.Errorf("refused: %v", err)
	}
	p.carry(to(trading.ToTrading, alice, "booked only", "BTC", 60_000))
	p.work()
	p.door = p.waits(0)
	if _, _, err := p.door.CreateWithdrawal(t.Context(), ask); err != nil {
		t.Errorf("the same key later: %v", err)
	}
	p.expect(alice, "BTC", 30_000, 30_000)
	if n := p.count(`SELECT count(*) FROM funding.request WHERE key LIKE 'withdrawal/%'`); n != 2 {
		t.Errorf("%d transfers belong to the withdrawal", n)
	}
	p.agree()
}

// deaf cannot say what anybody has.
type deaf struct{}

func (deaf) Balances(context.Context, string) ([]trading.Balance, uint64, error) {
	return nil, 0, fmt.Errorf("nobody leads: %w", trading.ErrUnavailable)
}

func TestMatchingIsDown(t *testing.T) {
	p := newPulling(t, 0)
	p.own(50_000)
	door, err := funding.NewPulling(funding.PullingConfig{Store: p.store, Withdrawals: p.kit.Store, Balances: deaf{}, Assets: p.kit.Assets})
	p.must(err)
	for amount, want := range map[uint64]error{9_000 - p.fee: nil, 30_000: trading.ErrUnavailable, 200_000: custody.ErrInsufficient} {
		if _, _, err := door.CreateWithdrawal(t.Context(), p.ask(alice, strconv.FormatUint(amount, 10), amount)); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", amount, err, want)
		}
	}
	if _, _, err := door.CreateWithdrawal(t.Context(), custody.WithdrawalRequest{Customer: alice, IdempotencyKey: "d", Asset: "DOGE"}); !errors.Is(err, custody.ErrAsset) {
		t.Errorf("an asset that is not there: %v", err)
	}
}
