package candledb

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are what a writer tells Prometheus.
type figures struct{ events, candles, fills prometheus.Counter }

func newFigures(r prometheus.Registerer, shard int32) *figures {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Name: "strongroom_candles_" + name, Help: help, ConstLabels: prometheus.Labels{"shard": strconv.Itoa(int(shard))},
		})
		if r != nil {
			_ = r.Register(c) // one that is there already is another writer's, in tests
		}
		return c
	}
	return &figures{
		events:  counter("events_total", "Events whose trades are in candles."),
		candles: counter("rows_total", "Candles written, each time."),
		fills:   counter("filled_trades_total", "Trades taken from rows of settlement."),
	}
}

func (f *figures) wrote(events uint64, rows int) {
	f.events.Add(float64(events))
	f.candles.Add(float64(rows))
}

func (f *figures) filled(trades int) { f.fills.Add(float64(trades)) }
