package live

import (
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/feed"
)

// figures are what a Live tells Prometheus.
type figures struct {
	events, resnapshots prometheus.Counter
	lacking             prometheus.Gauge
}

func newFigures(r prometheus.Registerer, l *Live) *figures {
	f := &figures{
		events:      prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_feed_events_total", Help: "Events of the shard that were taken in."}),
		lacking:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_feed_lacking", Help: "1 while candles lack trades that no node keeps, until the store has them."}),
		resnapshots: prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_feed_resnapshots_total", Help: "How often the books were read anew."}),
	}
	if r == nil {
		return f
	}
	served := func(name, help string, of func(feed.Served) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "strongroom_feed_" + name, Help: help}, func() float64 {
			sum := uint64(0)
			for _, m := range l.markets {
				sum += of(m.feed.Served())
			}
			return float64(sum)
		})
	}
	for _, c := range []prometheus.Collector{
		f.events, f.resnapshots, f.lacking,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "strongroom_feed_lag_seconds", Help: "Age of the newest event by the shard's time."}, func() float64 {
			age, _ := l.Behind()
			return age.Seconds()
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "strongroom_feed_live", Help: "1 while the shard is followed."}, func() float64 {
			if _, live := l.Behind(); live {
				return 1
			}
			return 0
		}),
		served("messages_total", "Messages to readers.", func(s feed.Served) uint64 { return s.Messages }),
		served("wholes_total", "Messages with the whole book.", func(s feed.Served) uint64 { return s.Wholes }),
		served("conflated_total", "Messages with the changes of several batches.", func(s feed.Served) uint64 { return s.Conflated }),
	} {
		_ = r.Register(c) // one that is there already is another Live's, in tests
	}
	return f
}
