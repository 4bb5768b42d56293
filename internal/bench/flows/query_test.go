package flowsbench

import (
	"testing"
	"time"

	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
)

// TestMinedToBalance asks real tables: a deposit whose block says an earlier time
// than we saw it, and one whose block is ahead of our clock.
func TestMinedToBalance(t *testing.T) {
	pool, err := pg.Open(t.Context(), testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, d := range []struct {
		txid           string
		mined, balance time.Duration
	}{{"a", -2 * time.Second, 3 * time.Second}, {"b", time.Second, 4 * time.Second}} {
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{`INSERT INTO custody.block (chain, height, hash, parent, at) VALUES ('c', $1, $2, '', $3)`, []any{len(d.txid) + int(d.txid[0]), d.txid, at.Add(d.mined)}},
			{`INSERT INTO custody.deposit (id, customer, asset, chain, address, txid, idx, amount, block_height, block_hash, state, seen_at, updated_at)
				VALUES ($1, 'cus', 'A', 'c', 'x', $1, 0, 1, 1, $1, 'credited', $2, $2)`, []any{d.txid, at}},
			{`INSERT INTO custody.event (customer, kind, subject, data, at) VALUES ('cus', 'deposit.credited', $1, '{}', $2)`, []any{d.txid, at.Add(d.balance)}},
		} {
			if _, err := pool.Exec(t.Context(), q.sql, q.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	var seconds []float64
	if err := pool.QueryRow(t.Context(), minedToBalance, []string{"a", "b"}).Scan(&seconds); err != nil {
		t.Fatal(err)
	}
	if p50, p99 := percentiles(seconds); len(seconds) != 2 || p50 != 4*time.Second || p99 != 5*time.Second {
		t.Errorf("%v: p50 %s, p99 %s", seconds, p50, p99)
	}
}
