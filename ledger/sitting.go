package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// sitting judges the requests of one batch, in the order in which they came.
type sitting struct {
	book  *book
	tx    pgx.Tx
	now   time.Time
	known known
	// doubtful were refused before anybody looked whether they had been booked
	// already: a repeated post of a pending transfer must not be told that the
	// transfer is resolved.
	doubtful []*request
	// impatient is set once attachments wait for locks only so long.
	impatient bool
}

// lockPatience keeps an attachment that meets a lock from holding up everybody.
const lockPatience = `SET LOCAL lock_timeout = '5s'`

// judge fills in the outcome of each request. An error means that the SQL
// transaction is of no use any more.
func (s *sitting) judge(ctx context.Context, batch []*request, mode int) error {
	probed, err := s.probeFirst(ctx, batch, mode)
	if err != nil {
		return err
	}
	for _, r := range batch {
		r.receipt, r.err = Receipt{}, nil // of an earlier try
		if r.attestation != nil {
			r.err = s.book.attest(r.attestation)
			continue
		}
		if err := s.judgeOne(ctx, r, probed || len(r.attachments) > 0); err != nil {
			return err
		}
	}
	return s.settleDoubts(ctx, s.tx)
}

// judgeKnown fills in the outcome of a request where that needs no database, and
// tells whether it did. What is doubtful is settled later, when there is an SQL
// transaction to ask in.
func (s *sitting) judgeKnown(r *request) bool {
	switch {
	case r.attestation != nil:
		if s.book.positions[r.attestation.Asset] == nil {
			return false
		}
		r.err = s.book.attest(r.attestation)
		return true
	case len(r.attachments) > 0:
		return false
	}
	s.rule(r, true)
	if errors.Is(r.err, ErrAccountUnknown) || errors.Is(r.err, ErrPendingUnknown) {
		r.err = nil // to the book; the database may know
		return false
	}
	if r.err != nil && !errors.Is(r.err, ErrConflict) {
		s.doubtful = append(s.doubtful, r)
	}
	return true
}

// probeFirst looks up the ids of all requests, or only of those whose
// attachments must not run twice.
func (s *sitting) probeFirst(ctx context.Context, batch []*request, mode int) (all bool, err error) {
	ask := make([]*request, 0, len(batch))
	for _, r := range batch {
		if r.attestation == nil && (mode == probing || len(r.attachments) > 0) {
			ask = append(ask, r)
		}
	}
	if len(ask) > 0 {
		s.known, err = probe(ctx, s.tx, ask)
	}
	return mode == probing, err
}

func (s *sitting) judgeOne(ctx context.Context, r *request, probed bool) error {
	m := s.book.mark()
	if !s.rule(r, probed) {
		return nil
	}
	return s.attach(ctx, r, m)
}

// rule reports whether r was booked in the book just now.
func (s *sitting) rule(r *request, probed bool) bool {
	if found, ok := s.book.booked.find(r.tx.ID); ok {
		r.repeat(found)
		return false
	}
	if found, ok := s.known.transactions[r.tx.ID]; ok {
		r.repeat(found)
		return false
	}
	if id, used := usedTransfer(r, s.book.ids, s.known.transfers); used {
		r.err = fmt.Errorf("transfer id %q: %w", id, ErrConflict)
		return false
	}
	if r.err = s.book.apply(&r.tx, r.hash, s.now); r.err != nil {
		if !probed {
			s.doubtful = append(s.doubtful, r)
		}
		return false
	}
	r.receipt = Receipt{ID: r.tx.ID, Batch: uint64(s.book.batch), Booked: s.now} //nolint:gosec // never negative
	return true
}

// usedTransfer finds a leg whose id another transaction has used.
func usedTransfer(r *request, sets ...map[TransferID]struct{}) (TransferID, bool) {
	for i := range r.tx.Legs {
		for _, set := range sets {
			if _, used := set[r.tx.Legs[i].ID]; used {
				return r.tx.Legs[i].ID, true
			}
		}
	}
	return "", false
}

// attach runs r's attachments under a savepoint. Where one fails, the booking is
// undone with it; where the savepoint cannot be left, the batch is lost.
func (s *sitting) attach(ctx context.Context, r *request, m mark) error {
	if len(r.attachments) == 0 {
		return nil
	}
	if !s.impatient {
		if _, err := s.tx.Exec(ctx, lockPatience); err != nil {
			return fmt.Errorf("set lock timeout: %w", err)
		}
		s.impatient = true
	}
	nested, err := s.tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("set savepoint: %w", err)
	}
	inherited, cancel := inherit(ctx, r.ctx)
	defer cancel()
	failed := runAttachments(inherited, nested, r.attachments)
	if failed == nil {
		if err := nested.Commit(ctx); err != nil {
			return fmt.Errorf("release savepoint: %w", err)
		}
		return nil
	}
	if err := nested.Rollback(ctx); err != nil {
		return errors.Join(fmt.Errorf("return to savepoint: %w", err), failed)
	}
	s.book.rollback(m)
	r.receipt, r.err = Receipt{}, failed
	return nil
}

// inherit gives the values of the caller's ctx and the end of the batch's. The
// caller's end must not reach the shared connection.
func inherit(batch, caller context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(caller))
	stop := context.AfterFunc(batch, cancel)
	return ctx, func() { stop(); cancel() }
}

// runAttachments runs them in order and turns a panic into an error: it is one
// caller's fault and must not end the bookings of the others.
func runAttachments(ctx context.Context, tx pgx.Tx, attachments []Attachment) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("attachment panicked: %v", p)
		}
	}()
	for _, attachment := range attachments {
		if err := attachment(ctx, tx); err != nil {
			return fmt.Errorf("attachment: %w", err)
		}
	}
	return nil
}

// settleDoubts looks the refused ids up and answers those that are repetitions.
// It leaves the book alone, which may be at a later batch by now.
func (s *sitting) settleDoubts(ctx context.Context, tx pgx.Tx) error {
	if len(s.doubtful) == 0 {
		return nil
	}
	found, err := probe(ctx, tx, s.doubtful)
	if err != nil {
		return err
	}
	for _, r := range s.doubtful {
		if before, ok := found.transactions[r.tx.ID]; ok {
			r.repeat(before)
		} else if id, used := usedTransfer(r, found.transfers); used {
			r.err = fmt.Errorf("transfer id %q: %w", id, ErrConflict)
		}
	}
	return nil
}

// repeat answers a request whose id was booked before.
func (r *request) repeat(found receipt) {
	if found.hash != r.hash {
		r.receipt, r.err = Receipt{}, ErrConflict
		return
	}
	r.err = nil
	r.receipt = Receipt{ID: r.tx.ID, Batch: uint64(found.batch), Booked: found.booked, Repeated: true} //nolint:gosec // never negative
}
