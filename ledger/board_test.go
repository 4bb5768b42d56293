package ledger_test

import (
	"context"
	"strings"
	"testing"
)

// bobsBalance is the row that a boarded batch changes early, on top of a batch
// that does not touch bob.
const bobsBalance = "ledger.balance WHERE account = (SELECT no FROM ledger.account WHERE id = '" + string(bob) + "')"

// TestEarlyBalanceChangedBehindTheLedger changes an account, against all rules,
// that a boarded batch has in its book: where no other process has booked, the
// batch is refused as a whole.
func TestEarlyBalanceChangedBehindTheLedger(t *testing.T) {
	f := takeOff(t, "good", true)
	if _, err := f.pool.Exec(t.Context(), "UPDATE "+strings.Replace(bobsBalance, " WHERE", " SET version = version + 1 WHERE", 1)); err != nil {
		t.Fatal(err)
	}
	f.prepare(single("early", hot, bob, 5))
	waitFor(t, func() bool { return inTransaction(t, f.pool) == 1 })
	f.land()
	wantErr(t, "first", f.got["first"], nil)
	if err := f.got["early"]; err == nil || !strings.Contains(err.Error(), "behind the ledger") {
		t.Errorf("early: %v", err)
	}
	wantKept(t, f.ledger, f.got)
	wantBalance(t, f.ledger, bob, 2, 2)
}

// TestEarlyBalanceLocked lets somebody else hold the row that a boarded batch
// wants early: the batch gives way, and is booked when the row is free.
func TestEarlyBalanceLocked(t *testing.T) {
	f := takeOff(t, "good", true)
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "SELECT FROM "+bobsBalance+" FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	stuck := waiting(t, f.pool)
	f.prepare(single("early", hot, bob, 5))
	waitFor(t, func() bool { return waiting(t, f.pool) == stuck+1 })
	waitFor(t, func() bool { return waiting(t, f.pool) == stuck }) // it gave way
	f.release()
	waitFor(t, func() bool { return waiting(t, f.pool) == 1 }) // under the head
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wg.Wait()
	wantErr(t, "early", f.got["early"], nil)
	wantKept(t, f.ledger, f.got)
	wantBalance(t, f.ledger, bob, 7, 7)
	wantSound(t, f.ledger)
	wantClean(t, f.pool)
}
