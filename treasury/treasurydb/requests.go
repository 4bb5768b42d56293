package treasurydb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// Row is a request with what only its keeper needs.
type Row struct {
	treasury.Request
	Round           int    // how often the same was asked
	Class, Selector string // as in treasury.Question
	Subject         string // the address book's entry or the policy's version
	Roster          uint64 // in force when it was asked
	// Asks is false where the policy allowed or denied by itself: Requirement is empty.
	Asks bool
}

const requestColumns = `r.id, r.round, r.intent, r.hash, r.class, r.selector, r.subject, r.roster, r.rule, r.sentence, r.requirement,
	r.notes, r.effect, r.created, r.expires, r.state, r.version, r.missing, COALESCE(r.ended, 'epoch'), r.ended IS NOT NULL, r.outcome, r.superseded, `

// Reads of one request, of a page, and of both with the row locked.
const (
	withPayload    = requestColumns + `r.payload FROM treasury.request r `
	withoutPayload = requestColumns + `''::bytea FROM treasury.request r `
)

// InsertRequest keeps a new request. Errors: treasury.ErrConflict where the intent has
// that round already.
func InsertRequest(ctx context.Context, db DB, r *Row) error {
	i := &r.Intent
	text, err := i.Canonical()
	if err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	requirement, missing, asked, err := asking(r)
	if err != nil {
		return err
	}
	notes, effect := r.Notes, r.Effect
	if notes == nil {
		notes = []treasury.Note{}
	}
	if effect == nil {
		effect = []string{}
	}
	payload := r.Payload
	if payload == nil {
		payload = []byte{}
	}
	err = won(db.Exec(ctx, `INSERT INTO treasury.request (id, intent_id, round, intent, hash, action, requester, chain, asset, amount, class,
			selector, subject, policy, roster, rule, sentence, requirement, notes, effect, payload, created, expires, state, missing, asked,
			ended, outcome)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
		r.ID, i.ID, r.Round, string(text), r.Hash[:], i.Action, i.Requester, i.Chain, i.Asset, i.Amount, r.Class,
		r.Selector, r.Subject, i.Policy, r.Roster, r.Rule, r.Sentence, requirement, notes, effect, payload, r.Created, r.Expires,
		r.State, missing, asked, absent(r.Ended), r.Outcome))
	if err != nil {
		return fmt.Errorf("keep request %s: %w", r.ID, err)
	}
	return nil
}

// asking is how a request says whom it asks.
func asking(r *Row) (requirement, missing string, asked []string, err error) {
	if !r.Asks {
		return "", "", []string{}, nil
	}
	text, err := json.Marshal(r.Requirement)
	if err != nil {
		return "", "", nil, fmt.Errorf("write requirement: %w", err)
	}
	if r.State != treasury.Waiting {
		return string(text), "", []string{}, nil
	}
	return string(text), r.Missing, r.Requirement.Groups(), nil
}

// Request reads one. The row is locked until the transaction ends where that is asked.
// Errors: treasury.ErrUnknown, treasury.ErrTampered.
func Request(ctx context.Context, db DB, id string, lock bool) (Row, error) {
	sql := `SELECT ` + withPayload + `WHERE r.id = $1`
	if lock {
		sql += ` FOR UPDATE`
	}
	return oneRequest(ctx, db, id, sql, id)
}

// LastRequest reads the newest one that asks for an intent's id. Errors as of Request.
func LastRequest(ctx context.Context, db DB, intentID string) (Row, error) {
	return oneRequest(ctx, db, intentID, `SELECT `+withPayload+`WHERE r.intent_id = $1 ORDER BY r.round DESC LIMIT 1`, intentID)
}

func oneRequest(ctx context.Context, db DB, name, sql string, args ...any) (Row, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return Row{}, fmt.Errorf("read request %s: %w", name, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRequest)
	if err != nil {
		return Row{}, fmt.Errorf("read request %s: %w", name, known(err))
	}
	if r.tampered != nil {
		return Row{}, fmt.Errorf("read request %s: %w", name, r.tampered)
	}
	if err := attachSigned(ctx, db, []*Row{&r.Row}); err != nil {
		return Row{}, err
	}
	return r.Row, nil
}

// scanned is a row, and why it is not to be believed.
type scanned struct {
	Row
	tampered error
}

func scanRequest(row pgx.CollectableRow) (scanned, error) {
	var s scanned
	var text, requirement string
	var hash []byte
	var ended time.Time
	var hasEnded bool
	r := &s.Row
	err := row.Scan(&r.ID, &r.Round, &text, &hash, &r.Class, &r.Selector, &r.Subject, &r.Roster, &r.Rule, &r.Sentence, &requirement,
		&r.Notes, &r.Effect, &r.Created, &r.Expires, &r.State, &r.Version, &r.Missing, &ended, &hasEnded, &r.Outcome, &r.Superseded, &r.Payload)
	if err != nil {
		return s, fmt.Errorf("scan request: %w", err)
	}
	if hasEnded {
		r.Ended = ended.UTC()
	}
	r.Created, r.Expires = r.Created.UTC(), r.Expires.UTC()
	if len(r.Payload) == 0 {
		r.Payload = nil
	}
	s.tampered = r.believe(text, requirement, hash)
	return s, nil
}

// believe reads what a hash speaks for, and holds the columns beside it against it.
func (r *Row) believe(text, requirement string, hash []byte) error {
	i, err := intent.Parse([]byte(text))
	if err != nil {
		return fmt.Errorf("%w: intent: %w", treasury.ErrTampered, err)
	}
	h, err := i.Hash()
	switch {
	case err != nil:
		return fmt.Errorf("%w: intent: %w", treasury.ErrTampered, err)
	case string(h[:]) != string(hash):
		return fmt.Errorf("%w: the hash of request %s is not that of its intent", treasury.ErrTampered, r.ID)
	case i.Expires != r.Expires.Unix() || i.Created != r.Created.Unix():
		return fmt.Errorf("%w: request %s has other times than its intent", treasury.ErrTampered, r.ID)
	}
	if requirement != "" {
		if r.Requirement, err = consent.ParseRequirement([]byte(requirement)); err != nil {
			return fmt.Errorf("%w: requirement: %w", treasury.ErrTampered, err)
		}
		r.Asks = true
	}
	r.Intent, r.Hash = i, h
	return nil
}

// absent is NULL for a zero time.
func absent(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Step is what changes of a request.
type Step struct {
	To      treasury.State
	Missing *consent.Requirement // of Waiting
	Outcome string               // of a state that is not open
	At      time.Time

	Superseded bool // of Cancelled
}

// MoveRequest takes a request from the state and version in which it was read to another,
// and sets them in r. Errors: treasury.ErrConflict.
func MoveRequest(ctx context.Context, db DB, r *Row, step Step) error {
	missing, asked := "", []string{}
	if step.To == treasury.Waiting && step.Missing != nil {
		missing, asked = step.Missing.String(), step.Missing.Groups()
	}
	var ended time.Time
	if !step.To.Open() {
		ended = step.At
	}
	err := won(db.Exec(ctx, `UPDATE treasury.request SET state = $4, version = version + 1, missing = $5, asked = $6, ended = $7, outcome = $8, superseded = $9,
			said = ARRAY(SELECT DISTINCT person FROM treasury.approval WHERE request = $1)
		WHERE id = $1 AND state = $2 AND version = $3`, r.ID, r.State, r.Version, step.To, missing, asked, absent(ended), step.Outcome, step.Superseded))
	if err != nil {
		return fmt.Errorf("move request %s from %s to %s: %w", r.ID, r.State, step.To, err)
	}
	r.State, r.Missing, r.Ended, r.Outcome, r.Superseded = step.To, missing, ended, step.Outcome, step.Superseded
	r.Version++
	return nil
}
