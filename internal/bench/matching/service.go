package matchingbench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"strongroom/internal/devstack/shard"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

const (
	caller     = "bench"
	openEach   = 2048 // commands of a line without a result, in the flood
	singles    = 5000
	leadWithin = 20 * time.Second
	funds      = 1 << 40
)

// ServiceConfig says what to measure a service with.
type ServiceConfig struct {
	Bin      string // the program matching
	Dir      string
	Nodes    int
	Lines    int // streams of the load, an account each
	Rates    []int
	Duration time.Duration // of each measurement
	Runs     int
	Clock    func() time.Time
	Progress func(string)
}

// Pace is what one rate led to.
type Pace struct {
	Rate  int
	Waits Waits
}

// Service is what was measured of a shard of some nodes.
type Service struct {
	Nodes  int
	Flood  float64 // orders acknowledged a second: the median run
	Single Waits
	Paces  []Pace
}

// RunService starts a shard of processes and measures it over TLS.
func RunService(ctx context.Context, cfg ServiceConfig) (out Service, err error) {
	cfg.Dir = filepath.Join(cfg.Dir, fmt.Sprintf("nodes-%d", cfg.Nodes))
	s, b, err := start(ctx, cfg)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.client.Close(), s.Stop()) }()
	return b.measure(ctx)
}

// start starts a shard and waits until it is led.
func start(ctx context.Context, cfg ServiceConfig, flags ...string) (*shard.Shard, *bench, error) {
	s, err := shard.Start(shard.Config{
		Dir: cfg.Dir, Bin: cfg.Bin, Nodes: cfg.Nodes,
		Callers: map[string]shard.Rights{caller: {Any: true, Operate: true, Events: true}},
		Flags:   append([]string{"--accounts", "1024", "--assets", "2", "--markets", "2", "--keys", "16777216", "--transfers", "65536"}, flags...),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start shard: %w", err)
	}
	b, err := connect(ctx, cfg, s)
	if err != nil {
		return nil, nil, errors.Join(err, s.Stop())
	}
	return s, b, nil
}

func connect(ctx context.Context, cfg ServiceConfig, s *shard.Shard) (*bench, error) {
	tls, err := mtls.ClientConfig(s.Certs(), caller, "matching")
	if err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	to, err := client.New(client.Config{Addresses: s.Addresses(), TLS: tls})
	if err != nil {
		return nil, err
	}
	b := &bench{cfg: cfg, client: to}
	if b.leader, err = awaitLeader(ctx, to); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return b, nil
}

// awaitLeader waits until a node leads.
func awaitLeader(ctx context.Context, to *client.Client) (matchingv1.MatchingClient, error) {
	ctx, cancel := context.WithTimeout(ctx, leadWithin)
	defer cancel()
	for {
		leader, err := to.Leader(ctx)
		if err == nil {
			return leader, nil
		}
		select {
		case <-time.After(10 * time.Millisecond): //nolint:forbidigo // real processes
		case <-ctx.Done():
			return nil, err
		}
	}
}

type bench struct {
	cfg      ServiceConfig
	client   *client.Client
	leader   matchingv1.MatchingClient
	accounts engine.AccountID // made so far
}

func (b *bench) measure(ctx context.Context) (Service, error) {
	out := Service{Nodes: b.cfg.Nodes}
	if err := b.market(ctx); err != nil {
		return out, err
	}
	var rates []float64
	for range b.cfg.Runs {
		lines, err := b.lines(ctx, b.cfg.Lines)
		if err != nil {
			return out, err
		}
		rate, err := flood(b.cfg.Clock, lines, openEach, b.cfg.Duration)
		if err != nil {
			return out, fmt.Errorf("flood: %w", err)
		}
		b.cfg.Progress(fmt.Sprintf("%d nodes: %.0f orders/s", b.cfg.Nodes, rate))
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	out.Flood = rates[len(rates)/2]
	lines, err := b.lines(ctx, 1)
	if err != nil {
		return out, err
	}
	if out.Single, err = single(b.cfg.Clock, lines[0], singles); err != nil {
		return out, fmt.Errorf("one at a time: %w", err)
	}
	for _, rate := range b.cfg.Rates {
		lines, err := b.lines(ctx, b.cfg.Lines)
		if err != nil {
			return out, err
		}
		waits, err := paced(b.cfg.Clock, lines, rate, b.cfg.Duration)
		if err != nil {
			return out, fmt.Errorf("at %d/s: %w", rate, err)
		}
		b.cfg.Progress(fmt.Sprintf("%d nodes at %d/s: p50 %s p99 %s", b.cfg.Nodes, rate, waits.P50, waits.P99))
		out.Paces = append(out.Paces, Pace{rate, waits})
	}
	return out, nil
}

func (b *bench) market(ctx context.Context) error {
	config := &engine.MarketConfig{
		Base: 0, Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1 << 20, MaxSlippage: 1000, MaxOrders: 1 << 20,
	}
	out, err := b.leader.Configure(ctx, &matchingv1.ConfigureRequest{Version: wire.Version, Config: wire.AppendConfig(nil, config)})
	if err != nil || out.GetCode() != 0 {
		return errors.Join(fmt.Errorf("%w: making a market: code %d", errRefused, out.GetCode()), err)
	}
	return b.operate(ctx, engine.Command{Op: engine.OpState, State: engine.Open})
}

// lines opens so many, of accounts that are new: their client ids and numbers begin
// anew.
func (b *bench) lines(ctx context.Context, n int) ([]*line, error) {
	lines := make([]*line, 0, n)
	for range n {
		b.accounts++
		commands := []engine.Command{{Op: engine.OpAccount, Account: b.accounts}}
		for asset := range engine.AssetID(2) {
			commands = append(commands, engine.Command{
				Op: engine.OpCredit, Account: b.accounts, Asset: asset, Amount: engine.Amount{Hi: funds},
				Key: engine.Key{Hi: uint64(b.accounts), Lo: uint64(asset) + 1},
			})
		}
		if err := b.operate(ctx, commands...); err != nil {
			return nil, err
		}
		l, err := openLine(ctx, b.leader, uint64(len(lines)), b.accounts)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

var errRefused = errors.New("the shard refuses to be prepared")

func (b *bench) operate(ctx context.Context, commands ...engine.Command) error {
	session, err := b.client.Open(ctx, client.Options{})
	if err != nil {
		return err
	}
	defer session.Close()
	results, err := session.Do(ctx, commands...)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Kind == engine.EventRejected {
			return fmt.Errorf("%w: code %d", errRefused, r.Code)
		}
	}
	return nil
}
