package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"strongroom/ledger"
)

// undone runs f in a transaction that is rolled back.
func undone(tb testing.TB, begin func(context.Context) (pgx.Tx, error), f func(tx pgx.Tx)) {
	tb.Helper()
	tx, err := begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = tx.Rollback(tb.Context()) }()
	f(tx)
}

func TestAppendOnlyTablesRefuseChange(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	for _, table := range []string{"account", "transfer", "transaction", "batch", "attestation", "balance", "position", "head"} {
		for _, sql := range []string{"DELETE FROM ledger.%s", "DELETE FROM ledger.%s WHERE false", "TRUNCATE ledger.%s CASCADE"} {
			if _, err := pool.Exec(t.Context(), fmt.Sprintf(sql, table)); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf(sql+": %v", table, err)
			}
		}
	}
	for _, sql := range []string{
		"UPDATE ledger.account SET asset = 'ETH'", "UPDATE ledger.transfer SET amount = 5", "UPDATE ledger.transaction SET id = 'x'",
		"UPDATE ledger.batch SET booked = now()", "UPDATE ledger.attestation SET amount = 5",
	} {
		undone(t, pool.Begin, func(tx pgx.Tx) {
			if _, err := tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica"); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", sql, err)
			}
		})
	}
	wantClean(t, pool)
}

func TestSchemaRepeatsTheInvariants(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	mustPost(t, l, hold("h", 100))
	mustPost(t, l, resolve("h/post", ledger.Post, "h", 0))
	copyRow := func(set string) string {
		return `INSERT INTO ledger.transfer SELECT (r).* FROM (SELECT jsonb_populate_record(t, '{"seq": 99, "id": "copy", ` + set + `}') AS r FROM ledger.transfer t WHERE id = 'h/post') x`
	}
	for constraint, sql := range map[string]string{
		"available_not_negative": "UPDATE ledger.balance SET debits_pending = 1001 WHERE account = (SELECT no FROM ledger.account WHERE id = '" + string(ann) + "')",
		"holds_not_negative":     "UPDATE ledger.balance SET debits_pending = -1",
		"totals_not_negative":    "UPDATE ledger.balance SET may_overdraw = true, debits_posted = -1",
		"within_limit":           "UPDATE ledger.balance SET credits_posted = 5001 WHERE max_balance > 0",
		"liabilities_attested":   "UPDATE ledger.position SET liability_credits = liability_debits + attested + 1",
		"transfer_resolved_once": copyRow(`"kind": 4, "amount": 0`),
		"transfer_id_once":       copyRow(`"id": "h", "kind": 1, "pending": null`),
		"moves_something":        copyRow(`"kind": 1, "pending": null, "amount": 0`),
		"void_moves_nothing":     copyRow(`"kind": 4, "pending": 77`),
		"resolves_a_pending":     copyRow(`"pending": null`),
		"two_accounts":           copyRow(`"kind": 1, "pending": null, "debit": 2, "credit": 2`),
		"only_pending_expires":   copyRow(`"kind": 1, "pending": null, "expires": "2026-01-01"`),
		"transaction_id_once":    "INSERT INTO ledger.transaction SELECT 99, id, batch, legs, request_hash FROM ledger.transaction WHERE id = 'h'",
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), constraint) {
			t.Errorf("%s: %v", constraint, err)
		}
	}
}

func TestVerifyChainFindsEdits(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	tx := hold("h", 100)
	tx.Metadata = map[string]string{"why": "test"}
	tx.EventTime, tx.Legs[0].Expires = testNow, testNow.Add(1)
	mustPost(t, l, tx)
	mustPost(t, l, resolve("h/void", ledger.Void, "h", 0))
	v, err := l.VerifyChain(t.Context(), 0)
	if err != nil || v.Batches != 4 || v.Transactions != 3 || v.Transfers != 3 || v.Head != 4 {
		t.Fatalf("before any edit: %+v, %v", v, err)
	}
	for _, edit := range []string{
		"UPDATE ledger.transfer SET amount = amount + 1 WHERE id = 'h'",
		"UPDATE ledger.transfer SET expires = NULL WHERE id = 'h'",
		"UPDATE ledger.transfer SET pending = 1 WHERE id = 'h/void'",
		"UPDATE ledger.transfer SET debit = credit, credit = debit WHERE id = 'h'",
		"UPDATE ledger.transfer SET credit_announced = 0 WHERE id = 'h'",
		"UPDATE ledger.transfer SET id = 'other' WHERE id = 'h'",
		"UPDATE ledger.transfer SET batch = 3 WHERE id = 'h/void'",
		"UPDATE ledger.transaction SET metadata = '{\"why\": \"because\"}' WHERE id = 'h'",
		"UPDATE ledger.transaction SET metadata = '{\"why\": 1}' WHERE id = 'h'",
		"UPDATE ledger.transaction SET event_time = NULL WHERE id = 'h'",
		"UPDATE ledger.transaction SET request_hash = sha256('') WHERE id = 'h'",
		"UPDATE ledger.account SET id = CASE id WHEN '" + string(ann) + "' THEN 'customer/x' ELSE id END",
		"UPDATE ledger.account SET class = 3 WHERE id = '" + string(ann) + "'",
		"UPDATE ledger.account SET asset = 'ETH'",
		"UPDATE ledger.attestation SET amount = 5",
		"UPDATE ledger.attestation SET evidence = 'none'",
		"UPDATE ledger.batch SET booked = booked + interval '1 microsecond' WHERE no = 3",
		"UPDATE ledger.batch SET hash = sha256('') WHERE no = 4",
		"UPDATE ledger.head SET hash = sha256('')",
		"UPDATE ledger.head SET batch = 3",
		"UPDATE ledger.head SET seq = 2",
		"DELETE FROM ledger.batch WHERE no = 2",
		"DELETE FROM ledger.batch WHERE no = 4",
		"DELETE FROM ledger.transaction WHERE id = 'h'",
		"DELETE FROM ledger.transfer WHERE id = 'h/void'",
		"DELETE FROM ledger.attestation",
		"INSERT INTO ledger.transaction VALUES (77, 'stray', 77, 1, sha256(''), NULL, NULL)",
		"INSERT INTO ledger.attestation VALUES (77, 0, 'BTC', 's', 1, '', 0)",
	} {
		undone(t, pool.Begin, func(tx pgx.Tx) {
			for _, table := range []string{"account", "transfer", "transaction", "batch", "attestation"} {
				if _, err := tx.Exec(t.Context(), "ALTER TABLE ledger."+table+" DISABLE TRIGGER append_only"); err != nil {
					t.Fatal(err)
				}
			}
			tag, err := tx.Exec(t.Context(), edit)
			if err != nil || tag.RowsAffected() == 0 {
				t.Fatalf("%s: %d rows, %v", edit, tag.RowsAffected(), err)
			}
			if _, err := ledger.Verify(t.Context(), tx, 0); !errors.Is(err, ledger.ErrChainBroken) {
				t.Errorf("%s: %v", edit, err)
			}
		})
	}
	wantSound(t, l)
}

// TestLostUpdateIsRefused plays a writer that does not take the head.
func TestLostUpdateIsRefused(t *testing.T) {
	l, pool := fresh(t)
	bank(t, l)
	if _, err := pool.Exec(t.Context(), "UPDATE ledger.balance SET version = version + 1, credits_posted = credits_posted + 1 WHERE version > 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Post(t.Context(), single("x", hot, ann, 1)); err == nil || !strings.Contains(err.Error(), "behind the ledger") {
		t.Errorf("posted over a foreign update: %v", err)
	}
	if _, err := l.Transaction(t.Context(), "x"); !errors.Is(err, ledger.ErrTransactionUnknown) {
		t.Errorf("something was kept: %v", err)
	}
}
