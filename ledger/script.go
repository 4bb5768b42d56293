package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// script is statements that are sent in one round trip. What a batch does under
// the lock of the head is one script: while it runs, nobody else can book.
type script []step

type step struct {
	what      string
	statement *pgconn.StatementDescription
	values    [][]byte
	formats   []int16
	rows      int64 // that it must change; anyRows where that is not known
}

const anyRows = -1

// takeHead locks the head where it is as expected. It raises an error where
// somebody else has it or has moved it, so that nothing after it runs.
const takeHead = `
SELECT 1 / count(*) FROM (SELECT FROM ledger.head WHERE batch = $1 AND seq = $2 AND hash = $3 FOR UPDATE NOWAIT) AS h`

// Errors of takeHead.
const (
	lockNotAvailable = "55P03"
	divisionByZero   = "22012"
)

// add appends a statement, prepared on this connection.
func (s *script) add(ctx context.Context, conn *pgx.Conn, next step, sql string) error {
	statement, err := conn.Prepare(ctx, sql, sql)
	if err != nil {
		return fmt.Errorf("prepare to %s: %w", next.what, err)
	}
	next.statement = statement
	*s = append(*s, next)
	return nil
}

// balances appends what changes them, where anything does.
func (s *script) balances(ctx context.Context, conn *pgx.Conn, b *balances) error {
	if b.count == 0 {
		return nil
	}
	return s.add(ctx, conn, step{what: updateTheBalances, values: b.parameters(), formats: allBinary(), rows: b.count}, updateBalances)
}

// ahead prepares what needs no lock of the head: nobody else changes these rows
// before the batch below has landed.
func (w *writer) ahead(ctx context.Context, conn *pgx.Conn) (s script, err error) {
	return s, s.balances(ctx, conn, &w.early)
}

// script prepares the rest of what is to be done with the encoded batch on this
// connection. Where on is given, it begins by taking the head there.
func (w *writer) script(ctx context.Context, conn *pgx.Conn, on *head) (script, error) {
	var s script
	if on != nil {
		take := step{what: takeTheHead, values: [][]byte{rawInt64(on.batch), rawInt64(on.seq), on.hash[:]}, formats: allBinary(), rows: 1}
		if err := s.add(ctx, conn, take, takeHead); err != nil {
			return nil, err
		}
	}
	if err := s.balances(ctx, conn, &w.late); err != nil {
		return nil, err
	}
	for _, q := range w.totals.QueuedQueries {
		if err := s.query(ctx, conn, q); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *script) query(ctx context.Context, conn *pgx.Conn, q *pgx.QueuedQuery) error {
	if err := s.add(ctx, conn, step{what: "write totals", rows: anyRows}, q.SQL); err != nil {
		return err
	}
	last := &(*s)[len(*s)-1]
	var builder pgx.ExtendedQueryBuilder
	if err := builder.Build(conn.TypeMap(), last.statement, q.Arguments); err != nil {
		return fmt.Errorf("encode totals: %w", err)
	}
	last.values, last.formats = builder.ParamValues, builder.ParamFormats
	return nil
}

// allBinary is the format of parameters that are encoded here.
func allBinary() []int16 { return []int16{pgtype.BinaryFormatCode} }

const (
	takeTheHead       = "take the head"
	updateTheBalances = "update balances"
)

func rawInt64(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } //nolint:gosec // same bits

// run sends the script and returns its first error.
func (s *script) run(ctx context.Context, conn *pgconn.PgConn) error {
	if len(*s) == 0 {
		return nil
	}
	p := conn.StartPipeline(ctx)
	for _, next := range *s {
		p.SendQueryStatement(next.statement, next.values, next.formats, nil)
	}
	err := p.Sync()
	for i := 0; i < len(*s) && err == nil; i++ {
		err = (*s)[i].outcome(p)
	}
	if closed := p.Close(); err == nil && closed != nil {
		err = fmt.Errorf("end script: %w", closed)
	}
	return err
}

func (s *step) outcome(p *pgconn.Pipeline) error {
	tag, err := tagOf(p)
	var refused *pgconn.PgError
	switch {
	case s.what == takeTheHead && errors.As(err, &refused) && (refused.Code == lockNotAvailable || refused.Code == divisionByZero):
		return errOvertaken
	case err != nil:
		return fmt.Errorf("%s: %w", s.what, err)
	case s.rows != anyRows && tag.RowsAffected() != s.rows:
		return fmt.Errorf("%s: %d rows instead of %d: %w", s.what, tag.RowsAffected(), s.rows, errLostUpdate)
	}
	return nil
}

var errNoResult = errors.New("server answered something else")

func tagOf(p *pgconn.Pipeline) (pgconn.CommandTag, error) {
	results, err := p.GetResults()
	if err != nil {
		return pgconn.CommandTag{}, err //nolint:wrapcheck // the caller names the step
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return pgconn.CommandTag{}, errNoResult
	}
	return reader.Close() //nolint:wrapcheck // the caller names the step
}
