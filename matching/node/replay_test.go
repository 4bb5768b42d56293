package node

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"strongroom/matching/engine"
	"strongroom/matching/history"
	"strongroom/matching/journal"
	"strongroom/matching/wire"
)

const (
	replayCommands = 1 << 21
	replayFrame    = 16
	replayEntry    = 1024
	replayTraders  = 4
	replayPatience = time.Minute
	replayGC       = 5 // as the program has it
)

// BenchmarkReplay starts a node of so many commands behind its last snapshot and waits
// until all are applied: from opening its folder to leading.
func BenchmarkReplay(b *testing.B) {
	cfg := replayConfig(b)
	recordCommands(b, cfg)
	defer debug.SetGCPercent(debug.SetGCPercent(replayGC))
	cfg.Journal.Create = false
	b.ResetTimer()
	for range b.N {
		log, events := openJournal(b, cfg)
		awaitLead(b, log)
		b.StopTimer()
		if err := log.Close(); err != nil {
			b.Fatal(err)
		}
		if err := events.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*replayCommands/b.Elapsed().Seconds()/1e6, "Mcommands/s")
}

func replayConfig(b *testing.B) Config {
	b.Helper()
	return Config{
		Dir:     b.TempDir(),
		Journal: journal.Config{Cluster: "test", Shard: "one", Node: 1, Create: true, SnapshotEntries: 1 << 40, SnapshotBytes: 1 << 40},
		Engine:  engine.Config{Orders: 1 << 20, Accounts: 8, Assets: 2, Markets: 2, Keys: 1 << 22, Retention: time.Hour.Nanoseconds(), Transfers: 1 << 8},
		Log:     slog.New(slog.DiscardHandler), Clock: time.Now, //nolint:forbidigo // real time is what is measured
	}
}

func openJournal(b *testing.B, cfg Config) (*journal.Log, *history.Store) {
	b.Helper()
	events, err := history.Open(history.Config{Dir: filepath.Join(cfg.Dir, historyFolder), Log: cfg.Log})
	if err != nil {
		b.Fatal(err)
	}
	m, err := newMachine(cfg, events, nil)
	if err != nil {
		b.Fatal(err)
	}
	j := cfg.Journal
	j.Dir, j.Clock, j.Log = filepath.Join(cfg.Dir, journalFolder), cfg.Clock, cfg.Log
	log, err := journal.Open(j, m)
	if err != nil {
		b.Fatal(err)
	}
	return log, events
}

func awaitLead(b *testing.B, log *journal.Log) {
	b.Helper()
	for until := time.Now().Add(replayPatience); !log.Status().Leading; time.Sleep(time.Millisecond) { //nolint:forbidigo // real time is what is measured
		if time.Now().After(until) { //nolint:forbidigo // real time is what is measured
			b.Fatal("it does not lead")
		}
	}
}

// recordCommands writes a journal as sessions of traders would have: orders near the
// middle by client ids, cancels of them, and some that cross.
func recordCommands(b *testing.B, cfg Config) {
	b.Helper()
	log, events := openJournal(b, cfg)
	awaitLead(b, log)
	ns := int64(1)
	propose := func(entry []byte) *journal.Ticket {
		ns += 1000
		t, err := log.Begin(context.Background(), entry)
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	propose(replayHouse(ns))
	traders := make([]replayTrader, replayTraders)
	for i := range traders {
		traders[i] = replayTrader{dice: rand.New(rand.NewPCG(1, uint64(i))), account: engine.AccountID(i + 1), next: 1}
	}
	var last *journal.Ticket
	for range replayCommands / replayEntry {
		entry := wire.AppendEntry(nil, ns)
		for n := 0; n < replayEntry; n += replayFrame {
			entry = traders[n/replayFrame%replayTraders].frame(entry)
		}
		last = propose(entry)
	}
	if _, err := last.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
	if err := events.Close(); err != nil {
		b.Fatal(err)
	}
}

// replayHouse makes sessions, a market, and what is traded on it.
func replayHouse(ns int64) []byte {
	entry := wire.AppendEntry(nil, ns)
	for i := range uint64(replayTraders + 1) {
		entry = wire.AppendOpen(entry, i+1, "bench")
	}
	entry = wire.AppendMarket(entry, 99, 0, &engine.MarketConfig{Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1 << 20, MaxOrders: 1 << 20})
	var body []byte
	count := 1
	body = wire.AppendCommand(body, &engine.Command{Op: engine.OpState, State: engine.Open})
	for a := engine.AccountID(1); a <= replayTraders; a++ {
		body = wire.AppendCommand(body, &engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			body = wire.AppendCommand(body, &engine.Command{
				Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Hi: 1 << 20}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
			})
		}
		count += 3
	}
	return wire.AppendCommands(entry, replayTraders+1, 1, count, body)
}

type replayTrader struct {
	dice         *rand.Rand
	account      engine.AccountID
	placed, next uint64
}

func (t *replayTrader) frame(entry []byte) []byte {
	var body []byte
	for range replayFrame {
		c := t.command()
		body = wire.AppendCommand(body, &c)
	}
	entry = wire.AppendCommands(entry, engine.SessionID(t.account), t.next, replayFrame, body)
	t.next += replayFrame
	return entry
}

func (t *replayTrader) command() engine.Command {
	roll := t.dice.IntN(100)
	if roll >= 45 && roll < 90 && t.placed > 0 {
		return engine.Command{Op: engine.OpCancel, Account: t.account, Key: engine.Key{Lo: t.placed - t.dice.Uint64N(min(1000, t.placed))}}
	}
	t.placed++
	c := engine.Command{
		Op: engine.OpNew, Account: t.account, Side: engine.Side(t.dice.IntN(2)), Qty: 1 + t.dice.Int64N(100), Key: engine.Key{Lo: t.placed},
	}
	away := 1 + t.dice.Int64N(50)
	if roll >= 90 {
		c.TIF, away = engine.IOC, -10
	}
	c.Price = 1_000_000 - away
	if c.Side == engine.Sell {
		c.Price = 1_000_000 + away
	}
	return c
}
