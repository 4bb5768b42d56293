package ledger

import "github.com/jackc/pgx/v5/pgtype"

// balances are rows of ledger.balance to be changed, column by column, as
// parameters of updateBalances.
type balances struct {
	count            int64
	accounts, starts array
	ends, latest     array
	debits, credits  array
	holds, announced array
}

// updateBalances leaves an account alone that is at any other version than the
// book knew, which fails the batch.
const updateBalances = `
UPDATE ledger.balance b
   SET debits_posted = u.debits, credits_posted = u.credits, debits_pending = u.holds, credits_pending = u.announced,
       version = u.version, last_seq = u.seq
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[])
       AS u (account, start, version, seq, debits, credits, holds, announced)
 WHERE b.account = u.account AND b.version = u.start`

// begin empties them and keeps their buffers.
func (s *balances) begin() {
	s.count = 0
	for _, column := range [...]*array{&s.accounts, &s.starts, &s.ends, &s.latest} {
		*column = newArray(column.buf, pgtype.Int8OID)
	}
	for _, column := range [...]*array{&s.debits, &s.credits, &s.holds, &s.announced} {
		*column = newArray(column.buf, pgtype.NumericOID)
	}
}

func (s *balances) add(a *account) {
	s.count++
	s.accounts.int64(a.no)
	s.starts.int64(a.roundStart)
	s.ends.int64(a.state.version)
	s.latest.int64(a.state.last)
	s.debits.units(a.state.debits)
	s.credits.units(a.state.credits)
	s.holds.units(a.state.debitsHeld)
	s.announced.units(a.state.creditsAhead)
}

func (s *balances) parameters() [][]byte {
	return [][]byte{
		s.accounts.done(), s.starts.done(), s.ends.done(), s.latest.done(),
		s.debits.done(), s.credits.done(), s.holds.done(), s.announced.done(),
	}
}
