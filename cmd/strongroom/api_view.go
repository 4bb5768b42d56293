package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/sdk/client"

	"strongroom/api"
	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// assetView is the registry as custody sees it: in memory, at most a few seconds
// old, so that custody's rules need no context and no database.
type assetView struct {
	registry *assets.Registry
	log      *slog.Logger
	list     atomic.Pointer[[]custody.AssetInfo]
}

var _ custody.Assets = (*assetView)(nil)

func newAssetView(ctx context.Context, registry *assets.Registry, log *slog.Logger) (*assetView, error) {
	v := &assetView{registry: registry, log: log}
	return v, v.load(ctx)
}

// load takes a new list.
func (v *assetView) load(ctx context.Context) error {
	entries, err := v.registry.All(ctx)
	if err != nil {
		return err
	}
	native := map[chainadapters.ChainID]string{}
	for _, a := range entries {
		if a.Native {
			native[a.Chain] = a.Code
		}
	}
	list := make([]custody.AssetInfo, 0, len(entries))
	for _, a := range entries {
		info := custody.AssetInfo{
			Asset: a.Money(), Chain: a.Chain, Contract: a.Contract, Native: native[a.Chain],
			MinDeposit: a.MinDeposit, MinWithdrawal: a.MinWithdrawal, WithdrawalFee: a.WithdrawalFee,
			DailyLimit: a.DailyLimit, FinalDepth: a.FinalDepth, State: custody.AssetState(a.State),
			FeeOnTransfer: a.Has(assets.FeeOnTransfer),
		}
		if info.Native == "" {
			return fmt.Errorf("asset %s: chain %s has no native asset", a.Code, a.Chain)
		}
		for _, t := range a.Tiers {
			info.Tiers = append(info.Tiers, custody.Tier{UpTo: t.UpTo, CreditDepth: t.CreditDepth, WithdrawDepth: t.WithdrawableDepth})
		}
		list = append(list, info)
	}
	v.list.Store(&list)
	return nil
}

// refresh keeps the old list where a new one cannot be had.
func (v *assetView) refresh(ctx context.Context) {
	if err := v.load(ctx); err != nil && ctx.Err() == nil {
		v.log.WarnContext(ctx, "assets stay as they were", "cause", err)
	}
}

// AssetByCode returns one asset.
func (v *assetView) AssetByCode(code string) (custody.AssetInfo, bool) {
	for _, a := range *v.list.Load() {
		if a.Code == code {
			return a, true
		}
	}
	return custody.AssetInfo{}, false
}

// AssetsOf returns the assets of a chain, by code.
func (v *assetView) AssetsOf(chain chainadapters.ChainID) []custody.AssetInfo {
	var out []custody.AssetInfo
	for _, a := range *v.list.Load() {
		if a.Chain == chain {
			out = append(out, a)
		}
	}
	return out
}

// chainList is custody's view of the chains as the front door shows it.
type chainList struct{ store *custodydb.Store }

// Chains returns every chain that was ever looked at.
func (l chainList) Chains(ctx context.Context) ([]api.ChainHealth, error) {
	list, err := l.store.Chains(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.ChainHealth, len(list))
	for i, c := range list {
		// The rest of a reason names nodes and addresses of the house: the operator
		// reads it with `strongroom chains list`, the public does not.
		kind, _, _ := strings.Cut(c.Reason, ": ")
		out[i] = api.ChainHealth{Chain: c.Chain, Height: c.Cursor.Height, Halted: c.Status != custodydb.ChainOK, Reason: kind}
		if out[i].Halted && c.Reason == "" {
			out[i].Reason = c.Status
		}
	}
	return out, nil
}

// cachedGate asks at most once a second, one caller at a time.
type cachedGate struct {
	ask   func(context.Context) error
	clock func() time.Time

	mu    sync.Mutex
	asked time.Time
	last  error
}

func newCachedGate(ask func(context.Context) error, clock func() time.Time) *cachedGate {
	return &cachedGate{ask: ask, clock: clock}
}

// Check returns the last answer where it is fresh.
func (g *cachedGate) Check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.clock(); !g.asked.IsZero() && now.Sub(g.asked) < gateFresh {
		return g.last
	}
	// The answer serves other callers too: this one going away does not spoil it.
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), temporalTimeout)
	defer cancel()
	g.last = g.ask(ask)
	g.asked = g.clock()
	return g.last
}

func engineHealth(ctx context.Context, engine client.Client) error {
	if _, err := engine.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("ask workflow engine: %w", err)
	}
	return nil
}

// databaseDown recognises errors after which asking again can help: no
// connection, a server that stops or starts, no room, a lost race.
func databaseDown(err error) bool {
	var connect *pgconn.ConnectError
	var refusal *pgconn.PgError
	switch {
	case errors.As(err, &connect), pgconn.SafeToRetry(err), pgconn.Timeout(err):
		return true
	case errors.As(err, &refusal):
		for _, class := range []string{"08", "40", "53", "57"} {
			if strings.HasPrefix(refusal.Code, class) {
				return true
			}
		}
		return refusal.Code == "25006" // a server that was demoted
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// every calls work at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, work func()) {
	for pause(ctx, interval) {
		work()
	}
}

// pause waits; it returns false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// quiet gives the engine's client our log for what is wrong, and nothing else.
type quiet struct{ log *slog.Logger }

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}

// Warn logs.
func (q quiet) Warn(msg string, kv ...any) {
	q.log.Warn("workflow engine client", append(kv, "said", msg)...)
}

// Error logs.
func (q quiet) Error(msg string, kv ...any) {
	q.log.Error("workflow engine client", append(kv, "said", msg)...)
}
