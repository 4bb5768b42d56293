package treasurydb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/pg"
	"strongroom/treasury"
	"strongroom/treasury/consent"
)

// InsertApproval keeps a signed word that counted, with the counter of its passkey where
// it has one. Errors: treasury.ErrConflict where the person said it before, or the counter
// was used.
func InsertApproval(ctx context.Context, db DB, request string, s *treasury.Signed, count *consent.Count) error {
	a, digest := &s.Approval, s.Digest()
	err := won(db.Exec(ctx, `INSERT INTO treasury.approval (request, person, key, scheme, verdict, reason, at, payload, signature, digest, name, came)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		request, a.Person, a.Key, a.Scheme, a.Verdict, a.Reason, a.At, a.Payload, a.Signature, digest[:], s.Name, s.Came))
	if err != nil {
		return fmt.Errorf("keep approval of %s: %w", a.Person, err)
	}
	if count == nil || count.Count == 0 {
		return nil
	}
	err = won(db.Exec(ctx, `INSERT INTO treasury.passkey_count (person, key, count, digest) VALUES ($1, $2, $3, $4)`,
		count.Person, count.Key, count.Count, count.Approval[:]))
	if err != nil {
		return fmt.Errorf("keep counter of %s's key %s: %w", count.Person, count.Key, err)
	}
	return nil
}

// attachSigned reads what was signed for some requests. A word whose digest is not that of
// what it says is left out: it counts for nothing.
func attachSigned(ctx context.Context, db DB, requests []*Row) error {
	if len(requests) == 0 {
		return nil
	}
	by, list := make(map[string]*Row, len(requests)), make([]string, len(requests))
	for at, r := range requests {
		by[r.ID], list[at] = r, r.ID
	}
	rows, err := db.Query(ctx, `SELECT request, person, key, scheme, verdict, reason, at, payload, signature, digest, name, came
		FROM treasury.approval WHERE request = ANY($1) ORDER BY seq`, list)
	if err != nil {
		return fmt.Errorf("read approvals: %w", err)
	}
	var id string
	var digest []byte
	var s treasury.Signed
	_, err = pgx.ForEachRow(rows, []any{
		&id, &s.Person, &s.Key, &s.Scheme, &s.Verdict, &s.Reason, &s.At, &s.Payload, &s.Signature, &digest, &s.Name, &s.Came,
	}, func() error {
		if is := s.Digest(); string(is[:]) == string(digest) {
			signed := s
			signed.Came = s.Came.UTC()
			by[id].Signed = append(by[id].Signed, signed)
		}
		s.Payload, s.Signature, digest = nil, nil, nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("read approvals: %w", err)
	}
	return nil
}

// Fresh holds a counter against all before it: it is higher, or it is the very approval
// that used it. A passkey that has counted does not stop to. Errors: consent.ErrCloned.
// The transaction has Lock on the person.
func Fresh(ctx context.Context, db DB, c *consent.Count) error {
	var highest uint32
	var digest []byte
	err := db.QueryRow(ctx, `SELECT COALESCE((SELECT max(count) FROM treasury.passkey_count WHERE person = $1 AND key = $2), 0),
		(SELECT digest FROM treasury.passkey_count WHERE person = $1 AND key = $2 AND count = $3)`,
		c.Person, c.Key, c.Count).Scan(&highest, &digest)
	switch {
	case err != nil:
		return fmt.Errorf("read counter of %s's key %s: %w", c.Person, c.Key, err)
	case string(digest) == string(c.Approval[:]):
		return nil
	case digest != nil:
		return fmt.Errorf("%w: %d was used by another approval", consent.ErrCloned, c.Count)
	case highest > 0 && c.Count <= highest:
		return fmt.Errorf("%w: it is %d, and was %d", consent.ErrCloned, c.Count, highest)
	}
	return nil
}

// KeyUses lists keys that ever said something that counted.
func KeyUses(ctx context.Context, db DB) ([]treasury.KeyUse, error) {
	rows, err := db.Query(ctx, `SELECT a.person, a.key, COALESCE((SELECT max(count) FROM treasury.passkey_count c
			WHERE c.person = a.person AND c.key = a.key), 0), max(a.came)
		FROM treasury.approval a GROUP BY a.person, a.key ORDER BY a.person, a.key`)
	if err != nil {
		return nil, fmt.Errorf("list uses of keys: %w", err)
	}
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[treasury.KeyUse])
	if err != nil {
		return nil, fmt.Errorf("list uses of keys: %w", err)
	}
	return uses, nil
}

// InsertRoster keeps a version. Errors: treasury.ErrConflict.
func InsertRoster(ctx context.Context, db DB, r *treasury.RosterRow) error {
	err := won(db.Exec(ctx, `INSERT INTO treasury.roster (version, signed, document, came) VALUES ($1, $2, $3, $4)`,
		r.Version, r.Signed, r.Document, r.Came))
	if err != nil {
		return fmt.Errorf("keep roster %d: %w", r.Version, err)
	}
	return nil
}

// Roster reads a version. Errors: treasury.ErrUnknown.
func Roster(ctx context.Context, db DB, version uint64) (treasury.RosterRow, error) {
	r := treasury.RosterRow{Version: version}
	err := db.QueryRow(ctx, `SELECT signed, document, came FROM treasury.roster WHERE version = $1`, version).Scan(&r.Signed, &r.Document, &r.Came)
	if err != nil {
		return treasury.RosterRow{}, fmt.Errorf("read roster %d: %w", version, known(err))
	}
	r.Came = r.Came.UTC()
	return r, nil
}

// Conflict reports whether an error is that somebody else was first, in either's words.
func Conflict(err error) bool { return errors.Is(err, treasury.ErrConflict) || pg.IsUnique(err) }

// Micro is a time as rows keep it.
func Micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
