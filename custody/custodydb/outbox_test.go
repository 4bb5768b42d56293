package custodydb_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// registry is a fixed list of assets.
type registry struct{}

func (registry) AssetByCode(code string) (custody.AssetInfo, bool) {
	return custody.AssetInfo{
		Asset: money.Asset{Code: "ETH", Scale: 18}, Chain: "accounts", Native: "ETH", State: custody.AssetListed, FinalDepth: 2,
	}, code == "ETH"
}

func (registry) AssetsOf(chainadapters.ChainID) []custody.AssetInfo { return nil }

// epoch is a clock that stands still.
func epoch() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func open(tb testing.TB) (*custodydb.Store, *pgxpool.Pool) {
	tb.Helper()
	pool, err := pg.Open(context.Background(), testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations())+"&pool_max_conns=24")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: epoch})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = book.Close(context.Background()) })
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.Account})
	if err != nil {
		tb.Fatal(err)
	}
	store, err := custodydb.New(custodydb.Config{
		Pool: pool, Ledger: book, Assets: registry{}, Environment: "test", Clock: epoch,
		Adapters: map[chainadapters.ChainID]chainadapters.Adapter{"accounts": chain.Adapter(chain.Identity())},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return store, pool
}

func put(tb testing.TB, s *custodydb.Store, key string) {
	tb.Helper()
	err := s.InTx(context.Background(), func(tx pgx.Tx) error {
		return custodydb.PutOutbox(context.Background(), tx, custodydb.OutboxRow{
			Key: key, Topic: custodydb.TopicDeposit, Kind: custodydb.KindSignal, Subject: "dep_1", Payload: json.RawMessage(`{"a": 1}`),
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func TestNewNeedsItsCollaborators(t *testing.T) {
	if _, err := custodydb.New(custodydb.Config{}); err == nil {
		t.Error("an empty config was taken")
	}
}

func TestOutboxTellsEachFactOnceInOrder(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	for _, key := range []string{"a", "b", "a", "c"} {
		put(t, s, key)
	}
	rows, err := s.Outbox(ctx, 2)
	if err != nil || len(rows) != 2 || rows[0].Key != "a" || rows[1].Key != "b" || string(rows[0].Payload) != `{"a": 1}` {
		t.Fatalf("%+v, %v", rows, err)
	}
	if err := s.OutboxSent(ctx, []int64{rows[0].Seq, rows[1].Seq}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a") // told already
	rows, err = s.Outbox(ctx, 10)
	if err != nil || len(rows) != 1 || rows[0].Key != "c" {
		t.Fatalf("%+v, %v", rows, err)
	}
}

func TestOutboxWaitWakes(t *testing.T) {
	s, _ := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.OutboxWait(ctx, 20*time.Millisecond); err != nil {
		t.Fatalf("nothing came: %v", err)
	}
	for i := range 20 { // the message comes before, while and after the listener looks
		woken := make(chan error, 1)
		go func() { woken <- s.OutboxWait(ctx, time.Hour) }() // only a message ends it in time
		<-time.NewTimer(time.Duration(i) * time.Millisecond / 2).C
		put(t, s, strconv.Itoa(i))
		if err := <-woken; err != nil {
			t.Fatalf("not woken: %v", err)
		}
		rows, err := s.Outbox(ctx, 10)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%+v, %v", rows, err)
		}
		if err := s.OutboxSent(ctx, []int64{rows[0].Seq}); err != nil {
			t.Fatal(err)
		}
	}
	gone, stop := context.WithCancel(ctx)
	stop()
	if err := s.OutboxWait(gone, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller's end: %v", err)
	}
}

// TestReaderOfEventsMissesNone follows the events of a customer while many
// transactions of differing length write them.
func TestReaderOfEventsMissesNone(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				err := s.InTx(ctx, func(tx pgx.Tx) error {
					if err := s.PutEvent(ctx, tx, "cus_1", "withdrawal.held", "wdr_1", map[string]int{"n": 1}); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "SELECT pg_sleep(random() * 0.004)")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen, after := 0, uint64(0)
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for seen < writers*each {
		list, err := s.Events(limited, "cus_1", after, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Seq <= after || e.Kind != "withdrawal.held" || string(e.Data) != `{"n": 1}` {
				t.Fatalf("%+v after %d", e, after)
			}
			after = e.Seq
			seen++
		}
	}
	wg.Wait()
	if list, err := s.Events(ctx, "cus_2", 0, 50); err != nil || len(list) != 0 {
		t.Errorf("another customer reads %v, %v", list, err)
	}
}

// TestTheDatabaseKeepsWhatHappened: rows that prove something cannot be removed,
// and a slot, a coin or a pending attempt cannot be given out twice.
func TestTheDatabaseKeepsWhatHappened(t *testing.T) {
	_, pool := open(t)
	ctx := context.Background()
	for _, sql := range []string{
		`INSERT INTO custody.event (customer, kind, subject, data, at) VALUES ('c', 'k', 's', '{}', now())`,
		`INSERT INTO custody.chain_tx (chain, txid, intent, kind, attempt, plan, raw, max_fee, created_at) VALUES ('c', 't', 'i', 'collect', 1, '{}', '', 1, now())`,
		`INSERT INTO custody.nonce_slot VALUES ('c', 'a', 0, 'i')`,
		`INSERT INTO custody.coin_lock VALUES ('c', 't', 0, 'i')`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		`DELETE FROM custody.event`, `UPDATE custody.event SET kind = 'x'`, `TRUNCATE custody.event`,
		`DELETE FROM custody.chain_tx`, `TRUNCATE custody.chain_tx`, `TRUNCATE custody.withdrawal`,
		`INSERT INTO custody.chain_tx (chain, txid, intent, kind, attempt, plan, raw, max_fee, created_at) VALUES ('c', 'u', 'i', 'collect', 1, '{}', '', 1, now())`,
		`INSERT INTO custody.nonce_slot VALUES ('c', 'a', 0, 'j')`,
		`INSERT INTO custody.nonce_slot VALUES ('c', 'a', 1, 'i')`,
		`INSERT INTO custody.coin_lock VALUES ('c', 't', 0, 'j')`,
	} {
		if _, err := pool.Exec(ctx, sql); err == nil {
			t.Errorf("%s was allowed", sql)
		}
	}
}
