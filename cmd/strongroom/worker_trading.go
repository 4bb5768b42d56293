package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	actdeposit "strongroom/activities/deposit"
	acttransfer "strongroom/activities/transfer"
	"strongroom/custody/custodydb"
	"strongroom/internal/temporalx"
	"strongroom/matching/client"
	"strongroom/trading"
	"strongroom/trading/funding"
	"strongroom/worker"
	"strongroom/workflows/transfer"
)

// exchange is trading as the worker sees it: transfers and how the engine is told.
type exchange struct {
	shard *client.Client
	link  *funding.Link
	store *funding.Store
}

// exchange opens what carries transfers; nil where the platform does not trade.
func (c *workerCommand) exchange(e *env, h *house) (*exchange, error) {
	if !c.trades() {
		return nil, nil //nolint:nilnil // an installation without matching
	}
	cfg, err := c.transfers(e)
	if err != nil {
		return nil, err
	}
	x := &exchange{}
	if x.shard, err = c.shardOf(c.Certs, "worker"); err != nil {
		return nil, err
	}
	x.link = funding.NewLink(x.shard)
	cfg.Pool, cfg.Ledger, cfg.Engine = h.pool, h.book, x.link
	if x.store, err = funding.New(cfg); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// measure counts transfers under way; nil has none.
func (x *exchange) measure(metrics prometheus.Registerer) {
	if x != nil {
		metrics.MustRegister(x.store.Collector())
	}
}

// close gives the connections back; nil has none.
func (x *exchange) close() error {
	if x == nil {
		return nil
	}
	return errors.Join(x.link.Close(), x.shard.Close())
}

// activities are the steps of transfers, and of deposits that flow on.
func (x *exchange) activities(all *worker.Activities, deposits funding.Deposits, steps *actdeposit.Activities) error {
	all.Deposit = steps
	if x == nil {
		return nil
	}
	forward, err := funding.NewForwarder(x.store, deposits)
	if err != nil {
		return err
	}
	all.Deposit = steps.Onward(forward)
	all.Transfer, err = acttransfer.New(x.store)
	return err
}

// label is that of a transfer's workflow.
func (x *exchange) label(ctx context.Context, id string) (temporalx.Labels, error) {
	if x == nil {
		return temporalx.Labels{}, fmt.Errorf("transfer %s: %w", id, errNotTrading)
	}
	t, err := x.store.ByID(ctx, id)
	if err != nil {
		return temporalx.Labels{}, err
	}
	return temporalx.Labels{
		UserID: t.Customer, Asset: t.Asset, Rail: "trading", AmountBand: temporalx.Band(t.Amount.String()), Phase: string(transfer.Telling),
	}, nil
}

// errNotTrading reports a transfer in an installation that was told of no matching.
var errNotTrading = errors.New("--matching-addresses is not given")

// transfers is the configuration of transfers but for their collaborators.
func (f shardFlags) transfers(e *env) (funding.Config, error) {
	terms, err := f.terms()
	if err != nil {
		return funding.Config{}, err
	}
	var codes []string
	for i := range terms {
		codes = append(codes, terms[i].Base, terms[i].Quote)
	}
	slices.Sort(codes)
	return funding.Config{
		Shard: f.Shard, Assets: slices.Compact(codes), Guard: custodydb.RefuseFrozen, Clock: e.clock,
		Start: func(ctx context.Context, tx pgx.Tx, id string) error {
			return custodydb.PutOutbox(ctx, tx, custodydb.OutboxRow{
				Key: id + "/start", Topic: custodydb.TopicTransfer, Kind: custodydb.KindStart, Subject: id,
			})
		},
	}, nil
}

// terms reads the file of markets.
func (f shardFlags) terms() ([]trading.Terms, error) {
	if f.Markets == "" {
		return nil, fmt.Errorf("%w: --markets-file is needed with --matching-addresses", errUsage)
	}
	file, err := os.Open(filepath.Clean(f.Markets))
	if err != nil {
		return nil, fmt.Errorf("open markets: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	return trading.ReadTerms(file)
}
