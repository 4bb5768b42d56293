// Package watch follows a chain block by block and hands each one to custody's
// store in one transaction. It follows parent hashes from its stored cursor, goes
// back where the chain was reorganised, and halts the chain where the node cannot
// be trusted: down, behind, on another network, incomplete in its answers, or
// with a reorganisation deeper than policy. It books no money and sends nothing.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// Config says what to watch and how far to trust it.
type Config struct {
	Chain   chainadapters.ChainID
	Adapter chainadapters.Adapter
	Store   *custodydb.Store
	Assets  custody.Assets
	// StartHeight is the first block taken in where the chain was never watched.
	StartHeight uint64
	// MaxReorg is the deepest reorganisation that is followed without a person. It
	// must be less than every final depth of the chain: what is final stays. Zero
	// follows none.
	MaxReorg uint64
	// MaxHeadAge is how old the node's newest block may be; zero for any age.
	MaxHeadAge time.Duration
	// Poll is the time between two looks at a chain that did not move.
	Poll  time.Duration
	Clock func() time.Time // nil for the system's clock
	Log   *slog.Logger
	// Metrics is where the chain's standing is told to machines; nil for nowhere.
	Metrics prometheus.Registerer
}

// Watcher follows one chain.
type Watcher struct {
	cfg Config
	// said is what was logged last, so that a lasting fault is one line.
	said   string
	gauges gauges
	// nodes is what was recorded last of several nodes; assumed tells that what an
	// earlier process knew of them was taken over.
	nodes   []chainadapters.NodeStatus
	assumed bool
}

// New returns a Watcher.
func New(cfg Config) (*Watcher, error) {
	switch {
	case cfg.Chain == "" || cfg.Adapter == nil || cfg.Store == nil || cfg.Assets == nil || cfg.Log == nil:
		return nil, errors.New("watch: config is incomplete")
	case cfg.MaxReorg > maxReorg:
		return nil, fmt.Errorf("watch: MaxReorg must be at most %d", maxReorg)
	case cfg.Poll <= 0:
		return nil, errors.New("watch: Poll must be above zero")
	}
	for _, asset := range cfg.Assets.AssetsOf(cfg.Chain) {
		if cfg.MaxReorg >= asset.FinalDepth {
			return nil, fmt.Errorf("watch: MaxReorg %d reaches what is final for %s at %d", cfg.MaxReorg, asset.Code, asset.FinalDepth)
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of what is injected
	}
	return &Watcher{cfg: cfg, gauges: newGauges(cfg.Metrics)}, nil
}

// maxReorg bounds how far back headers are compared, whatever policy says.
const maxReorg = 10_000

// maxBlocksPerLook bounds how many blocks one Look takes in, so that the node is
// judged again in between.
const maxBlocksPerLook = 256

// Faults for which a chain is halted; each says which in its text.
var (
	// errNode is any passing fault: the chain recovers by itself.
	errNode = errors.New("node is not usable")
	// errOperator is a fault that a person must clear.
	errOperator = errors.New("an operator must look at this")
)

// Run watches until ctx ends, and returns its error. Where another process
// watches the chain, it waits to take over.
func (w *Watcher) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("watch %s: %w", w.cfg.Chain, ctx.Err())
		case <-timer.C:
		}
		if err := w.hold(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Log.WarnContext(ctx, "watcher lost its place", "chain", w.cfg.Chain, "error", err)
		}
		timer.Reset(w.cfg.Poll)
	}
}

// hold watches for as long as this process has the chain's watch.
func (w *Watcher) hold(ctx context.Context) error {
	watch, ok, err := w.cfg.Store.TryWatch(ctx, w.cfg.Chain)
	if err != nil || !ok {
		return err
	}
	defer watch.Release(ctx)
	ticker := time.NewTicker(w.cfg.Poll)
	defer ticker.Stop()
	for {
		for more := true; more; {
			if err := watch.Held(ctx); err != nil {
				return err
			}
			if more, err = w.Look(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Look judges the node once, takes in what is new, and records whether the chain
// may be used. more tells that it did not reach the head yet. What is wrong with
// the node is recorded, not returned: err is a fault of the database.
func (w *Watcher) Look(ctx context.Context) (more bool, err error) {
	if err := w.assume(ctx); err != nil {
		return false, err
	}
	more, err = w.look(ctx)
	if lost := w.tellNodes(ctx); lost != nil && ctx.Err() == nil {
		return false, lost
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return more, err
	case errors.Is(err, custody.ErrConflict):
		return true, nil // another watcher was faster: look again from its cursor
	case errors.Is(err, errOperator), errors.Is(err, errNode):
		w.say(ctx, slog.LevelWarn, "chain halted", err.Error())
		return false, w.cfg.Store.HaltChain(ctx, w.cfg.Chain, err.Error(), errors.Is(err, errOperator))
	}
	return false, err
}

func (w *Watcher) look(ctx context.Context) (more bool, err error) {
	is, err := w.cfg.Adapter.Identity(ctx)
	if err != nil {
		return false, nodeFault("ask who the node is", err)
	}
	at, err := w.cfg.Store.PinChain(ctx, w.cfg.Chain, is)
	if errors.Is(err, custodydb.ErrForeignPin) {
		return false, nodeFault("compare networks", err)
	}
	if err != nil {
		return false, err
	}
	head, err := w.cfg.Adapter.Head(ctx)
	if err != nil {
		return false, nodeFault("ask for the head", err)
	}
	if err := w.judgeHead(at, head); err != nil {
		return false, err
	}
	if at, err = w.rewind(ctx, at, head); err != nil {
		return false, err
	}
	if err := w.final(ctx, at, head); err != nil {
		return false, err
	}
	if more, err = w.forward(ctx, at, head); err != nil {
		return false, err
	}
	w.say(ctx, slog.LevelInfo, "chain usable", "")
	return more, w.cfg.Store.SetChainOK(ctx, w.cfg.Chain, head.Height)
}

// judgeHead refuses a node that is behind what was taken in already, or whose
// newest block is too old.
func (w *Watcher) judgeHead(at custodydb.ChainStatus, head chainadapters.Header) error {
	if at.Started() && head.Height < at.Cursor.Height {
		return fmt.Errorf("%w: it lags: its head is %d, %d was taken in before", errNode, head.Height, at.Cursor.Height)
	}
	if age := w.cfg.Clock().Sub(head.Time); w.cfg.MaxHeadAge > 0 && age > w.cfg.MaxHeadAge {
		return fmt.Errorf("%w: it lags: its head is %s old", errNode, age.Round(time.Second))
	}
	return nil
}

// forward takes in blocks up to the head, a bounded number of them.
func (w *Watcher) forward(ctx context.Context, at custodydb.ChainStatus, head chainadapters.Header) (more bool, err error) {
	cursor, next := at.Cursor, at.Cursor.Height+1
	if !at.Started() {
		next = w.cfg.StartHeight
	}
	for n := 0; next <= head.Height; n++ {
		if n == maxBlocksPerLook {
			return true, nil
		}
		header, err := w.cfg.Adapter.HeaderAt(ctx, next)
		if err != nil {
			return false, nodeFault("ask for a header", err)
		}
		if cursor.Hash != "" && header.Parent != cursor.Hash {
			return w.moved(ctx, cursor)
		}
		if err := w.take(ctx, cursor, header); err != nil {
			return false, err
		}
		cursor = header.Ref
		next++
	}
	return false, nil
}

// moved tells a chain that was reorganised while we walk, which is judged from
// the start, from a node that contradicts itself.
func (w *Watcher) moved(ctx context.Context, cursor chainadapters.Ref) (more bool, err error) {
	now, err := w.cfg.Adapter.HeaderAt(ctx, cursor.Height)
	if err != nil {
		return false, nodeFault("ask for a header", err)
	}
	if now.Hash == cursor.Hash {
		return false, fmt.Errorf("%w: header %d does not follow the one before it", errNode, cursor.Height+1)
	}
	return true, nil
}

// take reads one block whole and stores it.
func (w *Watcher) take(ctx context.Context, prev chainadapters.Ref, header chainadapters.Header) error {
	var contracts []string
	for _, asset := range w.cfg.Assets.AssetsOf(w.cfg.Chain) {
		if asset.Contract != "" {
			contracts = append(contracts, asset.Contract)
		}
	}
	block, err := w.cfg.Adapter.Block(ctx, header.Ref, contracts)
	if err != nil {
		return nodeFault("read block "+header.Hash, err)
	}
	if block.Ref != header.Ref || block.Parent != header.Parent {
		return fmt.Errorf("%w: asked for block %d %s after %s it gave %d %s after %s", errNode,
			header.Height, header.Hash, header.Parent, block.Height, block.Hash, block.Parent)
	}
	own, err := w.own(ctx, block)
	if err != nil {
		return err
	}
	if block, err = w.received(ctx, block, own); err != nil {
		return err
	}
	err = w.cfg.Store.TakeBlock(ctx, custodydb.TakenBlock{Chain: w.cfg.Chain, Prev: prev, Block: block, Own: own})
	if errors.Is(err, custodydb.ErrTakeBackFirst) || errors.Is(err, custodydb.ErrOwnStatus) {
		return fmt.Errorf("%w: block %d must wait: %w", errNode, block.Height, err)
	}
	return err
}

// own asks how our own transactions in the block went.
func (w *Watcher) own(ctx context.Context, block chainadapters.Block) ([]chainadapters.TxStatus, error) {
	txids, err := w.cfg.Store.OwnTxs(ctx, w.cfg.Chain, block.TxIDs)
	if err != nil || len(txids) == 0 {
		return nil, err
	}
	statuses, err := w.cfg.Adapter.Statuses(ctx, txids)
	if err != nil {
		return nil, nodeFault("ask for our transactions", err)
	}
	return statuses, nil
}

// nodeFault names what the node failed at.
func nodeFault(what string, err error) error { return fmt.Errorf("%w: %s: %w", errNode, what, err) }

// say logs a change of the chain's standing once.
func (w *Watcher) say(ctx context.Context, level slog.Level, message, reason string) {
	halted := 0.0
	if reason != "" {
		halted = 1
	}
	w.gauges.halted.WithLabelValues(string(w.cfg.Chain)).Set(halted)
	if key := message + reason; key != w.said {
		w.said = key
		if reason != "" {
			w.gauges.alarms.WithLabelValues(string(w.cfg.Chain)).Inc()
		}
		w.cfg.Log.Log(ctx, level, message, "chain", w.cfg.Chain, "reason", reason)
	}
}
