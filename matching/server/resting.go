package server

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
)

const (
	restingRows = 8192 // orders of a chunk
	maxResting  = 4    // readers at once: each holds a copy of what waits
)

// Resting implements the service. The state is copied between two entries, and read
// beside the matching that goes on.
func (s *Server) Resting(req *matchingv1.RestingRequest, stream grpc.ServerStreamingServer[matchingv1.RestingChunk]) error {
	_, rights, no := s.caller(stream.Context())
	switch {
	case no != nil:
		return no.status()
	case !rights.Events:
		return refuse(matchingv1.Reason_REASON_FORBIDDEN, "what waits of everybody").status()
	case len(req.GetMarkets()) > math.MaxUint16:
		return refuse(matchingv1.Reason_REASON_TOO_MANY, "%d markets", len(req.GetMarkets())).status()
	case s.resting.Add(1) > maxResting:
		s.resting.Add(-1)
		return refuse(matchingv1.Reason_REASON_TOO_MANY, "%d read what waits", maxResting).status()
	}
	defer s.resting.Add(-1)
	chunks, err := s.cfg.Machine.resting(req.GetMarkets())
	if err != nil {
		return refuse(matchingv1.Reason_REASON_UNSPECIFIED, "%v", err).status()
	}
	for _, c := range chunks {
		if err := stream.Send(c); err != nil {
			return fmt.Errorf("send what waits: %w", err)
		}
	}
	return nil
}

// resting returns what waits on markets, on all of them where none are named.
func (m *Machine) resting(markets []uint32) ([]*matchingv1.RestingChunk, error) {
	moment, frozen, err := m.freeze()
	if err != nil {
		return nil, err
	}
	defer m.giveBack(frozen)
	rows := restingVisitor{only: markets, chunks: []*matchingv1.RestingChunk{{Moment: moment}}}
	frozen.Walk(&rows)
	return rows.chunks, nil
}

// freeze copies the engine's state between two entries.
func (m *Machine) freeze() (*matchingv1.RestingMoment, *engine.Frozen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.engine.(Durable)
	if !ok {
		return nil, nil, errNotDurable
	}
	spare := m.spare
	m.spare = nil
	hash := m.sealer.settled()
	return &matchingv1.RestingMoment{Seq: m.seq, Epoch: m.batch.epoch, TimeNs: m.now, Hash: hash[:]}, e.Freeze(spare), nil
}

// restingVisitor makes chunks of the orders that stand in books.
type restingVisitor struct {
	only   []uint32
	skip   bool // the market is not asked for
	chunks []*matchingv1.RestingChunk
}

// State implements engine.Visitor.
func (v *restingVisitor) State(row *engine.StateRow) {
	if row.Kind != engine.RowMarket {
		return
	}
	if v.skip = len(v.only) > 0 && !slices.Contains(v.only, uint32(row.Market)); v.skip {
		return
	}
	v.chunks = append(v.chunks, &matchingv1.RestingChunk{Market: &matchingv1.RestingMarket{
		Market: uint32(row.Market), State: uint32(row.State), UntilNs: row.Time, Last: row.Last,
	}})
}

// Order implements engine.Visitor.
func (v *restingVisitor) Order(row *engine.OrderRow) {
	if v.skip || row.Price == 0 || row.Shown == 0 {
		return
	}
	c := v.chunks[len(v.chunks)-1]
	if len(c.GetOrders()) == restingRows {
		c = &matchingv1.RestingChunk{}
		v.chunks = append(v.chunks, c)
	}
	price := row.Price
	if row.Side == engine.Sell {
		price = -price
	}
	c.Orders, c.Prices, c.Shown = append(c.Orders, uint64(row.Order)), append(c.Prices, price), append(c.Shown, uint64(row.Shown)) //nolint:gosec // above zero
}

// Money implements engine.Visitor.
func (*restingVisitor) Money(*engine.MoneyRow) {}
