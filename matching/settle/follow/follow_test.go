package follow_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/devstack/shard"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/follow"
	"strongroom/matching/settle/settletest"
	"strongroom/matching/settle/settletest/floor"
)

const (
	customers = 6
	patience  = time.Minute
	rounds    = 12 // between two kills
)

// world is three nodes, a ledger, customers, and what settles.
type world struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // of the test
	nodes   *shard.Shard
	client  *client.Client
	pool    *pgxpool.Pool
	floor   *floor.Floor
	settler *settle.Settler
	source  *settletest.Spoiled
	metrics *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, nodes: floor.Nodes(t, 3), metrics: prometheus.NewRegistry()}
	var err error
	w.client, err = floor.Dial(w.nodes.Certs(), w.nodes.Addresses())
	w.must(err)
	t.Cleanup(func() { _ = w.client.Close() })
	w.pool, err = pg.Open(ctx, testenv.Postgres(t, ledger.Migrations(), settle.Migrations())+"&pool_max_conns=8")
	w.must(err)
	t.Cleanup(w.pool.Close)
	book, err := ledger.New(ledger.Config{Pool: w.pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	w.must(err)
	t.Cleanup(func() { _ = book.Close(context.Background()) })
	w.floor, err = floor.New(ctx, floor.Config{Pool: w.pool, Ledger: book, Client: w.client, Customers: customers, Seed: 7})
	w.must(err)
	t.Cleanup(w.floor.Close)
	w.source = &settletest.Spoiled{
		Of: follow.Source{Shards: map[settle.ShardID]*client.Client{0: w.client}}, Rng: rand.New(rand.NewPCG(7, 8)), Done: &settletest.Mischief{},
	}
	w.settler, err = settle.New(settle.Config{Pool: w.pool, Ledger: book, Source: w.source, Clock: time.Now, Metrics: w.metrics}) //nolint:forbidigo // as above
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// play lets customers trade, move money and ask for checkpoints, while a leader is
// killed in the middle.
func (w *world) play(leaders int) {
	w.t.Helper()
	for kill := range leaders {
		for round := range rounds {
			w.must(w.floor.Trade(w.ctx, 2))
			w.must(w.floor.Move(w.ctx))
			if round%4 == 3 {
				w.must(w.floor.Checkpoint(w.ctx))
			}
		}
		if kill == leaders-1 {
			return
		}
		led := floor.Leading(w.ctx, w.t, w.client)
		w.must(w.nodes.Kill(led))
		w.must(w.floor.Trade(w.ctx, 1))
		w.must(w.nodes.StartNode(led))
	}
}

// drain asks for checkpoints until all that was before the first of them is settled,
// whatever the stream lost.
func (w *world) drain(ended <-chan error) {
	w.t.Helper()
	w.must(w.floor.Checkpoint(w.ctx))
	said, err := w.floor.Said(w.ctx, 0)
	w.must(err)
	for {
		select {
		case err := <-ended:
			w.t.Fatalf("settlement ended: %v", err)
		default:
		}
		cursor, err := settle.LoadCursor(w.ctx, w.pool, 0)
		w.must(err)
		left, err := w.floor.Finish(w.ctx)
		w.must(err)
		if cursor.Next > said.Head && left == 0 {
			return
		}
		w.must(w.floor.Checkpoint(w.ctx))
	}
}

// TestSettlementFollowsNewLeaders settles what three nodes say while the one that leads
// is killed again and again, over a stream that loses, repeats and disorders; then holds
// rows, checkpoints and balances against what the nodes say that happened.
func TestSettlementFollowsNewLeaders(t *testing.T) {
	w := newWorld(t)
	running, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.settler.Run(running) }()
	w.play(4)
	w.drain(ended)
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	said, found, err := w.floor.Judge(w.ctx, w.pool)
	w.must(err)
	for _, line := range found {
		t.Error(line)
	}
	if said.Trades < 200 || said.Checkpoints < 10 || said.Epochs < 4 {
		t.Errorf("too little happened: %+v", said)
	}
	w.refusesOldEpochs()
	if d := w.source.Done; d.Lost == 0 || d.Repeated == 0 || d.Disordered == 0 || d.Old == 0 {
		t.Errorf("the stream was not bad enough: %+v", *d)
	}
	if n := metric(t, w.metrics, "replays_total"); n == 0 {
		t.Error("no gap was read again")
	}
	t.Logf("%+v; %+v, %v replays", said, *w.source.Done, metric(t, w.metrics, "replays_total"))
}

// refusesOldEpochs offers what a leader that was killed might have gone on with.
func (w *world) refusesOldEpochs() {
	w.t.Helper()
	before, err := settle.LoadCursor(w.ctx, w.pool, 0)
	w.must(err)
	dropped := metric(w.t, w.metrics, "dropped_total")
	w.must(w.settler.Take(w.ctx, settle.Batch{
		Epoch: before.Epoch - 1, Before: before.Hash, Head: before.Next,
		Events: []engine.Event{{Seq: before.Next, Kind: engine.EventTrade, Account: 1, MakerAccount: 2, Price: 1, Qty: 1}},
	}))
	after, err := settle.LoadCursor(w.ctx, w.pool, 0)
	w.must(err)
	if n := metric(w.t, w.metrics, "dropped_total"); after != before || n != dropped+1 {
		w.t.Errorf("a batch of an old epoch moved the cursor from %+v to %+v; %v events were dropped", before, after, n-dropped)
	}
}

// metric adds up a counter over its labels.
func metric(t *testing.T, from prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "strongroom_settlement_"+name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
