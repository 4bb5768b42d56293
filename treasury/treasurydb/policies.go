package treasurydb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
)

const policyColumns = `SELECT version, text, document, state, not_before, author, reason, request, outcome, created, COALESCE(published, 'epoch'),
	published IS NOT NULL FROM treasury.policy `

// InsertPolicy keeps a draft. Errors: treasury.ErrConflict where there is that version.
func InsertPolicy(ctx context.Context, db DB, p *treasury.PolicyRow) error {
	err := won(db.Exec(ctx, `INSERT INTO treasury.policy (version, text, document, state, not_before, author, reason, request, created, published)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		p.Version, p.Text, p.Document, p.State, p.NotBefore, p.Author, p.Reason, p.Request, p.Created, absent(p.Published)))
	if err != nil {
		return fmt.Errorf("keep policy %d: %w", p.Version, err)
	}
	return nil
}

// NewestPolicy is the highest version that anybody wrote; zero where there is none.
func NewestPolicy(ctx context.Context, db DB) (uint64, error) {
	var version uint64
	if err := db.QueryRow(ctx, `SELECT COALESCE(max(version), 0) FROM treasury.policy`).Scan(&version); err != nil {
		return 0, fmt.Errorf("read newest policy: %w", err)
	}
	return version, nil
}

// Policy reads a version, and locks it where that is asked. Whether its text is that of
// its document, whoever can read it says. Errors: treasury.ErrUnknown.
func Policy(ctx context.Context, db DB, version uint64, lock bool) (treasury.PolicyRow, error) {
	sql := policyColumns + `WHERE version = $1`
	if lock {
		sql += ` FOR UPDATE`
	}
	rows, err := db.Query(ctx, sql, version)
	if err != nil {
		return treasury.PolicyRow{}, fmt.Errorf("read policy %d: %w", version, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPolicy)
	if err != nil {
		return treasury.PolicyRow{}, fmt.Errorf("read policy %d: %w", version, known(err))
	}
	return p, nil
}

// Policies lists the newest versions first; of one state only where it is given.
func Policies(ctx context.Context, db DB, state treasury.PolicyState) ([]treasury.PolicyRow, error) {
	rows, err := db.Query(ctx, policyColumns+`WHERE $1 = '' OR state = $1 ORDER BY version DESC LIMIT $2`, state, treasury.MaxPage)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanPolicy)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list, nil
}

func scanPolicy(row pgx.CollectableRow) (treasury.PolicyRow, error) {
	var p treasury.PolicyRow
	var published time.Time
	var was bool
	err := row.Scan(&p.Version, &p.Text, &p.Document, &p.State, &p.NotBefore, &p.Author, &p.Reason, &p.Request, &p.Outcome, &p.Created, &published, &was)
	if err != nil {
		return p, fmt.Errorf("scan policy: %w", err)
	}
	p.Created, p.NotBefore = p.Created.UTC(), p.NotBefore.UTC()
	if was {
		p.Published = published.UTC()
	}
	return p, nil
}

// PolicyStep is what changes of a version.
type PolicyStep struct {
	To        treasury.PolicyState
	Request   string    // of Proposed
	Outcome   string    // of Dropped
	Published time.Time // of Published
}

// MovePolicy takes a version to another state. Errors: treasury.ErrConflict.
func MovePolicy(ctx context.Context, db DB, p *treasury.PolicyRow, step PolicyStep) error {
	request, published := p.Request, p.Published
	if step.Request != "" {
		request = step.Request
	}
	if !step.Published.IsZero() {
		published = step.Published
	}
	err := won(db.Exec(ctx, `UPDATE treasury.policy SET state = $3, request = $4, outcome = $5, published = $6 WHERE version = $1 AND state = $2`,
		p.Version, p.State, step.To, request, step.Outcome, absent(published)))
	if err != nil {
		return fmt.Errorf("move policy %d from %s to %s: %w", p.Version, p.State, step.To, err)
	}
	p.State, p.Request, p.Outcome, p.Published = step.To, request, step.Outcome, published
	return nil
}
