package custodydb_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/ledger"
	"strongroom/money"
)

// sender pays whatever arrives.
const sender = "acct-outsider"

// hand is a chain made by hand, where a transaction can do something else on
// another branch and a block can come back.
type hand struct {
	*custodytest.Kit
	at chainadapters.Ref
}

func newHand(tb testing.TB) *hand {
	tb.Helper()
	h := &hand{Kit: custodytest.New(tb)}
	if _, err := h.Store.PinChain(context.Background(), custodytest.Accounts, h.Chains[custodytest.Accounts].Identity()); err != nil {
		tb.Fatal(err)
	}
	h.usable(tb)
	return h
}

func (h *hand) usable(tb testing.TB) {
	tb.Helper()
	if err := h.Store.SetChainOK(context.Background(), custodytest.Accounts, 0); err != nil {
		tb.Fatal(err)
	}
}

func (h *hand) block(branch string, movements ...chainadapters.Movement) chainadapters.Block {
	height := h.at.Height + 1
	if h.at.Hash == "" {
		height = 0
	}
	b := chainadapters.Block{Header: chainadapters.Header{
		Ref: chainadapters.Ref{Height: height, Hash: branch + strconv.FormatUint(height, 10)}, Parent: h.at.Hash, Time: time.Unix(1, 0),
	}, Movements: movements}
	for _, m := range movements {
		b.TxIDs = append(b.TxIDs, m.TxID)
	}
	return b
}

func (h *hand) take(tb testing.TB, b chainadapters.Block) error {
	tb.Helper()
	err := h.Store.TakeBlock(context.Background(), custodydb.TakenBlock{Chain: custodytest.Accounts, Prev: h.at, Block: b})
	if err == nil {
		h.at = b.Ref
	}
	return err
}

func (h *hand) rewind(tb testing.TB, to chainadapters.Ref) {
	tb.Helper()
	if err := h.Store.Rewind(context.Background(), custodytest.Accounts, h.at, to); err != nil {
		tb.Fatal(err)
	}
	h.at = to
}

func (h *hand) must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// attest hands in a count that the fake chain does not bear out: these
// tests make blocks by hand, so the count is made by hand too.
func (h *hand) attest(tb testing.TB, amount uint64) {
	tb.Helper()
	ctx := context.Background()
	position, err := h.Ledger.Position(ctx, custodytest.ETH)
	h.must(tb, err)
	h.must(tb, h.Ledger.Attest(ctx, ledger.Attestation{
		Asset: custodytest.ETH, Source: "chain/accounts", Amount: money.FromUint64(amount), Evidence: h.at.Hash, Outflows: position.Outflows,
	}))
	h.must(tb, h.Store.SetAttested(ctx, custodytest.Accounts, custodytest.ETH, h.at))
}

// TestSameTransactionOtherContent: on another branch the transaction pays less.
// While the book holds the old amount the block has to wait; once that is taken
// back, the row takes the new content and is credited with it.
func TestSameTransactionOtherContent(t *testing.T) {
	h := newHand(t)
	to := h.Address(t, "cus_a", custodytest.ETH)
	pay := func(amount uint64) chainadapters.Movement {
		return chainadapters.Movement{TxID: "tx", Index: chainadapters.NativeIndex, From: sender, To: to, Amount: money.FromUint64(amount)}
	}
	h.must(t, h.take(t, h.block("a")))
	root := h.at
	h.must(t, h.take(t, h.block("a", pay(5_000))))
	h.must(t, h.take(t, h.block("a")))
	h.attest(t, 5_000)
	if failed := h.Deliver(t); len(failed) != 0 {
		t.Fatal(failed)
	}
	h.rewind(t, root)
	if err := h.take(t, h.block("b", pay(3_000))); !errors.Is(err, custodydb.ErrTakeBackFirst) {
		t.Fatalf("the book still holds 5000: %v", err)
	}
	h.Deliver(t) // takes back
	h.must(t, h.take(t, h.block("b", pay(3_000))))
	h.must(t, h.take(t, h.block("b")))
	h.attest(t, 3_000)
	if failed := h.Deliver(t); len(failed) != 0 {
		t.Fatal(failed)
	}
	page, _, err := h.Store.Deposits(context.Background(), "cus_a", "", 5)
	if err != nil || len(page) != 1 || page[0].Amount != money.FromUint64(3_000) || page[0].State != custody.DepositCredited {
		t.Fatalf("%+v, %v", page, err)
	}
	if got := h.Available(t, custody.MaturingAccount("cus_a", custodytest.ETH)); got != money.FromUint64(3_000) {
		t.Fatalf("maturing %s", got)
	}
}

// TestABlockComesBack: the chain goes to another branch and returns to the first.
// The deposit was taken back in between, and is credited in a second round.
func TestABlockComesBack(t *testing.T) {
	h := newHand(t)
	to := h.Address(t, "cus_a", custodytest.ETH)
	h.must(t, h.take(t, h.block("a")))
	root := h.at
	first := h.block("a", chainadapters.Movement{TxID: "tx", Index: chainadapters.NativeIndex, From: sender, To: to, Amount: money.FromUint64(5_000)})
	h.must(t, h.take(t, first))
	h.must(t, h.take(t, h.block("a")))
	second := h.at
	h.attest(t, 5_000)
	h.Deliver(t)
	h.rewind(t, root)
	h.must(t, h.take(t, h.block("b")))
	h.Deliver(t)
	if got := h.Available(t, custody.MaturingAccount("cus_a", custodytest.ETH)); !got.IsZero() {
		t.Fatalf("maturing %s on the other branch", got)
	}
	h.rewind(t, root)
	h.must(t, h.take(t, first))
	b := h.block("a")
	h.must(t, h.take(t, b))
	if b.Ref != second {
		t.Fatal("not the same block")
	}
	h.attest(t, 5_000)
	if failed := h.Deliver(t); len(failed) != 0 {
		t.Fatal(failed)
	}
	for _, booked := range []string{"credit/1", "takeback/1", "credit/2"} {
		var n int
		err := h.Pool.QueryRow(context.Background(), `SELECT count(*) FROM ledger.transaction WHERE id LIKE '%/' || $1`, booked).Scan(&n)
		if err != nil || n != 1 {
			t.Errorf("%s: %d, %v", booked, n, err)
		}
	}
	if got := h.Available(t, custody.MaturingAccount("cus_a", custodytest.ETH)); got != money.FromUint64(5_000) {
		t.Fatalf("maturing %s", got)
	}
}

// TestNothingIsCreditedOnACountThatLeftTheChain: the count was made on a block
// that was replaced. Intake counts anew, finds nothing on the real chain, and the
// book refuses.
func TestNothingIsCreditedOnACountThatLeftTheChain(t *testing.T) {
	h := newHand(t)
	ctx := context.Background()
	to := h.Address(t, "cus_a", custodytest.ETH)
	genesis, err := h.Nodes[custodytest.Accounts].Head(ctx)
	h.must(t, err)
	h.must(t, h.take(t, chainadapters.Block{Header: genesis}))
	root := h.at
	h.must(t, h.take(t, h.block("a")))
	h.attest(t, 1_000_000) // plenty, at a block that is going to be replaced
	h.rewind(t, root)
	lie := h.block("b", chainadapters.Movement{TxID: "tx", Index: chainadapters.NativeIndex, From: sender, To: to, Amount: money.FromUint64(5_000)})
	h.must(t, h.take(t, lie))
	h.must(t, h.take(t, h.block("b")))
	for range 2 { // the second time nothing is known to be attested at all
		failed := h.Deliver(t)
		if len(failed) != 1 {
			t.Fatalf("%d refusals", len(failed))
		}
		for _, err := range failed {
			if !errors.Is(err, chainadapters.ErrIncomplete) {
				t.Errorf("the node does not have that block: %v", err)
			}
		}
		h.must(t, h.take(t, h.block("b")))
	}
	if got := h.Available(t, custody.MaturingAccount("cus_a", custodytest.ETH)); !got.IsZero() {
		t.Fatalf("maturing %s", got)
	}
}

func TestOnlyTheNextBlockIsTaken(t *testing.T) {
	h := newHand(t)
	h.must(t, h.take(t, h.block("a")))
	stale := *h
	h.must(t, h.take(t, h.block("a")))
	if err := stale.take(t, stale.block("a")); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("the same block again: %v", err)
	}
	b := h.block("a")
	b.Parent = "elsewhere"
	if err := h.take(t, b); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("a block that does not follow: %v", err)
	}
	if err := h.Store.Rewind(context.Background(), custodytest.Accounts, stale.at, chainadapters.Ref{}); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("a rewind from elsewhere: %v", err)
	}
}

// TestForeignTransactionHaltsTheKey: our nonce was used by bytes that we never made.
func TestForeignTransactionHaltsTheKey(t *testing.T) {
	h := newHand(t)
	hot, err := h.Store.HotAddress(context.Background(), custodytest.Accounts)
	h.must(t, err)
	b := h.block("a")
	b.TxIDs = []string{"theirs"}
	b.Spends = []chainadapters.Spend{{TxID: "theirs", From: hot.Address, Nonce: 7}}
	h.must(t, h.take(t, b))
	var halted bool
	err = h.Pool.QueryRow(context.Background(), `SELECT halted FROM custody.nonce_counter WHERE address = $1`, hot.Address).Scan(&halted)
	if err != nil || !halted {
		t.Fatalf("halted %v, %v", halted, err)
	}
}

// TestThousandsOfMovements: a block with many movements of which few are ours.
func TestThousandsOfMovements(t *testing.T) {
	h := newHand(t)
	to := h.Address(t, "cus_a", custodytest.ETH)
	var movements []chainadapters.Movement
	for i := range 5_000 {
		address := "stranger" + strconv.Itoa(i)
		if i%100 == 0 {
			address = to
		}
		movements = append(movements, chainadapters.Movement{
			TxID: "tx" + strconv.Itoa(i), Index: chainadapters.NativeIndex, From: sender, To: address, Amount: money.FromUint64(2_000),
		})
	}
	h.must(t, h.take(t, h.block("a", movements...)))
	page, _, err := h.Store.Deposits(context.Background(), "cus_a", "", 100)
	if err != nil || len(page) != 50 {
		t.Fatalf("%d deposits, %v", len(page), err)
	}
}
