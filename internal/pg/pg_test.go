package pg_test

import (
	"context"
	"math/big"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
)

func source() pg.Source {
	return pg.Source{Schema: "probe", FS: fstest.MapFS{"00001_t.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE probe.t (u numeric(78,0) NOT NULL);\n")}}}
}

func TestUnitsTravelUnchanged(t *testing.T) {
	ctx := context.Background()
	url := testenv.Postgres(t, source())
	if err := pg.Migrate(ctx, url, source()); err != nil {
		t.Fatalf("second migration: %v", err)
	}
	pool, err := pg.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rapid.Check(t, func(t *rapid.T) {
		want, err := money.FromBig(new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "bytes")))
		if err != nil {
			t.Fatal(err)
		}
		var got money.Units
		var text string
		var list []money.Units
		if err := pool.QueryRow(ctx, "SELECT $1::numeric(78,0), ($1::numeric(78,0))::text, $2::numeric[]", want, []money.Units{want, money.FromUint64(70_000)}).Scan(&got, &text, &list); err != nil {
			t.Fatal(err)
		}
		if got != want || text != want.String() || len(list) != 2 || list[0] != want {
			t.Fatalf("sent %s, got %s, as text %s, list %v", want, got, text, list)
		}
	})
}

func TestFractionsAndNegativesAreRefused(t *testing.T) {
	ctx := context.Background()
	pool, err := pg.Open(ctx, testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, sql := range []string{"SELECT 1.5::numeric", "SELECT (-1)::numeric", "SELECT 'NaN'::numeric", "SELECT 0.0001::numeric"} {
		var u money.Units
		if err := pool.QueryRow(ctx, sql).Scan(&u); err == nil {
			t.Errorf("%s gave %s", sql, u)
		}
	}
}
