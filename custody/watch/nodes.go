package watch

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/chainadapters"
)

// quorum is an adapter that asks several nodes.
type quorum interface {
	Nodes() []chainadapters.NodeStatus
	Restore(known []chainadapters.NodeStatus)
	Readmit(name string) bool
}

// gauges are what a machine is told of a chain's standing.
type gauges struct {
	halted *prometheus.GaugeVec
	alarms *prometheus.CounterVec
	nodes  *prometheus.GaugeVec
}

func newGauges(r prometheus.Registerer) gauges {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	return gauges{
		halted: registered(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "strongroom_chain_halted", Help: "1 while credits and sends on a chain stand still.",
		}, []string{"chain"})),
		alarms: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_chain_alarms_total", Help: "How often a chain was halted, for a new reason.",
		}, []string{"chain"})),
		nodes: registered(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "strongroom_chain_nodes", Help: "Nodes of a chain with several, by state.",
		}, []string{"chain", "state"})),
	}
}

// registered registers fresh, or returns what another chain's watcher registered.
func registered[C prometheus.Collector](r prometheus.Registerer, fresh C) C {
	if before, is := errors.AsType[prometheus.AlreadyRegisteredError](r.Register(fresh)); is {
		if have, same := before.ExistingCollector.(C); same {
			return have
		}
	}
	return fresh
}

// assume takes over what an earlier process knew of the nodes, once, and what an
// operator has said since.
func (w *Watcher) assume(ctx context.Context) error {
	q, several := w.cfg.Adapter.(quorum)
	if !several {
		return nil
	}
	if !w.assumed {
		known, err := w.cfg.Store.Nodes(ctx, w.cfg.Chain)
		if err != nil {
			return err
		}
		q.Restore(known)
		w.assumed = true
	}
	names, err := w.cfg.Store.TakeReadmissions(ctx, w.cfg.Chain)
	if err != nil {
		return err
	}
	for _, name := range names {
		if q.Readmit(name) {
			w.cfg.Log.WarnContext(ctx, "node readmitted by an operator", "chain", w.cfg.Chain, "node", name)
		}
	}
	return nil
}

// tellNodes records how the nodes are doing where that changed, and says so.
func (w *Watcher) tellNodes(ctx context.Context) error {
	q, several := w.cfg.Adapter.(quorum)
	if !several {
		return nil
	}
	now := q.Nodes()
	if slices.Equal(now, w.nodes) {
		return nil
	}
	count := make(map[chainadapters.NodeState]int)
	for i, n := range now {
		count[n.State]++
		if i < len(w.nodes) && w.nodes[i].State == n.State {
			continue
		}
		level := slog.LevelWarn
		if n.State == chainadapters.NodeOK {
			level = slog.LevelInfo
		}
		w.cfg.Log.Log(ctx, level, "node is "+string(n.State), "chain", w.cfg.Chain, "node", n.Name, "height", n.Height, "reason", n.Reason)
	}
	for _, state := range []chainadapters.NodeState{chainadapters.NodeOK, chainadapters.NodeLagging, chainadapters.NodeDown, chainadapters.NodeEjected} {
		w.gauges.nodes.WithLabelValues(string(w.cfg.Chain), string(state)).Set(float64(count[state]))
	}
	w.nodes = now
	return w.cfg.Store.SaveNodes(ctx, w.cfg.Chain, now)
}
