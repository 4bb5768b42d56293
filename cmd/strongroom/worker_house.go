package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/chainadapters"
	"strongroom/custody"
	collector "strongroom/custody/collect"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/mtls"
	"strongroom/internal/temporalx"
	"strongroom/ledger"
	signerclient "strongroom/signer/client"
	"strongroom/treasury/consent"
)

// house is custody as the worker works it.
type house struct {
	chains   []chainadapters.Config
	assets   *assetView
	book     *ledger.Ledger
	pool     *pgxpool.Pool
	signer   *signerLink
	adapters map[chainadapters.ChainID]chainadapters.Adapter
	store    *custodydb.Store
	desk     *desk.Desk
	intake   *intake.Intake
	exchange *exchange             // nil where the platform does not trade
	treasury *treasuryHouse        // nil where nobody is asked
	metrics  prometheus.Registerer // of the watchers
}

// open makes what has to be there before the first block: the house's accounts
// and its hot wallets.
func (h *house) open(ctx context.Context) error {
	for _, chain := range h.chains {
		for _, asset := range h.assets.AssetsOf(chain.Chain) {
			if err := h.store.OpenAccounts(ctx, "", asset); err != nil {
				return err
			}
		}
		if _, err := h.store.HotAddress(ctx, chain.Chain); err != nil {
			return err
		}
	}
	return nil
}

// resendEvery is how soon a booked payment that left the chain is sent again, and
// what it cost in its new block is booked.
const resendEvery = time.Minute

// repayEvery is how soon a debtor's released money repays what is owed.
const repayEvery = 30 * time.Second

// loops returns what goes on beside the workflows: one watcher per chain, the
// planning of collections, the repayment of debts, what left the chain for good, a
// fresh view of the assets.
func (c *workerCommand) loops(e *env, h *house) ([]func(context.Context) error, error) {
	loops := []func(context.Context) error{
		func(ctx context.Context) error {
			every(ctx, refreshEvery, func() { h.assets.refresh(ctx) })
			return nil
		},
		func(ctx context.Context) error {
			every(ctx, repayEvery, func() {
				if err := h.intake.RepayDebts(ctx); err != nil && ctx.Err() == nil {
					e.log.WarnContext(ctx, "debts stay for now", "cause", err)
				}
			})
			return nil
		},
		func(ctx context.Context) error {
			every(ctx, resendEvery, func() {
				if err := h.desk.ResendOrphans(ctx); err != nil && ctx.Err() == nil {
					e.log.WarnContext(ctx, "payments that left the chain are not sent again yet", "cause", err)
				}
				if err := h.desk.CorrectFees(ctx); err != nil && ctx.Err() == nil {
					e.log.WarnContext(ctx, "fees of payments that left the chain are not booked yet", "cause", err)
				}
			})
			return nil
		},
	}
	for _, chain := range h.chains {
		w, err := watch.New(watch.Config{
			Chain: chain.Chain, Adapter: h.adapters[chain.Chain], Store: h.store, Assets: h.assets,
			StartHeight: c.StartHeight[string(chain.Chain)], MaxReorg: c.maxReorg(h.assets.AssetsOf(chain.Chain)), MaxHeadAge: c.MaxHeadAge,
			Poll: c.Poll, Clock: e.clock, Log: e.log, Metrics: h.metrics,
		})
		if err != nil {
			return nil, err
		}
		loops = append(loops, w.Run)
	}
	gas, err := c.gas(h.chains, h.assets)
	if err != nil {
		return nil, err
	}
	planner, err := collector.New(collector.Config{
		Store: h.store, Assets: h.assets, Adapters: h.adapters, Log: e.log, Every: c.Collect, Clock: e.clock,
		Gas: gas, Merge: c.merge(),
	})
	if err != nil {
		return nil, err
	}
	moves, err := h.treasury.loops(e, h)
	return append(append(loops, planner.Run), moves...), err
}

// defaultReorg is how deep a reorganisation may be where no asset sets a bound.
const defaultReorg = 64

// maxReorg is what the operator says, or else as deep as no payment is final.
func (c *workerCommand) maxReorg(on []custody.AssetInfo) uint64 {
	if c.MaxReorg != 0 {
		return c.MaxReorg
	}
	depth := uint64(defaultReorg)
	for _, asset := range on {
		depth = min(depth, asset.FinalDepth-1) // the registry sees to it that FinalDepth is 1 or more
	}
	return depth
}

// label returns the search attributes of a subject's workflow: opaque ids, codes
// and the order of magnitude only.
func (h *house) label(ctx context.Context, topic, subject string) (temporalx.Labels, error) {
	if topic == custodydb.TopicTransfer {
		return h.exchange.label(ctx, subject)
	}
	if topic == custodydb.TopicDeposit {
		d, err := h.store.DepositRow(ctx, subject)
		if err != nil {
			return temporalx.Labels{}, err
		}
		return temporalx.Labels{
			UserID: d.Customer, Asset: d.Asset, Rail: string(d.Chain),
			AmountBand: temporalx.Band(d.Amount.String()), Phase: string(d.State), ChainTx: d.TxID,
		}, nil
	}
	r, err := h.store.LoadIntent(ctx, subject)
	if err != nil {
		return temporalx.Labels{}, err
	}
	return temporalx.Labels{
		UserID: r.Customer, Asset: r.Asset, Rail: string(r.Chain),
		AmountBand: temporalx.Band(r.Amount.String()), Phase: string(r.State),
	}, nil
}

// chainsKnown fails until each chain was looked at once. A halted chain is no
// reason to take the worker out of service: the others go on.
func (h *house) chainsKnown(ctx context.Context) error {
	for _, chain := range h.chains {
		if _, err := h.store.Chain(ctx, chain.Chain); err != nil {
			return fmt.Errorf("chain %s: %w", chain.Chain, err)
		}
	}
	return nil
}

// signerLink is the signer as desk and wiring use it.
type signerLink struct {
	client  *signerclient.Client
	consent evidence // nil where the signer asks for none
}

// evidence shows the signer that people, or the policy, agreed.
type evidence interface {
	Evidence(ctx context.Context, intent string, attempt uint32) (text []byte, approvals []consent.Approval, err error)
}

var _ desk.Signer = (*signerLink)(nil)

// signerOf prepares the connection of process name to the signer.
func signerOf(certs, name, address string) (*signerLink, error) {
	tlsConfig, err := mtls.ClientConfig(certs, name, "signer")
	if err != nil {
		return nil, err
	}
	client, err := signerclient.New(signerclient.Config{Address: address, TLS: tlsConfig, Timeout: signerTimeout})
	if err != nil {
		return nil, err
	}
	return &signerLink{client: client}, nil
}

// Close ends the connection.
func (s *signerLink) Close() error { return s.client.Close() }

// Check asks whether the signer is there.
func (s *signerLink) Check(ctx context.Context) error {
	_, err := s.client.Status(ctx)
	return err
}

// Sign asks for a signature.
func (s *signerLink) Sign(ctx context.Context, r desk.SignRequest) (desk.Signature, error) {
	kinds := map[custody.IntentKind]signerclient.Kind{ //nolint:exhaustive // payments out of vaults of coins are for cosigners alone
		custody.IntentWithdrawal: signerclient.Withdrawal,
		custody.IntentCollect:    signerclient.Collect,
		custody.IntentGasTopUp:   signerclient.GasTopUp,
		// To the signer it is a collection whose coins are in the hot wallet already.
		custody.IntentConsolidate: signerclient.Collect,
		custody.IntentCancel:      signerclient.Cancel,
		custody.IntentSweep:       signerclient.Sweep,
		custody.IntentRefill:      signerclient.Refill, // on account chains; others are for cosigners alone
	}
	ask := signerclient.Request{
		Intent: r.Intent.ID, Kind: kinds[r.Intent.Kind], Chain: r.Intent.Chain, Asset: r.Intent.Asset,
		Attempt: r.Attempt, Plan: r.Plan, Unsigned: r.Unsigned, ToPath: r.ToPath, MaxFee: r.MaxFee,
	}
	if s.consent != nil && (r.Intent.Kind.PaysOut() || r.Intent.Kind == custody.IntentRefill) {
		var err error
		if ask.IntentText, ask.Approvals, err = s.consent.Evidence(ctx, r.Intent.ID, r.Attempt); err != nil {
			return desk.Signature{}, err
		}
	}
	out, err := s.client.Sign(ctx, ask)
	if err != nil {
		return desk.Signature{}, refusal(err)
	}
	return desk.Signature{Raw: out.Raw, TxID: out.TxID}, nil
}

// refusal tells the desk which errors are the signer's judgement of the request. A
// freeze is not: it says nothing about any request.
func refusal(err error) error {
	judged := errors.Is(err, signerclient.ErrRefused) || errors.Is(err, signerclient.ErrInvalid)
	if judged && !errors.Is(err, signerclient.ErrFrozen) {
		return fmt.Errorf("%w: %w", desk.ErrRefused, err)
	}
	return err
}

// publicKeys asks the signer, which may still be starting.
func (s *signerLink) publicKeys(ctx context.Context, chains []chainadapters.Config) (map[chainadapters.ChainID]custodydb.XPubs, error) {
	out := map[chainadapters.ChainID]custodydb.XPubs{}
	for _, chain := range chains {
		for try := 0; ; try++ {
			deposit, hot, err := s.client.PublicKeys(ctx, chain.Chain)
			if err == nil {
				out[chain.Chain] = custodydb.XPubs{Deposit: deposit, Hot: hot}
				break
			}
			if final := errors.Is(err, signerclient.ErrInvalid) || errors.Is(err, signerclient.ErrForbidden); final ||
				try == signerTries || !pause(ctx, time.Second) {
				return nil, err
			}
		}
	}
	return out, nil
}
