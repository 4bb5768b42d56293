package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/custody"
)

func TestDatabaseDownIsToldFromRefusals(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, c := range map[string]struct {
		err  error
		down bool
	}{
		"no server":     {pool.Ping(t.Context()), true},
		"shutting down": {&pgconn.PgError{Code: "57P01"}, true},
		"starting":      {&pgconn.PgError{Code: "57P03"}, true},
		"too many":      {&pgconn.PgError{Code: "53300"}, true},
		"lost race":     {&pgconn.PgError{Code: "40001"}, true},
		"demoted":       {&pgconn.PgError{Code: "25006"}, true},
		"cut":           {io.ErrUnexpectedEOF, true},
		"unique":        {&pgconn.PgError{Code: "23505"}, false},
		"syntax":        {&pgconn.PgError{Code: "42601"}, false},
		"a refusal":     {custody.ErrInsufficient, false},
	} {
		if got := databaseDown(fmt.Errorf("read: %w", c.err)); got != c.down {
			t.Errorf("%s (%v): down is %v", name, c.err, got)
		}
	}
}

func TestGateAsksOnceASecondHoweverManyWait(t *testing.T) {
	now, asked := time.Unix(1_700_000_000, 0), 0
	var answer error
	gate := newCachedGate(func(context.Context) error { asked++; return answer }, func() time.Time { return now })
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := gate.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	answer = errors.New("down")
	if err := gate.Check(t.Context()); err != nil {
		t.Errorf("asked again within a second: %v", err)
	}
	if now = now.Add(time.Second); gate.Check(t.Context()) == nil {
		t.Error("an answer of a second ago still counts")
	}
}
