package intake_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/ledger"
	"strongroom/money"
)

const customer = "cus_a"

// TestOneCreditForManyCallers advances one deposit from fifty places at once.
func TestOneCreditForManyCallers(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), 5_000)
	mine(t, k, custodytest.Coins, custodytest.WithdrawDepth)
	k.Look(t, custodytest.Coins)
	rows, err := k.Store.Outbox(context.Background(), 10)
	if err != nil || len(rows) == 0 {
		t.Fatal(rows, err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			p, err := k.Intake.Advance(context.Background(), rows[0].Subject)
			if err != nil && !errors.Is(err, custody.ErrConflict) {
				t.Error(err)
			}
			if err == nil && (p.State != custody.DepositWithdrawable || !p.Ended || p.Confirmations != custodytest.WithdrawDepth) {
				t.Errorf("%+v", p)
			}
		})
	}
	all.Wait()
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(5_000) {
		t.Fatalf("funding %s", got)
	}
}

// TestAnyAssetOfTheChainIsCredited: a token sent to the address that was made for
// the native asset belongs to the customer all the same.
func TestAnyAssetOfTheChainIsCredited(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.TUSD, k.Address(t, customer, custodytest.ETH), 5_000)
	k.Mine(t, custodytest.Accounts, custodytest.WithdrawDepth)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.TUSD)); got != money.FromUint64(5_000) {
		t.Fatalf("funding %s", got)
	}
}

// TestSuspendedAssetWaits: nothing is credited while the asset is suspended, and
// nobody has to be told twice afterwards.
func TestSuspendedAssetWaits(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), 5_000)
	k.Assets[0].State = custody.AssetSuspended
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); !got.IsZero() {
		t.Fatalf("funding %s while suspended", got)
	}
	k.Assets[0].State = custody.AssetListed
	k.Mine(t, custodytest.Coins, 1)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(5_000) {
		t.Fatalf("funding %s", got)
	}
}

// TestUnknownDeposit and states that need a person are errors.
func TestUnknownDeposit(t *testing.T) {
	k := custodytest.New(t)
	if _, err := k.Intake.Advance(context.Background(), "dep_none"); !errors.Is(err, custody.ErrNotFound) {
		t.Fatal(err)
	}
	if err := k.Intake.Attest(context.Background(), "DOGE"); !errors.Is(err, custody.ErrAsset) {
		t.Fatal(err)
	}
	if err := k.Store.HaltChain(context.Background(), custodytest.Coins, "test", false); err != nil {
		t.Fatal(err)
	}
	if err := k.Intake.Attest(context.Background(), custodytest.BTC); !errors.Is(err, custody.ErrChainHalted) {
		t.Fatal(err)
	}
}

// TestReleasedHoldRepaysDebt: the funds were held by a withdrawal when their
// deposit vanished. The hold is released, repays the debt and lifts the freeze.
func TestReleasedHoldRepaysDebt(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	to := k.Address(t, customer, custodytest.ETH)
	k.Pay(t, custodytest.ETH, to, 1_000_000) // stays
	k.Mine(t, custodytest.Accounts, 1)
	k.Pay(t, custodytest.ETH, to, 700_000) // will vanish: account chains forget it
	k.Mine(t, custodytest.Accounts, custodytest.WithdrawDepth)
	info, _ := k.Assets.AssetByCode(custodytest.ETH)
	outside, err := k.Nodes[info.Chain].DeriveAddress(fakechain.PublicKey("stranger"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := k.Store.CreateWithdrawal(ctx, custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: "k", Asset: custodytest.ETH, To: outside, Amount: money.FromUint64(1_600_000),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Chains[info.Chain].Reorg(custodytest.WithdrawDepth); err != nil {
		t.Fatal(err)
	}
	k.Look(t, info.Chain)
	k.Deliver(t)
	debt, err := k.Store.DebtOf(ctx, customer, custodytest.ETH)
	if err != nil || debt.Amount != money.FromUint64(700_000-99_950) {
		t.Fatalf("%+v, %v", debt, err)
	}
	if err := k.Intake.RepayDebts(ctx); err != nil { // nothing is available yet
		t.Fatal(err)
	}
	if _, err := k.Store.CancelWithdrawal(ctx, customer, w.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.Intake.RepayDebts(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.ETH)); got != money.FromUint64(1_000_000) {
		t.Fatalf("funding %s", got)
	}
	var frozen bool
	err = k.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.frozen)`).Scan(&frozen)
	if err != nil || frozen {
		t.Fatalf("frozen %v, %v", frozen, err)
	}
}

// TestAttestationCountsWhatIsThere: one count covers all that lies at the house's
// addresses, and outlives neither an outflow nor a reorganisation.
func TestAttestationCountsWhatIsThere(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	for _, who := range []string{"cus_a", "cus_b"} {
		k.Pay(t, custodytest.ETH, k.Address(t, who, custodytest.ETH), 5_000)
	}
	k.Mine(t, custodytest.Accounts, custodytest.CreditDepth)
	p, err := k.Ledger.Position(ctx, custodytest.ETH)
	if err != nil || p.Attested != money.FromUint64(10_000) || p.Liabilities != money.FromUint64(10_000) {
		t.Fatalf("%+v, %v", p, err)
	}
	basis, err := k.Store.AttestBasis(ctx, custodytest.ETH)
	if err != nil || len(basis.Addresses) != 3 || basis.At.Height != custodytest.CreditDepth || !basis.InFlight.IsZero() {
		t.Fatalf("%+v, %v", basis, err)
	}
}

// stale is a book into which somebody always books between count and hand-over.
type stale struct {
	*ledger.Ledger
	tries int
}

func (s *stale) Attest(ctx context.Context, a ledger.Attestation) error {
	if s.tries++; s.tries < 3 {
		return ledger.ErrStale
	}
	return s.Ledger.Attest(ctx, a)
}

func TestStaleCountIsRepeated(t *testing.T) {
	k := custodytest.New(t)
	book := &stale{Ledger: k.Ledger}
	k.Over(t, book)
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), 5_000)
	k.Mine(t, custodytest.Coins, custodytest.WithdrawDepth)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(5_000) || book.tries != 3 {
		t.Fatalf("funding %s after %d tries", got, book.tries)
	}
}

// TestNoCountNoCredit: while the node cannot be asked what is there, nothing is
// credited, although the chain was usable when the block was taken in.
func TestNoCountNoCredit(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), 5_000)
	mine(t, k, custodytest.Coins, custodytest.WithdrawDepth)
	k.Look(t, custodytest.Coins)
	k.Nodes[custodytest.Coins].Break(fakechain.Down)
	if failed := k.Deliver(t); len(failed) != 1 {
		t.Fatal(failed)
	}
	k.Nodes[custodytest.Coins].Break(fakechain.None)
	k.Mine(t, custodytest.Coins, 1)
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(5_000) {
		t.Fatalf("funding %s", got)
	}
	if _, err := k.Store.Chain(context.Background(), "nowhere"); !errors.Is(err, custody.ErrNotFound) {
		t.Fatal(err)
	}
	if c, err := k.Store.Chain(context.Background(), custodytest.Coins); err != nil || c.Status != custodydb.ChainOK {
		t.Fatal(c, err)
	}
}

func mine(tb testing.TB, k *custodytest.Kit, chain chainadapters.ChainID, n int) {
	tb.Helper()
	if err := k.Chains[chain].Mine(n); err != nil {
		tb.Fatal(err)
	}
}

// TestManyDepositsShareACount: thirty deposits of one block are credited at once
// on few counts, and all are.
func TestManyDepositsShareACount(t *testing.T) {
	k := custodytest.New(t)
	const many = 30
	to := k.Address(t, customer, custodytest.BTC)
	for range many {
		k.Pay(t, custodytest.BTC, to, 5_000)
	}
	book := &counted{Ledger: k.Ledger}
	k.Over(t, book)
	mine(t, k, custodytest.Coins, custodytest.WithdrawDepth)
	k.Look(t, custodytest.Coins)
	page, _, err := k.Store.Deposits(context.Background(), customer, "", many)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, d := range page {
		all.Go(func() {
			if _, err := k.Intake.Advance(context.Background(), d.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := k.Available(t, custody.FundingAccount(customer, custodytest.BTC)); got != money.FromUint64(many*5_000) {
		t.Fatalf("funding %s", got)
	}
	if n := book.attested.Load(); n == 0 || n > 3 {
		t.Errorf("%d counts for %d deposits of one block", n, many)
	}
}

// counted counts attestations.
type counted struct {
	*ledger.Ledger
	attested atomic.Int64
}

func (c *counted) Attest(ctx context.Context, a ledger.Attestation) error {
	c.attested.Add(1)
	return c.Ledger.Attest(ctx, a)
}
