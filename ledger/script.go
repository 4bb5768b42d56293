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

// script is what a batch does under the lock of the head, sent in one round
// trip: while it runs, nobody else can book.
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

// script prepares what is to be done with the encoded batch on this connection.
// Where on is given, it begins by taking the head there.
func (w *writer) script(ctx context.Context, conn *pgx.Conn, on *head) (script, error) {
	var s script
	add := func(what, sql string, rows int64, values [][]byte) error {
		statement, err := conn.Prepare(ctx, sql, sql)
		if err != nil {
			return fmt.Errorf("prepare to %s: %w", what, err)
		}
		s = append(s, step{what: what, statement: statement, values: values, formats: []int16{pgtype.BinaryFormatCode}, rows: rows})
		return nil
	}
	if on != nil {
		if err := add(takeTheHead, takeHead, 1, [][]byte{rawInt64(on.batch), rawInt64(on.seq), on.hash[:]}); err != nil {
			return nil, err
		}
	}
	if w.rows > 0 {
		values := [][]byte{w.accounts, w.starts, w.ends, w.latest, w.debits, w.credits, w.holds, w.announced}
		if err := add(updateTheBalances, updateBalances, w.changed, values); err != nil {
			return nil, err
		}
	}
	for _, q := range w.totals.QueuedQueries {
		if err := add("write totals", q.SQL, anyRows, nil); err != nil {
			return nil, err
		}
		last := &s[len(s)-1]
		var builder pgx.ExtendedQueryBuilder
		if err := builder.Build(conn.TypeMap(), last.statement, q.Arguments); err != nil {
			return nil, fmt.Errorf("encode totals: %w", err)
		}
		last.values, last.formats = builder.ParamValues, builder.ParamFormats
	}
	return s, nil
}

const (
	takeTheHead       = "take the head"
	updateTheBalances = "update balances"
)

func rawInt64(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } //nolint:gosec // same bits

// run sends the script and returns its first error.
func (s script) run(ctx context.Context, conn *pgconn.PgConn) error {
	p := conn.StartPipeline(ctx)
	for i := range s {
		p.SendQueryStatement(s[i].statement, s[i].values, s[i].formats, nil)
	}
	err := p.Sync()
	for i := 0; i < len(s) && err == nil; i++ {
		err = s[i].outcome(p)
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
