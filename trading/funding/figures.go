package funding

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/trading"
)

// countWithin bounds how long a scrape waits for the count of transfers.
const countWithin = 2 * time.Second

// underWay counts transfers when it is asked; one that stays long is one to look at.
type underWay struct {
	store         *Store
	count, oldest *prometheus.Desc
}

// Collector tells Prometheus how many transfers are under way, by direction, and the age
// of the oldest. Each look is one indexed read. Where that fails there are no figures.
func (s *Store) Collector() prometheus.Collector {
	return &underWay{
		store:  s,
		count:  prometheus.NewDesc("strongroom_transfers_under_way", "Transfers between funding and trading that have not ended.", []string{"direction"}, nil),
		oldest: prometheus.NewDesc("strongroom_transfers_oldest_seconds", "Age of the oldest transfer that has not ended, zero for none.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (u *underWay) Describe(out chan<- *prometheus.Desc) { out <- u.count; out <- u.oldest }

// Collect implements prometheus.Collector.
func (u *underWay) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	var in, back int64
	var since *time.Time
	err := u.store.cfg.Pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE direction = $1), count(*) FILTER (WHERE direction = $2), min(created_at)
		FROM funding.request WHERE state = 'pending'`, string(trading.ToTrading), string(trading.ToFunding)).Scan(&in, &back, &since)
	if err != nil {
		return
	}
	age := 0.0
	if since != nil {
		age = max(u.store.cfg.Clock().Sub(*since).Seconds(), 0)
	}
	out <- prometheus.MustNewConstMetric(u.count, prometheus.GaugeValue, float64(in), string(trading.ToTrading))
	out <- prometheus.MustNewConstMetric(u.count, prometheus.GaugeValue, float64(back), string(trading.ToFunding))
	out <- prometheus.MustNewConstMetric(u.oldest, prometheus.GaugeValue, age)
}
