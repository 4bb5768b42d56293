package collector_test

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"strconv"
	"testing"

	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/ledger/ledgertest"
	"strongroom/money"
	"strongroom/signer"
)

// What the test on a real node moves, in satoshi.
const (
	smallDeposits = 200
	smallDeposit  = 20_000
	largeDeposit  = 900_000
	payout        = 800_000
	perCollection = 25
	houseMoney    = 500_000 // out of which the house pays miners
)

// TestManySmallDepositsEndInOneWithdrawal on a real node and with the real signer:
// 200 small deposits are collected, the coins that this makes are merged at a low
// fee, a withdrawal is paid out of the result, and book and chain agree on it all,
// fees included.
func TestManySmallDepositsEndInOneWithdrawal(t *testing.T) {
	w := newWorld(t)
	pay := make(map[string]int64, smallDeposits)
	for i := range smallDeposits - 1 {
		pay[w.address(t, "cus_"+strconv.Itoa(i))] = smallDeposit
	}
	pay[w.address(t, "cus_last")] = largeDeposit
	hot, err := w.store.HotAddress(context.Background(), regtest)
	must(t, err)
	pay[hot.Address] = houseMoney
	w.miner.pay(t, pay)
	w.settle(t)

	collections, merges := w.count(t, custody.IntentCollect), w.count(t, custody.IntentConsolidate)
	if want := smallDeposits / perCollection; collections != want || merges == 0 {
		t.Fatalf("%d collections, want %d; %d mergings", collections, want, merges)
	}
	key := sha256.Sum256([]byte("once"))
	order, _, err := w.store.CreateWithdrawal(context.Background(), custody.WithdrawalRequest{
		Customer: "cus_last", IdempotencyKey: "once", RequestHash: key, Asset: "BTC", To: w.miner.address, Amount: money.FromUint64(payout),
	})
	must(t, err)
	w.settle(t)
	row, err := w.store.LoadIntent(context.Background(), order.ID)
	must(t, err)
	if row.State != custody.WithdrawalPosted {
		t.Fatalf("the withdrawal is %s: %s", row.State, row.Reason)
	}
	w.agrees(t, collections+merges+1)
}

// agrees runs both checkers, with the signer's journal, and compares what was paid
// to miners with the number of transactions.
func (w *world) agrees(t *testing.T, transactions int) {
	t.Helper()
	ctx := context.Background()
	books, err := ledgertest.Check(ctx, w.pool)
	must(t, err)
	found, err := check.Run(ctx, check.Config{
		Pool: w.pool, Adapters: w.adapters, Assets: w.assets, Signed: func() (map[check.SignedKey]string, error) {
			allowed := map[check.SignedKey]string{}
			err := signer.Audit(filepath.Join(w.signerDir, signer.StateFolder), func(p signer.Permission) {
				allowed[check.SignedKey{Intent: p.Intent, Attempt: p.Attempt}] = p.Payload
			})
			return allowed, err
		},
	})
	must(t, err)
	if len(books)+len(found) > 0 {
		t.Fatalf("the book: %v; the house: %v", books, found)
	}
	lines, err := check.Fees(ctx, w.pool)
	must(t, err)
	if len(lines) != 1 || lines[0].Transactions != int64(transactions) || lines[0].Earned != money.FromUint64(houseFee) || lines[0].Paid.IsZero() {
		t.Fatalf("%d transactions: %+v", transactions, lines)
	}
	t.Logf("%d transactions, %s paid to miners, %s earned", transactions, lines[0].Paid, lines[0].Earned)
}
