package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Attachment writes domain rows in the SQL transaction that books a transaction:
// either both are kept or neither. It runs once the transaction is known to be
// bookable and before its rows are written, under a savepoint of its own. It may
// run again where the batch had to be repeated, so it must act only through tx.
// It holds up every other booking while it runs: keep it to a few statements,
// and never wait in it for somebody who may be waiting for the ledger.
type Attachment func(ctx context.Context, tx pgx.Tx) error

// request is one caller's wish, as it goes through the queue.
type request struct {
	ctx         context.Context //nolint:containedctx // values for attachments; the caller waits
	tx          Transaction
	hash        [sha256.Size]byte
	attachments []Attachment
	attestation *Attestation
	taken       atomic.Bool // by the committer, or by a caller who gave up
	done        chan struct{}

	// The outcome, for the committer to fill in.
	receipt Receipt
	err     error
}

// Post books tx with its attachments. A repeated call with the same content
// answers with the first receipt and does not run the attachments. It returns
// after the database has committed.
//
// Errors: ErrInvalid, ErrConflict, ErrAccountUnknown, ErrAssetMismatch,
// ErrInsufficient, ErrLimit, ErrPendingUnknown, ErrPendingResolved,
// ErrPendingExpired, ErrExceedsPending, ErrUnattested, ErrOverloaded, ErrClosed,
// the error of ctx where it ended before the booking began, and whatever an
// attachment returned: nothing was booked. Any other error leaves the outcome
// unknown; ask again with the same id.
func (l *Ledger) Post(ctx context.Context, tx Transaction, with ...Attachment) (Receipt, error) {
	if err := tx.validate(); err != nil {
		return Receipt{}, fmt.Errorf("post %.100q: %w", tx.ID, err)
	}
	return l.post(ctx, tx, with)
}

func (l *Ledger) post(ctx context.Context, tx Transaction, with []Attachment) (Receipt, error) {
	tx.EventTime = tx.EventTime.Truncate(time.Microsecond)
	r := &request{ctx: ctx, tx: tx, hash: tx.requestHash(), attachments: with, done: make(chan struct{})}
	if err := l.await(ctx, r); err != nil {
		return Receipt{}, fmt.Errorf("post %s: %w", tx.ID, err)
	}
	return r.receipt, nil
}

// Attest records what a source saw of an asset outside the book. It returns
// ErrInvalid, ErrLimit, or ErrStale where value left since the source looked:
// look again.
func (l *Ledger) Attest(ctx context.Context, a Attestation) error {
	if err := a.validate(); err != nil {
		return fmt.Errorf("attest %.40q: %w", a.Asset, err)
	}
	r := &request{ctx: ctx, attestation: &a, done: make(chan struct{})}
	if err := l.await(ctx, r); err != nil {
		return fmt.Errorf("attest %s: %w", a.Asset, err)
	}
	return nil
}

// await queues r and returns its outcome. A ctx that ends while r waits takes it
// back; once the committer has it, the outcome is awaited, which BatchTime
// bounds.
func (l *Ledger) await(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before it was queued: %w", err)
	}
	if err := l.enqueue(r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if r.taken.CompareAndSwap(false, true) {
		return fmt.Errorf("while it was queued: %w", ctx.Err())
	}
	<-r.done
	return r.err
}
