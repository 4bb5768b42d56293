package ledgertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

const (
	vault    = ledger.AccountID("custody/c/BTC/hot")
	customer = ledger.AccountID("customer/a/BTC/funding")
)

func leg(id string, kind ledger.Kind, amount uint64) ledger.Transfer {
	return ledger.Transfer{ID: ledger.TransferID(id), Kind: kind, Debit: vault, Credit: customer, Amount: money.FromUint64(amount)}
}

// TestEachRuleFindsItsFault plants one fault per rule in a sound book.
func TestEachRuleFindsItsFault(t *testing.T) {
	ctx := t.Context()
	pool, err := pg.Open(ctx, testenv.Postgres(t, ledger.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	l, err := ledger.New(ledger.Config{Pool: pool, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close(context.WithoutCancel(ctx)) }()
	fill(t, l, now)
	if found, err := Check(ctx, pool); err != nil || len(found) > 0 {
		t.Fatalf("before any fault: %v, %v", found, err)
	}
	if _, err := pool.Exec(ctx, `
		ALTER TABLE ledger.account DISABLE TRIGGER ALL; ALTER TABLE ledger.transfer DISABLE TRIGGER ALL; ALTER TABLE ledger.transaction DISABLE TRIGGER ALL;
		ALTER TABLE ledger.batch DISABLE TRIGGER ALL; ALTER TABLE ledger.balance DISABLE TRIGGER ALL; ALTER TABLE ledger.attestation DISABLE TRIGGER ALL; ALTER TABLE ledger.position DISABLE TRIGGER ALL;
		ALTER TABLE ledger.balance DROP CONSTRAINT holds_not_negative, DROP CONSTRAINT totals_not_negative, DROP CONSTRAINT available_not_negative, DROP CONSTRAINT within_limit;
		ALTER TABLE ledger.position DROP CONSTRAINT liabilities_attested; DROP INDEX ledger.transfer_resolved_once`); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, fault := range faults() {
		seen[fault.rule] = true
		plant(t, pool.Begin, fault)
	}
	for _, r := range rules() {
		if !seen[r.name] {
			t.Errorf("no fault is planted for %s", r.name)
		}
	}
}

func fill(t *testing.T, l *ledger.Ledger, now time.Time) {
	t.Helper()
	err := l.Open(t.Context(), ledger.Account{ID: vault, Asset: "BTC", Class: ledger.Asset},
		ledger.Account{ID: customer, Asset: "BTC", Class: ledger.Liability, Max: money.FromUint64(1_000)},
		ledger.Account{ID: "custody/c/ETH/hot", Asset: "ETH", Class: ledger.Asset})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Attest(t.Context(), ledger.Attestation{Asset: "BTC", Source: "s", Amount: money.FromUint64(1_000)}); err != nil {
		t.Fatal(err)
	}
	open, kept := leg("open", ledger.Pending, 10), leg("kept", ledger.Pending, 20)
	open.Expires, kept.Expires = now.Add(time.Hour), now.Add(time.Hour)
	out := ledger.Transfer{ID: "out", Kind: ledger.Single, Debit: customer, Credit: vault, Amount: money.FromUint64(5)}
	for _, tx := range []ledger.Transaction{
		{ID: "t/1", Legs: []ledger.Transfer{leg("in", ledger.Single, 500), open, kept}},
		{ID: "t/2", Legs: []ledger.Transfer{{ID: "posted", Kind: ledger.Post, Pending: "kept", Amount: money.FromUint64(15)}, out}},
	} {
		if _, err := l.Post(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	err = l.Attest(t.Context(), ledger.Attestation{Asset: "BTC", Source: "s", Amount: money.FromUint64(1_000), Outflows: 1})
	if err != nil {
		t.Fatal(err)
	}
}

type fault struct{ rule, sql string }

func faults() []fault {
	return []fault{
		{"debits-equal-credits", "UPDATE ledger.balance SET debits_posted = debits_posted + 1 WHERE account = 1"},
		{"debits-equal-credits", "UPDATE ledger.balance SET credits_pending = credits_pending + 1 WHERE account = 1"},
		{"account-has-balance", "DELETE FROM ledger.balance WHERE account = 3"},
		{"account-has-balance", "DELETE FROM ledger.account WHERE no = 3"},
		{"account-has-balance", "UPDATE ledger.balance SET may_overdraw = true"},
		{"one-asset-per-transfer", "UPDATE ledger.account SET asset = 'ETH' WHERE id = '" + string(customer) + "'"},
		{"balances-rebuilt", "UPDATE ledger.balance SET debits_posted = debits_posted + 1, credits_posted = credits_posted + 1"},
		{"balances-rebuilt", "UPDATE ledger.balance SET debits_posted = 1, credits_posted = 1 WHERE version = 0"},
		{"balances-rebuilt", "UPDATE ledger.balance SET version = version + 1"},
		{"account-steps", "UPDATE ledger.transfer SET debit_version = 7 WHERE id = 'open'"},
		{"account-steps", "UPDATE ledger.transfer SET credit_prev = 7 WHERE id = 'open'"},
		{"account-steps", "UPDATE ledger.transfer SET credit_credits = credit_credits + 1 WHERE id = 'posted'"},
		{"account-steps", "UPDATE ledger.transfer SET debit_holds = debit_holds + 1 WHERE id = 'in'"},
		{"not-overdrawn", "UPDATE ledger.balance SET debits_pending = credits_posted WHERE NOT debit_normal"},
		{"not-overdrawn", "UPDATE ledger.balance SET debits_pending = -1"},
		{"within-limit", "UPDATE ledger.balance SET credits_posted = 2000 WHERE max_balance > 0"},
		{"pending-resolved-once", resolvedAgain},
		{"resolution-fits-pending", "UPDATE ledger.transfer SET amount = 21 WHERE id = 'posted'"},
		{"resolution-fits-pending", "UPDATE ledger.transfer SET pending = 1 WHERE id = 'posted'"},
		{"resolution-fits-pending", "UPDATE ledger.transfer SET debit = 99 WHERE id = 'posted'"},
		{"posted-before-expiry", "UPDATE ledger.transfer SET expires = '2020-01-01' WHERE id = 'kept'"},
		{"holds-are-open-pendings", "UPDATE ledger.balance SET debits_pending = 0, credits_pending = 0"},
		{"holds-are-open-pendings", "UPDATE ledger.transfer SET amount = 11 WHERE id = 'open'"},
		{"expiries-listed", "DELETE FROM ledger.expiry"},
		{"expiries-listed", "INSERT INTO ledger.expiry VALUES ('2026-01-01', 1)"},
		{"transactions-whole", "DELETE FROM ledger.transfer WHERE id = 'open'"},
		{"transactions-whole", "UPDATE ledger.transaction SET legs = 4 WHERE id = 't/1'"},
		{"transfers-dense", "DELETE FROM ledger.transfer WHERE id = 'in'"},
		{"transfers-dense", "UPDATE ledger.head SET seq = seq + 1"},
		{"positions-recomputed", "UPDATE ledger.position SET attested = attested + 1"},
		{"positions-recomputed", "UPDATE ledger.position SET outflows = 0"},
		{"positions-recomputed", "UPDATE ledger.position SET liability_credits = liability_credits - 1"},
		{"positions-recomputed", "UPDATE ledger.attested SET amount = 7"},
		{"positions-recomputed", "UPDATE ledger.attested SET outflow_sum = 0"},
		{"positions-recomputed", "DELETE FROM ledger.position"},
		{"liabilities-attested", "UPDATE ledger.position SET attested = 3"},
		{"hash-chain", "UPDATE ledger.transfer SET amount = 11 WHERE id = 'open'"},
	}
}

const resolvedAgain = `
INSERT INTO ledger.transfer SELECT (r).* FROM (
  SELECT jsonb_populate_record(t, '{"seq": 99, "id": "again"}') AS r FROM ledger.transfer t WHERE id = 'posted') x`

// plant makes one fault in a transaction that is rolled back, and looks for it.
func plant(t *testing.T, begin func(context.Context) (pgx.Tx, error), f fault) {
	t.Helper()
	tx, err := begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if tag, err := tx.Exec(t.Context(), f.sql); err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("%s: %s: %d rows, %v", f.rule, f.sql, tag.RowsAffected(), err)
	}
	check := checkChain
	for _, r := range rules() {
		if r.name == f.rule {
			check = r.check
		}
	}
	found, err := check(t.Context(), tx)
	if err != nil || len(found) == 0 || found[0].Rule != f.rule || found[0].Subject == "" || found[0].Detail == "" {
		t.Errorf("%s did not find %s: %v, %v", f.rule, f.sql, found, err)
	}
	for _, v := range found {
		if !strings.HasPrefix(v.String(), f.rule+": ") {
			t.Errorf("line %q", v)
		}
	}
}

func TestCheckSaysWhenItCannot(t *testing.T) {
	pool, err := pg.Open(t.Context(), testenv.Postgres(t)) // no tables
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if found, err := Check(t.Context(), pool); err == nil {
		t.Errorf("a database without a ledger passed: %v", found)
	}
}
