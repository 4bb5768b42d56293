package server

import (
	"context"
	"encoding/binary"
	"math"

	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

const streamBatches = 64 // taken from memory at once

// Events implements the service.
func (s *Server) Events(req *matchingv1.EventsRequest, stream grpc.ServerStreamingServer[matchingv1.EventBatch]) error {
	_, rights, no := s.caller(stream.Context())
	epoch, _ := s.cfg.Log.Leading()
	switch {
	case no != nil:
		return no.status()
	case !rights.Events:
		return refuse(matchingv1.Reason_REASON_FORBIDDEN, "the stream of all events").status()
	case req.GetEpoch() > epoch:
		return refuse(matchingv1.Reason_REASON_EPOCH, "epoch %d is not known here, %d is", req.GetEpoch(), epoch).status()
	}
	next := max(1, req.GetSeq())
	send := func(b *matchingv1.EventBatch) error {
		next = end(b)
		return stream.Send(&matchingv1.EventBatch{
			Version: b.GetVersion(), Epoch: b.GetEpoch(), First: b.GetFirst(), Count: b.GetCount(), Events: b.GetEvents(),
			Hash: b.GetHash(), Previous: b.GetPrevious(), Head: max(next-1, s.cfg.Machine.head()),
		})
	}
	for {
		batches, kept, changed := s.cfg.Machine.ring.from(next, streamBatches)
		for _, b := range batches {
			if err := send(b); err != nil {
				return err
			}
		}
		if len(batches) > 0 {
			continue
		}
		if no, ended := s.more(stream.Context(), next, kept, changed, send); no != nil {
			return no.status()
		} else if ended {
			return nil
		}
	}
}

// more waits for events, or has those sent that are no longer in memory. It reports
// whether the caller has gone.
func (s *Server) more(ctx context.Context, next uint64, kept bool, changed <-chan struct{}, send func(*matchingv1.EventBatch) error) (*refusal, bool) {
	if !kept {
		if s.cfg.History == nil {
			return refuse(matchingv1.Reason_REASON_NOT_KEPT, "event %d", next), false
		}
		if err := s.cfg.History.Batches(ctx, next, send); err != nil {
			return refuse(matchingv1.Reason_REASON_NOT_KEPT, "event %d: %v", next, err), false
		}
		return nil, false
	}
	select {
	case <-changed:
		return nil, false
	case <-ctx.Done():
		return nil, true
	case <-s.closing:
		return refuse(matchingv1.Reason_REASON_CLOSING, "the process ends"), false
	}
}

// head is the number of the newest event.
func (m *Machine) head() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq
}

// Configure implements the service.
func (s *Server) Configure(ctx context.Context, req *matchingv1.ConfigureRequest) (*matchingv1.ConfigureResponse, error) {
	_, rights, no := s.caller(ctx)
	var config engine.MarketConfig
	switch {
	case no != nil:
		return nil, no.status()
	case !rights.Operate:
		return nil, refuse(matchingv1.Reason_REASON_FORBIDDEN, "making markets").status()
	case req.GetVersion() != wire.Version:
		return nil, refuse(matchingv1.Reason_REASON_VERSION, "version %d", req.GetVersion()).status()
	case req.GetMarket() > math.MaxUint16 || wire.ReadConfig(req.GetConfig(), &config) != nil:
		return nil, refuse(matchingv1.Reason_REASON_MALFORMED, "market %d", req.GetMarket()).status()
	}
	a, no := s.ask(ctx, func(token uint64) []byte {
		return wire.AppendMarket(nil, token, engine.MarketID(req.GetMarket()), &config) //nolint:gosec // looked at above
	})
	if no != nil {
		return nil, no.status()
	}
	return &matchingv1.ConfigureResponse{Code: uint32(a.code), Seq: a.seq}, nil
}

// Depth implements the service.
func (s *Server) Depth(ctx context.Context, req *matchingv1.DepthRequest) (*matchingv1.DepthResponse, error) {
	if _, _, no := s.caller(ctx); no != nil {
		return nil, no.status()
	}
	if req.GetLevels() > maxLevels || req.GetMarket() > math.MaxUint16 {
		return nil, refuse(matchingv1.Reason_REASON_TOO_MANY, "%d prices of market %d", req.GetLevels(), req.GetMarket()).status()
	}
	id, n := engine.MarketID(req.GetMarket()), int(req.GetLevels()) //nolint:gosec // looked at above
	m := s.cfg.Machine
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &matchingv1.DepthResponse{
		Seq:  m.seq,
		Bids: levels(m.engine.Depth(id, engine.Buy, n, nil)),
		Asks: levels(m.engine.Depth(id, engine.Sell, n, nil)),
	}
	if r, ok := m.engine.(interface {
		MarketRow(id engine.MarketID) (engine.StateRow, bool)
	}); ok {
		var row engine.StateRow
		row, out.Made = r.MarketRow(id)
		out.State, out.UntilNs, out.Last = uint32(row.State), row.Time, row.Last
	}
	return out, nil
}

func levels(from []engine.DepthLevel) []*matchingv1.Level {
	out := make([]*matchingv1.Level, 0, len(from))
	for _, l := range from {
		out = append(out, &matchingv1.Level{Price: l.Price, Qty: l.Qty})
	}
	return out
}

// reads says why the caller may not see an account, nil if it may.
func (s *Server) reads(ctx context.Context, account uint32) *refusal {
	_, rights, no := s.caller(ctx)
	if no == nil && !rights.account(engine.AccountID(account)) && !rights.Operate {
		no = refuse(matchingv1.Reason_REASON_FORBIDDEN, "account %d", account)
	}
	return no
}

// Balances implements the service.
func (s *Server) Balances(ctx context.Context, req *matchingv1.BalancesRequest) (*matchingv1.BalancesResponse, error) {
	if no := s.reads(ctx, req.GetAccount()); no != nil {
		return nil, no.status()
	}
	if len(req.GetAssets()) > maxAssets {
		return nil, refuse(matchingv1.Reason_REASON_TOO_MANY, "%d assets", len(req.GetAssets())).status()
	}
	m := s.cfg.Machine
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &matchingv1.BalancesResponse{Seq: m.seq}
	for _, asset := range req.GetAssets() {
		var available, reserved engine.Amount
		if asset <= math.MaxUint16 {
			available, reserved = m.engine.Balance(engine.AccountID(req.GetAccount()), engine.AssetID(asset))
		}
		out.Balances = append(out.Balances, &matchingv1.Balance{Asset: asset, Available: amount(available), Reserved: amount(reserved)})
	}
	return out, nil
}

func amount(a engine.Amount) *matchingv1.Amount { return &matchingv1.Amount{Hi: a.Hi, Lo: a.Lo} }

// Orders implements the service.
func (s *Server) Orders(ctx context.Context, req *matchingv1.OrdersRequest) (*matchingv1.OrdersResponse, error) {
	if no := s.reads(ctx, req.GetAccount()); no != nil {
		return nil, no.status()
	}
	limit := int(req.GetLimit())
	if limit > maxOrders {
		return nil, refuse(matchingv1.Reason_REASON_TOO_MANY, "%d orders", limit).status()
	}
	if limit == 0 {
		limit = maxOrders
	}
	m := s.cfg.Machine
	m.mu.Lock()
	rows, seq := m.engine.Orders(engine.AccountID(req.GetAccount()), nil), m.seq
	m.mu.Unlock()
	out := &matchingv1.OrdersResponse{Seq: seq, More: len(rows) > limit}
	for i := range rows[:min(limit, len(rows))] {
		out.Orders = append(out.Orders, orderOf(&rows[i]))
	}
	return out, nil
}

func orderOf(r *engine.OrderRow) *matchingv1.Order {
	o := &matchingv1.Order{
		Order: uint64(r.Order), Market: uint32(r.Market), Side: uint32(r.Side), Type: uint32(r.Type), Flags: uint32(r.Flags),
		Price: r.Price, Limit: r.Limit, Trigger: r.Trigger, Qty: r.Qty, Shown: r.Shown, ExpiresNs: r.Expires, Sibling: uint64(r.Sibling),
	}
	if r.Key != (engine.Key{}) {
		o.ClientId = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Key.Hi), r.Key.Lo)
	}
	return o
}

// Status implements the service.
func (s *Server) Status(ctx context.Context, _ *matchingv1.StatusRequest) (*matchingv1.StatusResponse, error) {
	if _, _, no := s.caller(ctx); no != nil {
		return nil, no.status()
	}
	epoch, leading := s.cfg.Log.Leading()
	m := s.cfg.Machine
	m.mu.Lock()
	defer m.mu.Unlock()
	hash := m.sealer.settled()
	return &matchingv1.StatusResponse{
		Leading: leading, Epoch: epoch, Seq: m.seq, TimeNs: m.now, Sessions: uint32(len(m.sessions)), Hash: hash[:], //nolint:gosec // bounded
	}, nil
}
