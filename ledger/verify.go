package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrChainBroken reports rows that are not those that were booked.
var ErrChainBroken = errors.New("hash chain is broken")

// Verified tells what VerifyChain has recomputed.
type Verified struct {
	Batches, Transactions, Transfers uint64
	// Head is the number of the last batch, Hash its place in the chain. Keep
	// them elsewhere: a chain that was rewritten as a whole has another hash.
	Head uint64
	Hash [sha256.Size]byte
}

// VerifyChain recomputes the hash chain from the stored rows, from the given
// batch on (0 or 1 for all of it). It returns ErrChainBroken, with the first
// batch that differs, where a row was edited, removed, added or moved.
func (l *Ledger) VerifyChain(ctx context.Context, from uint64) (Verified, error) {
	var v Verified
	err := pgx.BeginTxFunc(ctx, l.cfg.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		v, err = Verify(ctx, tx, from)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("verify chain: %w", err)
	}
	return v, nil
}

// Verify is VerifyChain within a transaction of the caller, who sees to it that
// all its reads see one moment (repeatable read).
func Verify(ctx context.Context, tx pgx.Tx, from uint64) (Verified, error) {
	if from > math.MaxInt64 {
		return Verified{}, invalid("batch %d", from)
	}
	c := checker{tx: tx, link: newLink()}
	if err := c.start(ctx, int64(max(from, 1))); err != nil {
		return Verified{}, err
	}
	for c.at.batch < c.end.batch {
		if err := c.batch(ctx); err != nil {
			return c.result(), err
		}
	}
	if c.at.hash != c.end.hash || c.at.seq != c.end.seq || !c.at.booked.Equal(c.end.booked) {
		return c.result(), broken(c.at.batch, "head does not agree with the last batch")
	}
	return c.result(), c.nothingBehind(ctx)
}

func broken(batch int64, format string, args ...any) error {
	return fmt.Errorf("%w at batch %d: %s", ErrChainBroken, batch, fmt.Sprintf(format, args...))
}

// checker walks the batches.
type checker struct {
	tx      pgx.Tx
	link    *link
	at, end head
	done    Verified
	buf     []byte
}

func (c *checker) result() Verified {
	c.done.Head, c.done.Hash = uint64(c.at.batch), c.at.hash //nolint:gosec // never negative
	return c.done
}

// start reads the head and the batch before the first one.
func (c *checker) start(ctx context.Context, first int64) error {
	var hash []byte
	err := c.tx.QueryRow(ctx, `SELECT batch, seq, booked, hash FROM ledger.head`).Scan(&c.end.batch, &c.end.seq, &c.end.booked, &hash)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	copy(c.end.hash[:], hash)
	if first == 1 {
		c.at.booked = time.Unix(0, 0)
		return nil
	}
	c.at.batch = first - 1
	var transfers int64
	err = c.tx.QueryRow(ctx, `SELECT first_seq, transfers, booked, hash FROM ledger.batch WHERE no = $1`, c.at.batch).
		Scan(&c.at.seq, &transfers, &c.at.booked, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return broken(c.at.batch, "no such batch")
	}
	if err != nil {
		return fmt.Errorf("read batch %d: %w", c.at.batch, err)
	}
	c.at.seq += transfers - 1
	copy(c.at.hash[:], hash)
	return nil
}

// batch recomputes the next batch.
func (c *checker) batch(ctx context.Context) error {
	no := c.at.batch + 1
	var stored []byte
	var booked time.Time
	var firstSeq, transfers, transactions, attestations int64
	err := c.tx.QueryRow(ctx, `SELECT booked, first_seq, transfers, transactions, attestations, hash FROM ledger.batch WHERE no = $1`, no).
		Scan(&booked, &firstSeq, &transfers, &transactions, &attestations, &stored)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return broken(no, "no such batch")
	case err != nil:
		return fmt.Errorf("read batch %d: %w", no, err)
	case firstSeq != c.at.seq+1:
		return broken(no, "starts at transfer %d, want %d", firstSeq, c.at.seq+1)
	case booked.Before(c.at.booked):
		return broken(no, "booked before the batch ahead of it")
	}
	c.link.start(c.at.hash, no, booked)
	counts := [...]struct {
		what string
		want int64
		read func(ctx context.Context, batch, first, count int64) (int64, error)
	}{
		{"transactions", transactions, c.transactions},
		{"transfers", transfers, c.transfers},
		{"attestations", attestations, c.attestations},
	}
	for _, part := range counts {
		n, err := part.read(ctx, no, firstSeq, transfers)
		if err != nil {
			return fmt.Errorf("read %s of batch %d: %w", part.what, no, err)
		}
		if n != part.want {
			return broken(no, "%d %s, want %d", n, part.what, part.want)
		}
	}
	sum := c.link.sum()
	if !bytes.Equal(sum[:], stored) {
		return broken(no, "its rows do not give its hash")
	}
	c.at = head{batch: no, seq: c.at.seq + transfers, booked: booked, hash: sum}
	c.done.Batches++
	c.done.Transactions += uint64(transactions) //nolint:gosec // CHECKed by the database
	c.done.Transfers += uint64(transfers)       //nolint:gosec // CHECKed by the database
	return nil
}

// transactions digests the headings of one batch.
func (c *checker) transactions(ctx context.Context, batch, first, count int64) (n int64, err error) {
	rows, err := c.tx.Query(ctx, `
SELECT seq, id, batch, legs, request_hash, event_time, metadata FROM ledger.transaction WHERE seq >= $1 AND seq < $2 ORDER BY seq`, first, first+count)
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	var h heading
	var no int64
	var hash, metadata []byte
	var event *time.Time
	tx := &Transaction{}
	h.tx = tx
	_, err = pgx.ForEachRow(rows, []any{&h.seq, &tx.ID, &no, &h.legs, &hash, &event, &metadata}, func() error {
		n++
		copy(h.hash[:], hash)
		tx.EventTime, h.metadata = orZero(event), nil
		if metadata != nil {
			var m map[string]string
			if err := json.Unmarshal(metadata, &m); err != nil {
				return broken(batch, "metadata of %q is not a map of strings", tx.ID)
			}
			h.metadata = metadataJSON(m)
		}
		c.buf = h.append(c.buf[:0], no)
		c.link.transaction(c.buf)
		return nil
	})
	return n, err //nolint:wrapcheck // wrapped by the caller
}

const selectChainTransfers = `
SELECT t.seq, t.batch, t.transaction, t.id, t.kind, d.no, d.id, d.asset, d.class, c.no, c.id, c.asset, c.class,
       t.amount, coalesce(t.pending, 0), t.expires,
       t.debit_version, t.debit_prev, t.debit_debits, t.debit_credits, t.debit_holds, t.debit_announced,
       t.credit_version, t.credit_prev, t.credit_debits, t.credit_credits, t.credit_holds, t.credit_announced
  FROM ledger.transfer t
  JOIN ledger.account d ON d.no = t.debit
  JOIN ledger.account c ON c.no = t.credit
 WHERE t.seq >= $1 AND t.seq < $2 ORDER BY t.seq`

// transfers digests the rows of one batch.
func (c *checker) transfers(ctx context.Context, _, first, count int64) (n int64, err error) {
	rows, err := c.tx.Query(ctx, selectChainTransfers, first, first+count)
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	r := row{debit: &account{}, credit: &account{}}
	d, a := &r.debitAfter, &r.creditAfter
	var expires *time.Time
	_, err = pgx.ForEachRow(rows, []any{
		&r.seq, &r.batch, &r.transaction, &r.id, &r.kind,
		&r.debit.no, &r.debit.id, &r.debit.asset, &r.debit.class, &r.credit.no, &r.credit.id, &r.credit.asset, &r.credit.class,
		&r.amount, &r.pending, &expires,
		&d.version, &r.debitPrev, &d.debits, &d.credits, &d.debitsHeld, &d.creditsAhead,
		&a.version, &r.creditPrev, &a.debits, &a.credits, &a.debitsHeld, &a.creditsAhead,
	}, func() error {
		n++
		r.expires = orZero(expires)
		c.buf = r.append(c.buf[:0])
		c.link.transfer(c.buf, r.debit, r.credit)
		return nil
	})
	return n, err //nolint:wrapcheck // wrapped by the caller
}

func (c *checker) attestations(ctx context.Context, batch, _, _ int64) (n int64, err error) {
	rows, err := c.tx.Query(ctx, `SELECT asset, source, amount, evidence, outflows FROM ledger.attestation WHERE batch = $1 ORDER BY ordinal`, batch)
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	var a Attestation
	_, err = pgx.ForEachRow(rows, []any{&a.Asset, &a.Source, &a.Amount, &a.Evidence, &a.Outflows}, func() error {
		n++
		c.link.attestation(&a)
		return nil
	})
	return n, err //nolint:wrapcheck // wrapped by the caller
}

// nothingBehind looks for rows after the head or outside every batch.
func (c *checker) nothingBehind(ctx context.Context) error {
	var stray int64
	err := c.tx.QueryRow(ctx, `
SELECT (SELECT count(*) FROM ledger.batch WHERE no > $1 OR no < 1)
     + (SELECT count(*) FROM ledger.transfer WHERE seq > $2 OR seq < 1)
     + (SELECT count(*) FROM ledger.transaction WHERE seq > $2 OR seq < 1)
     + (SELECT count(*) FROM ledger.attestation WHERE batch > $1 OR batch < 1)`, c.end.batch, c.end.seq).Scan(&stray)
	if err != nil {
		return fmt.Errorf("look behind the head: %w", err)
	}
	if stray > 0 {
		return broken(c.end.batch, "%d rows lie behind it", stray)
	}
	return nil
}
