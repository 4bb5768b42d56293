package check_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"strongroom/custody/check"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

// plant is one corruption, the word of the invariant that must notice it, and
// how it is undone.
type plant struct{ sql, undo, invariant string }

func plants() []plant {
	return []plant{
		{
			`UPDATE custody.deposit SET state = 'credited' WHERE state = 'dust_held'`,
			`UPDATE custody.deposit SET state = 'dust_held' WHERE state = 'credited'`, "deposit agrees with its bookings",
		},
		{
			`UPDATE custody.deposit SET state = 'reorged' WHERE customer = 'cus_a' AND asset = 'BTC' AND state = 'withdrawable'`,
			`UPDATE custody.deposit SET state = 'withdrawable' WHERE state = 'reorged'`, "each credited deposit is credited once",
		},
		{
			`UPDATE custody.deposit SET amount = amount + 1 WHERE state = 'dust_held'`,
			`UPDATE custody.deposit SET amount = amount - 1 WHERE state = 'dust_held'`, "ledger custody is what is on chain",
		},
		{
			`UPDATE custody.deposit SET canonical = false WHERE customer = 'cus_a' AND asset = 'BTC' AND state = 'withdrawable'`,
			`UPDATE custody.deposit SET canonical = true`, "what left the chain is taken back",
		},
		{
			`UPDATE custody.deposit SET state = 'nonsense' WHERE state = 'dust_held'`,
			`UPDATE custody.deposit SET state = 'dust_held' WHERE state = 'nonsense'`, "deposit state is legal",
		},
		{
			`INSERT INTO custody.debt (customer, asset, amount) VALUES ('cus_a', 'BTC', 5)`,
			`DELETE FROM custody.debt`, "debt freezes withdrawals",
		},
		{
			`INSERT INTO custody.debt (customer, asset, amount) VALUES ('cus_a', 'BTC', 5)`,
			`DELETE FROM custody.debt`, "debt is what the book says",
		},
		{
			`UPDATE custody.withdrawal SET state = 'final' WHERE asset = 'ETH'`,
			`UPDATE custody.withdrawal SET state = 'posted' WHERE asset = 'ETH'`, "intent agrees with its bookings",
		},
		{
			`UPDATE custody.withdrawal SET state = 'cancelled' WHERE asset = 'ETH'`,
			`UPDATE custody.withdrawal SET state = 'posted' WHERE asset = 'ETH'`, "posted means paid",
		},
		{
			`UPDATE custody.withdrawal SET amount = amount + 1 WHERE asset = 'ETH'`,
			`UPDATE custody.withdrawal SET amount = amount - 1 WHERE asset = 'ETH'`, "posted means paid",
		},
		{
			`UPDATE custody.withdrawal SET destination = 'elsewhere' || destination WHERE asset = 'BTC'`,
			`UPDATE custody.withdrawal SET destination = substr(destination, 10) WHERE asset = 'BTC'`, "posted means paid",
		},
		{
			`UPDATE custody.chain_tx SET success = false WHERE kind = 'withdrawal' AND chain = 'accounts'`,
			`UPDATE custody.chain_tx SET success = true WHERE kind = 'withdrawal' AND chain = 'accounts'`, "posted means paid",
		},
		{
			`UPDATE custody.chain_tx SET raw = raw || 'x'::bytea WHERE kind = 'withdrawal' AND chain = 'coins'`,
			`UPDATE custody.chain_tx SET raw = substr(raw, 1, length(raw) - 1) WHERE kind = 'withdrawal' AND chain = 'coins'`, "posted means paid",
		},
		{
			`UPDATE custody.chain_tx SET block_hash = 'gone' WHERE kind = 'withdrawal' AND chain = 'coins'`,
			`UPDATE custody.chain_tx t SET block_hash = b.hash FROM custody.block b WHERE b.chain = t.chain AND b.height = t.block_height AND b.canonical`,
			"mined means that the block is on the chain",
		},
		{
			`UPDATE custody.nonce_slot SET nonce = nonce + 100 WHERE intent = (SELECT min(id) FROM custody.withdrawal WHERE chain = 'accounts')`,
			`UPDATE custody.nonce_slot SET nonce = nonce - 100 WHERE nonce >= 100`, "nonces without gaps",
		},
		{
			`UPDATE custody.nonce_slot SET nonce = nonce + 100 WHERE intent = (SELECT min(id) FROM custody.withdrawal WHERE chain = 'accounts')`,
			`UPDATE custody.nonce_slot SET nonce = nonce - 100 WHERE nonce >= 100`, "each transaction uses the slot of its intent",
		},
		{
			`UPDATE custody.nonce_counter SET halted = true`, `UPDATE custody.nonce_counter SET halted = false`, "no stranger uses our keys",
		},
		{
			`UPDATE custody.coin_lock SET intent = 'wdr_other' WHERE intent LIKE 'wdr_%'`,
			`UPDATE custody.coin_lock SET intent = (SELECT id FROM custody.withdrawal WHERE asset = 'BTC') WHERE intent = 'wdr_other'`, "coins are locked by open intents",
		},
		{
			`UPDATE custody.coin_lock SET intent = 'wdr_other' WHERE intent LIKE 'wdr_%'`,
			`UPDATE custody.coin_lock SET intent = (SELECT id FROM custody.withdrawal WHERE asset = 'BTC') WHERE intent = 'wdr_other'`, "what we spend was locked",
		},
		{
			`UPDATE custody.limit_use SET amount = amount - 1`, `UPDATE custody.limit_use SET amount = amount + 1`, "each withdrawal reserves its limit once",
		},
		{
			`INSERT INTO custody.idem SELECT customer, 'second', request_hash, subject, created_at FROM custody.idem LIMIT 1`,
			`DELETE FROM custody.idem WHERE key = 'second'`, "one withdrawal per idempotency key",
		},
		{
			`INSERT INTO custody.outbox (key, topic, kind, subject) VALUES ('k', 'deposit', 'signal', 's')`,
			`DELETE FROM custody.outbox WHERE key = 'k'`, "outbox is drained",
		},
		{
			`UPDATE custody.block SET canonical = false WHERE chain = 'coins' AND height = 3`,
			`UPDATE custody.block SET canonical = true`, "without gaps below it",
		},
		{
			`UPDATE custody.block SET parent = 'x' || parent WHERE chain = 'coins' AND height = 3`,
			`UPDATE custody.block SET parent = substr(parent, 2) WHERE chain = 'coins' AND height = 3`, "canonical blocks follow each other",
		},
		{
			`UPDATE custody.attempt_plan SET plan = plan || '{"x": 1}'`, `UPDATE custody.attempt_plan SET plan = plan - 'x'`, "every transaction was planned",
		},
		{
			`UPDATE custody.deposit SET maturing = 7 WHERE customer = 'cus_a' AND state = 'withdrawable'`,
			`UPDATE custody.deposit SET maturing = 0`, "maturing account is the sum",
		},
		{
			`UPDATE custody.deposit SET block_hash = 'x' || block_hash WHERE state = 'dust_held'`,
			`UPDATE custody.deposit SET block_hash = substr(block_hash, 2) WHERE state = 'dust_held'`, "canonical means that the block",
		},
		{
			`UPDATE custody.deposit SET collected_by = 'col_none' WHERE state = 'dust_held'`,
			`UPDATE custody.deposit SET collected_by = NULL WHERE state = 'dust_held'`, "collected deposits belong to a collection",
		},
		{
			`UPDATE custody.house_intent SET state = 'final' WHERE kind = 'gas_topup'`,
			`UPDATE custody.house_intent SET state = 'posted' WHERE kind = 'gas_topup'`, "ledger custody is what is on chain",
		},
		{
			`UPDATE custody.withdrawal SET state = 'approved' WHERE asset = 'TUSD'`,
			`UPDATE custody.withdrawal SET state = 'posted' WHERE asset = 'TUSD'`, "holds are open withdrawals",
		},
		{
			`UPDATE custody.coin SET spent_height = NULL, spent_by = NULL WHERE account = 0 AND spent_by IS NOT NULL`,
			`UPDATE custody.coin c SET spent_height = t.block_height, spent_by = t.txid FROM custody.chain_tx t
				WHERE t.kind = 'collect' AND t.chain = 'coins' AND c.account = 0 AND c.chain = 'coins'
				AND EXISTS (SELECT FROM custody.coin_lock l WHERE l.txid = c.txid AND l.vout = c.vout AND l.intent = t.intent)`,
			"coins are locked by open intents",
		},
		{
			`UPDATE custody.coin SET block_height = block_height + 1000 WHERE account = 1 AND spent_by IS NULL`,
			`UPDATE custody.coin SET block_height = block_height - 1000 WHERE block_height > 1000`, "ledger custody is what is on chain",
		},
	}
}

// TestEachInvariantNotices plants one corruption after the other into an
// installation that has done everything once.
func TestEachInvariantNotices(t *testing.T) {
	h := newHouse(t)
	h.fund(t)
	for _, info := range h.Assets {
		to := h.Address(t, "cus_a", info.Code)
		h.Pay(t, info.Code, to, plenty(info.Code))
		h.Pay(t, info.Code, to, custodytest.Dust-1)
	}
	h.calm(t)
	for _, info := range h.Assets {
		h.withdraw(t, "cus_a", info.Code, plenty(info.Code)/3)
	}
	for range 3 { // gas first, then the token
		if err := h.collector.Round(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.calm(t)
	}
	var collections, topUps int
	err := h.Pool.QueryRow(context.Background(), `SELECT count(*) FILTER (WHERE kind = 'collect'), count(*) FILTER (WHERE kind = 'gas_topup')
		FROM custody.house_intent WHERE state = 'posted'`).Scan(&collections, &topUps)
	if err != nil || collections != 3 || topUps != 1 {
		t.Fatalf("%d collections, %d top-ups, %v", collections, topUps, err)
	}
	if found := h.violations(t); len(found) > 0 {
		t.Fatalf("before anything was planted: %v", found)
	}
	for _, p := range slices.Concat(plants(), feePlants()) {
		h.exec(t, p.sql)
		found := h.violations(t)
		if !noticed(found, p.invariant) {
			t.Errorf("%s\n\tis not noticed by %q but gives %v", p.sql, p.invariant, found)
		}
		h.exec(t, p.undo)
		if found := h.violations(t); len(found) > 0 {
			t.Fatalf("after undoing %s: %v", p.sql, found)
		}
	}
}

// TestLimitIsRecomputed lowers a limit below what was used in a day.
func TestLimitIsRecomputed(t *testing.T) {
	h := newHouse(t)
	h.fund(t)
	h.Pay(t, custodytest.TUSD, h.Address(t, "cus_a", custodytest.TUSD), 900_000)
	h.Mine(t, custodytest.Accounts, custodytest.FinalDepth)
	h.withdraw(t, "cus_a", custodytest.TUSD, 200_000)
	h.withdraw(t, "cus_a", custodytest.TUSD, 300_000)
	h.Deliver(t)
	for i := range h.Assets {
		h.Assets[i].DailyLimit = money.FromUint64(500_000)
	}
	if found := h.violations(t); len(found) > 0 {
		t.Fatal(found)
	}
	for i := range h.Assets {
		h.Assets[i].DailyLimit = money.FromUint64(499_999)
	}
	if found := h.violations(t); len(found) != 1 || !noticed(found, "limits respected") {
		t.Fatal(found)
	}
}

func (h *house) exec(tb testing.TB, sql string) {
	tb.Helper()
	tag, err := h.Pool.Exec(context.Background(), sql)
	if err != nil || tag.RowsAffected() == 0 {
		tb.Fatalf("%s: %d rows, %v", sql, tag.RowsAffected(), err)
	}
}

func noticed(found []check.Violation, invariant string) bool {
	for _, v := range found {
		if strings.Contains(v.Invariant, invariant) && v.Rows != "" && v.Numbers != "" {
			return true
		}
	}
	return false
}
