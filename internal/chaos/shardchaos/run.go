// Package shardchaos kills nodes of a shard of matching while it is traded on, again
// and again, and then holds what traders were told against what the shard says that
// happened: nothing that was acknowledged may be missing, and all nodes must agree.
package shardchaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"strongroom/internal/devstack/shard"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

const (
	caller     = "chaos"
	traders    = 8
	funds      = 1 << 40
	leadWithin = 30 * time.Second
	look       = 5 * time.Millisecond
	// Between two kills: long enough that orders rest, short enough that snapshots and
	// elections are hit.
	leastPause = 200 * time.Millisecond
	mostPause  = 700 * time.Millisecond
	// snapshotEntries makes snapshots come often.
	snapshotEntries = "500"
)

// Config says what to kill and how often.
type Config struct {
	Bin, Dir string
	Nodes    int // with several the leader is killed, one alone is started again at once
	Kills    int
	Seed     uint64
	Clock    func() time.Time
	Progress func(string)
}

// Report is what came of it.
type Report struct {
	Nodes, Kills             int
	Acknowledged, Fills      int
	Events                   uint64
	OrdersLost, FillsLost    int           // acknowledged or told, and not among the events
	OldOffered, OldAccepted  int           // events of an epoch before, forged and offered to the consumer
	StaleAsked               int           // times a node was asked for events of an epoch that it has not seen
	Agreed                   int           // nodes with the same chain of events and digests at the end
	ServingP50, ServingWorst time.Duration // from a kill to the first order that was given later and acknowledged
	Violations               []string
}

// run is one harness at work.
type run struct {
	cfg     Config
	shard   *shard.Shard
	client  *client.Client
	traders []*trader
	history *history
	served  chan time.Time // when orders were given that have been acknowledged

	fenced            uint64 // the newest epoch that fence has seen
	offered, accepted int    // events of epochs before
	asked             int
}

// Run starts a shard, kills, and judges.
func Run(ctx context.Context, cfg Config) (out Report, err error) {
	s, err := shard.Start(shard.Config{
		Dir: filepath.Join(cfg.Dir, fmt.Sprintf("nodes-%d", cfg.Nodes)), Bin: cfg.Bin, Nodes: cfg.Nodes,
		Callers: map[string]shard.Rights{caller: {Any: true, Operate: true, Events: true}},
		Flags: []string{
			"--accounts", "64", "--assets", "2", "--markets", "2", "--orders", "262144", "--keys", "2097152", "--transfers", "1024",
			"--snapshot", snapshotEntries, "--grace", "1m",
		},
	})
	if err != nil {
		return out, fmt.Errorf("start shard: %w", err)
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	tls, err := mtls.ClientConfig(s.Certs(), caller, "matching")
	if err != nil {
		return out, fmt.Errorf("open certificates: %w", err)
	}
	to, err := client.New(client.Config{Addresses: s.Addresses(), TLS: tls})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	r := &run{cfg: cfg, shard: s, client: to, served: make(chan time.Time, 1)}
	return r.all(ctx)
}

func (r *run) all(ctx context.Context) (Report, error) {
	out := Report{Nodes: r.cfg.Nodes, Kills: r.cfg.Kills}
	if err := r.prepare(ctx); err != nil {
		return out, err
	}
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	r.history = newHistory()
	var follower sync.WaitGroup
	follower.Go(func() { r.history.follow(following, r.client) })

	trading, stopTrading := context.WithCancel(ctx)
	defer stopTrading()
	var all sync.WaitGroup
	for i := range traders {
		t := newTrader(engine.AccountID(i+1), r.cfg.Seed, r.cfg.Clock, r.served)
		r.traders = append(r.traders, t)
		all.Go(func() { t.trade(trading, ctx, r.client) })
	}
	waits, err := r.kill(ctx)
	stopTrading()
	all.Wait()
	if err != nil {
		stopFollowing()
		follower.Wait()
		return out, err
	}
	judged := r.judge(ctx, &out)
	out.StaleAsked = r.asked
	stopFollowing()
	follower.Wait()
	out.ServingP50, out.ServingWorst = middle(waits), worst(waits)
	return out, judged
}

// kill kills and starts again, and returns how long nobody was served each time.
func (r *run) kill(ctx context.Context) ([]time.Duration, error) {
	dice := rand.New(rand.NewPCG(r.cfg.Seed, 1))
	var waits []time.Duration
	for n := range r.cfg.Kills {
		if !pause(ctx, leastPause+time.Duration(dice.Int64N(int64(mostPause-leastPause)))) {
			return waits, ctx.Err() //nolint:wrapcheck // the caller's own
		}
		led, err := r.leader(ctx)
		if err != nil {
			return waits, err
		}
		begun := r.cfg.Clock()
		if err := r.shard.Kill(led); err != nil {
			return waits, err
		}
		if r.cfg.Nodes == 1 {
			if err := r.shard.StartNode(led); err != nil {
				return waits, err
			}
		}
		took, err := r.awaitService(ctx, begun)
		if err != nil {
			return waits, fmt.Errorf("kill %d: %w", n+1, err)
		}
		waits = append(waits, took)
		if err := r.fence(ctx); err != nil {
			return waits, err
		}
		r.cfg.Progress(fmt.Sprintf("kill %d of node %d: orders are acknowledged again after %s", n+1, led+1, took.Round(time.Millisecond)))
		if r.cfg.Nodes > 1 {
			if err := r.shard.StartNode(led); err != nil {
				return waits, err
			}
		}
	}
	return waits, nil
}

var errNobodyServes = errors.New("no order is acknowledged any more")

// awaitService waits until an order is acknowledged that was given after begun.
func (r *run) awaitService(ctx context.Context, begun time.Time) (time.Duration, error) {
	timeout := time.NewTimer(leadWithin)
	defer timeout.Stop()
	for {
		select {
		case given := <-r.served:
			if given.After(begun) {
				return r.cfg.Clock().Sub(begun), nil
			}
		case <-timeout.C:
			return 0, errNobodyServes
		case <-ctx.Done():
			return 0, ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

// leader is the node that leads, counted from zero.
func (r *run) leader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, leadWithin)
	defer cancel()
	for {
		for i := range r.cfg.Nodes {
			if s, err := r.status(ctx, i); err == nil && s.GetLeading() {
				return i, nil
			}
		}
		if !pause(ctx, look) {
			return 0, client.ErrNoLeader
		}
	}
}

func (r *run) status(ctx context.Context, node int) (*matchingv1.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := r.client.Any(node).Status(ctx, &matchingv1.StatusRequest{})
	if err != nil {
		return nil, fmt.Errorf("status of node %d: %w", node+1, err)
	}
	return s, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errRefused = errors.New("the shard refuses to be prepared")

// prepare makes a market and gives everybody something to trade.
func (r *run) prepare(ctx context.Context) error {
	if _, err := r.leader(ctx); err != nil {
		return err
	}
	leader, err := r.client.Leader(ctx)
	if err != nil {
		return err
	}
	config := &engine.MarketConfig{Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1 << 20, MaxSlippage: 1000, MaxOrders: 1 << 18}
	out, err := leader.Configure(ctx, &matchingv1.ConfigureRequest{Version: wire.Version, Config: wire.AppendConfig(nil, config)})
	if err != nil || out.GetCode() != 0 {
		return errors.Join(fmt.Errorf("%w: making a market: code %d", errRefused, out.GetCode()), err)
	}
	session, err := r.client.Open(ctx, client.Options{})
	if err != nil {
		return err
	}
	defer session.Close()
	commands := []engine.Command{{Op: engine.OpState, State: engine.Open}}
	for a := engine.AccountID(1); a <= traders; a++ {
		commands = append(commands, engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			commands = append(commands, engine.Command{
				Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: funds}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
			})
		}
	}
	results, err := session.Do(ctx, commands...)
	if err != nil {
		return err
	}
	for _, got := range results {
		if got.Kind == engine.EventRejected {
			return fmt.Errorf("%w: code %d", errRefused, got.Code)
		}
	}
	return nil
}
