package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errLostUpdate reports that a row had another version than the book thought:
// somebody wrote without taking the head. The batch is given up.
var errLostUpdate = errors.New("account changed behind the ledger")

// writer encodes a batch and sends it. Its buffers are reused.
type writer struct {
	rows                    int
	early, late             balances
	totals                  *pgx.Batch
	link                    *link
	transfers, transactions []byte
}

func newWriter() *writer { return &writer{link: newLink()} }

const (
	copyTransfers    = "COPY ledger.transfer (" + transferColumns + ") FROM STDIN (FORMAT binary)"
	copyTransactions = "COPY ledger.transaction (" + transactionColumns + ") FROM STDIN (FORMAT binary)"
	copyTrailer      = "\xff\xff"
	moveHead         = `
WITH done AS (
  INSERT INTO ledger.batch (no, booked, first_seq, transfers, transactions, attestations, hash)
  VALUES ($1, $2, $3, $4, $5, $6, $7))
UPDATE ledger.head SET batch = $1, seq = $8, booked = $2, hash = $7`
	upsertPosition = `
INSERT INTO ledger.position (asset, liability_debits, liability_credits, outflow_sum, outflows, attested, shortfall)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (asset) DO UPDATE SET liability_debits = $2, liability_credits = $3, outflow_sum = $4,
       outflows = $5, attested = $6, shortfall = $7`
	upsertClaim = `
INSERT INTO ledger.attested (asset, source, amount, outflow_sum) VALUES ($1, $2, $3, $4)
    ON CONFLICT (asset, source) DO UPDATE SET amount = $3, outflow_sum = $4`
	insertAttestation = `
INSERT INTO ledger.attestation (batch, ordinal, asset, source, amount, evidence, outflows)
VALUES ($1, $2, $3, $4, $5, $6, $7)`
	insertExpiry = `INSERT INTO ledger.expiry (expires, pending) SELECT * FROM unnest($1::timestamptz[], $2::bigint[])`
	deleteExpiry = `
DELETE FROM ledger.expiry e USING unnest($1::timestamptz[], $2::bigint[]) AS u (expires, pending)
 WHERE e.expires = u.expires AND e.pending = u.pending`
)

// sendRows writes what is only ever added.
func (w *writer) sendRows(ctx context.Context, conn *pgconn.PgConn) error {
	if w.rows == 0 {
		return nil
	}
	if _, err := conn.CopyFrom(ctx, bytes.NewReader(w.transactions), copyTransactions); err != nil {
		return fmt.Errorf("write transactions: %w", err)
	}
	if _, err := conn.CopyFrom(ctx, bytes.NewReader(w.transfers), copyTransfers); err != nil {
		return fmt.Errorf("write transfers: %w", err)
	}
	return nil
}

// encode builds everything that is to be sent, so that the book can go on with
// the next batch, and returns the new head. Early are the balances of accounts
// that no round after landed has touched before this one.
func (w *writer) encode(b *book, before head, booked time.Time, landed int64) head {
	w.encodeRows(b, before, booked)
	w.encodeBalances(b, landed)
	after := head{batch: b.batch, seq: b.seq, booked: booked, hash: w.link.sum()}
	w.totals = totalsOf(b, before, after)
	return after
}

// encodeRows builds both COPY streams and the batch's hash in one pass.
func (w *writer) encodeRows(b *book, before head, booked time.Time) {
	w.rows = len(b.rows)
	w.link.start(before.hash, b.batch, booked)
	w.transactions = append(w.transactions[:0], copyHeader...)
	for i := range b.heads {
		from := len(w.transactions)
		w.transactions = b.heads[i].append(w.transactions, b.batch)
		w.link.transaction(w.transactions[from:])
	}
	w.transactions = append(w.transactions, copyTrailer...)
	w.transfers = append(w.transfers[:0], copyHeader...)
	for i := range b.rows {
		r := &b.rows[i]
		from := len(w.transfers)
		w.transfers = r.append(w.transfers)
		w.link.transfer(w.transfers[from:], r.debit, r.credit)
	}
	w.transfers = append(w.transfers, copyTrailer...)
	for _, a := range b.attestations {
		w.link.attestation(a)
	}
}

func (w *writer) encodeBalances(b *book, landed int64) {
	w.early.begin()
	w.late.begin()
	// In the order of their keys, the server finds them in half the time.
	b.sortTouched()
	for _, a := range b.touched {
		switch {
		case a.state.version == a.roundStart:
		case a.before <= landed:
			w.early.add(a)
		default:
			w.late.add(a)
		}
	}
}

// totalsOf queues everything but the transfers, for one round trip.
func totalsOf(b *book, before, after head) *pgx.Batch {
	batch := &pgx.Batch{}
	for _, p := range b.moved {
		t := &p.total
		batch.Queue(upsertPosition, p.asset, t.debits, t.credits, t.outflowSum, t.outflows, t.attested, t.shortfall)
	}
	for i, a := range b.attestations {
		batch.Queue(insertAttestation, b.batch, i, a.Asset, a.Source, a.Amount, a.Evidence, int64(a.Outflows)) //nolint:gosec // equals the position's count
		for _, c := range b.positions[a.Asset].claims {
			batch.Queue(upsertClaim, a.Asset, c.source, c.amount, c.outflowSum)
		}
	}
	b.queueExpiries(batch)
	batch.Queue(moveHead, after.batch, after.booked, before.seq+1, len(b.rows), len(b.heads), len(b.attestations), after.hash[:], after.seq)
	return batch
}

func (b *book) queueExpiries(batch *pgx.Batch) {
	var opened, ended []time.Time
	var openedSeq, endedSeq []int64
	for i := range b.rows {
		if r := &b.rows[i]; r.kind == Pending && !r.expires.IsZero() {
			opened, openedSeq = append(opened, r.expires), append(openedSeq, r.seq)
		}
	}
	for _, p := range b.undo.resolved {
		if !p.expires.IsZero() {
			ended, endedSeq = append(ended, p.expires), append(endedSeq, p.seq)
		}
	}
	if len(opened) > 0 {
		batch.Queue(insertExpiry, opened, openedSeq)
	}
	if len(ended) > 0 {
		batch.Queue(deleteExpiry, ended, endedSeq)
	}
}
