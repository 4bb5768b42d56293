package quorum_test

import (
	"context"
	"strings"
	"sync/atomic"

	"strongroom/chainadapters"
	"strongroom/money"
)

// lie is one way in which a node deceives. All liars of a test tell the same.
type lie int32

const (
	truth      lie = iota
	hash           // another hash for every height above 0
	logs           // a deposit that never was
	missing        // a deposit is left out
	receipt        // a failed transaction succeeded
	cost           // a transaction paid another fee
	denial         // a mined transaction is nowhere
	balance        // more than there is
	headTooFar     // blocks that nobody has
	headBack       // the head goes back by one
	forged         // content that is not what its hash says
	foreign        // another network
	finality       // a final block that is on no chain
	lies
)

func (l lie) String() string {
	return [...]string{
		"truth", "hash", "logs", "missing", "receipt", "cost", "denial", "balance", "head too far", "head back", "forged", "foreign", "finality",
	}[l]
}

// scripted is a node that lies when told to. Its truth is that of the adapter.
type scripted struct {
	chainadapters.Adapter
	lie   atomic.Int32
	calls atomic.Int32
	stall chan struct{} // where not nil, no call ends before it is closed
}

func node(a chainadapters.Adapter) *scripted { return &scripted{Adapter: a} }

func (s *scripted) tell(l lie)       { s.lie.Store(int32(l)) }
func (s *scripted) tells(l lie) bool { return lie(s.lie.Load()) == l }

func (s *scripted) enter() {
	s.calls.Add(1)
	if s.stall != nil {
		<-s.stall
	}
}

func (s *scripted) Identity(ctx context.Context) (chainadapters.Identity, error) {
	s.enter()
	if s.tells(foreign) {
		return chainadapters.Identity{}, chainadapters.ErrForeign
	}
	return s.Adapter.Identity(ctx)
}

func (s *scripted) twist(h chainadapters.Header) chainadapters.Header {
	if s.tells(hash) && h.Height > 0 {
		h.Hash = strings.Repeat("f", len(h.Hash))
	}
	return h
}

func (s *scripted) Head(ctx context.Context) (chainadapters.Header, error) {
	s.enter()
	h, err := s.Adapter.Head(ctx)
	switch {
	case err != nil:
	case s.tells(headTooFar):
		h.Height, h.Hash = h.Height+1_000_000, strings.Repeat("e", len(h.Hash))
	case s.tells(headBack) && h.Height > 1:
		return s.Adapter.HeaderAt(ctx, h.Height-2)
	}
	return s.twist(h), err
}

func (s *scripted) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	s.enter()
	h, err := s.Adapter.HeaderAt(ctx, height)
	return s.twist(h), err
}

func (s *scripted) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	s.enter()
	b, err := s.Adapter.Block(ctx, ref, contracts)
	switch {
	case err != nil || len(b.Movements) == 0:
	case s.tells(forged):
		return chainadapters.Block{}, chainadapters.ErrForged
	case s.tells(logs):
		more := b.Movements[0]
		more.Index += 7
		b.Movements = append(b.Movements, more)
	case s.tells(missing):
		b.Movements = b.Movements[1:]
	}
	return b, err
}

func (s *scripted) Statuses(ctx context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	s.enter()
	list, err := s.Adapter.Statuses(ctx, txids)
	for i := range list {
		switch mined := list[i].State == chainadapters.Mined; {
		case mined && s.tells(receipt):
			list[i].Success = !list[i].Success
		case mined && s.tells(cost):
			list[i].Fee = money.FromUint64(123_456_789)
		case mined && s.tells(denial):
			list[i] = chainadapters.TxStatus{TxID: list[i].TxID, State: chainadapters.Absent}
		}
	}
	return list, err
}

func (s *scripted) Holdings(ctx context.Context, q chainadapters.Holdings) (money.Units, error) {
	s.enter()
	sum, err := s.Adapter.Holdings(ctx, q)
	if err == nil && s.tells(balance) {
		return sum.Mul(2)
	}
	return sum, err
}

// Finalized calls the block two below the head final.
func (s *scripted) Finalized(ctx context.Context) (chainadapters.Ref, error) {
	s.enter()
	head, err := s.Adapter.Head(ctx)
	if err != nil {
		return chainadapters.Ref{}, err
	}
	if head.Height < 2 {
		return chainadapters.Ref{}, chainadapters.ErrNoFinality
	}
	h, err := s.Adapter.HeaderAt(ctx, head.Height-2)
	if s.tells(finality) {
		h.Hash = strings.Repeat("d", len(h.Hash))
	}
	return h.Ref, err
}
