package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/crash"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/treasurydb"
)

func isUnknown(err error) bool { return errors.Is(err, treasury.ErrUnknown) }

// Request implements treasury.Requests.
func (d *Desk) Request(ctx context.Context, id string) (treasury.Request, error) {
	row, err := treasurydb.Request(ctx, d.cfg.Pool, id, false)
	if err != nil {
		return row.Request, err
	}
	row.Told, row.LastTold, err = treasurydb.Told(ctx, d.cfg.Pool, id)
	return row.Request, err
}

// List implements treasury.Requests.
func (d *Desk) List(ctx context.Context, f treasury.Filter) (treasury.Page, error) {
	var asked []string
	if f.Person != "" {
		is, err := d.inForce(ctx, d.cfg.Pool, treasurydb.Loose)
		if err != nil {
			return treasury.Page{}, err
		}
		if asked = groups(is.roster, f.Person); asked == nil {
			asked = []string{}
		}
	}
	return treasurydb.List(ctx, d.cfg.Pool, f, asked)
}

// Sign implements treasury.Requests.
func (d *Desk) Sign(ctx context.Context, id string, a consent.Approval) (treasury.Request, error) {
	now := d.cfg.Clock().UTC()
	if err := a.Check(); err != nil {
		return treasury.Request{}, d.refused(ctx, id, &a, err)
	}
	if a.Late(now) {
		return treasury.Request{}, d.refused(ctx, id, &a, fmt.Errorf("%w: the challenge was signed more than %s ago: sign again", consent.ErrExpired, consent.ChallengeLife))
	}
	var row treasurydb.Row
	err := d.inTxAt(ctx, crash.WordBefore, crash.WordAfter, func(tx pgx.Tx) (spoken, failed error) {
		is, err := d.inForce(ctx, tx, treasurydb.Shared)
		if err != nil {
			return nil, err
		}
		if row, err = treasurydb.Request(ctx, tx, id, true); err != nil {
			return nil, err
		}
		if said(&row, &a) {
			return nil, nil // the answer was lost, and the same word comes again
		}
		if spoken, failed = d.over(ctx, tx, &is, &row, now); spoken != nil || failed != nil {
			return spoken, failed
		}
		if err := treasurydb.Lock(ctx, tx, "person "+a.Person); err != nil {
			return nil, err
		}
		return d.take(ctx, tx, &is, &row, a, now)
	})
	if errors.Is(err, treasury.ErrRefused) {
		d.logRefused(ctx, id, &a, err)
	}
	return row.Request, err
}

// said reports whether a request has that very word, signature and all.
func said(row *treasurydb.Row, a *consent.Approval) bool {
	for at := range row.Signed {
		if is := &row.Signed[at].Approval; is.Digest() == a.Digest() && string(is.Signature) == string(a.Signature) {
			return true
		}
	}
	return false
}

// over ends a request that nobody's word can help any more. Its answer is ErrEnded.
func (d *Desk) over(ctx context.Context, tx pgx.Tx, is *rules, row *treasurydb.Row, now time.Time) (ended, failed error) {
	switch {
	case row.State != treasury.Waiting:
		return fmt.Errorf("%w: it is %s: %s", treasury.ErrEnded, row.State, row.Outcome), nil
	case row.Intent.Expired(now):
		failed = d.end(ctx, tx, row, treasury.Expired, outcomeExpired)
	case row.Intent.Policy != is.Policy || row.Roster != is.Roster:
		failed = d.move(ctx, tx, row, treasurydb.Step{To: treasury.Cancelled, Outcome: stale(row, is.Head), At: d.now(), Superseded: true})
	default:
		return nil, nil
	}
	return fmt.Errorf("%w: %s", treasury.ErrEnded, row.Outcome), failed
}

// take judges all words on a request together with a new one, and keeps it if it counts.
func (d *Desk) take(ctx context.Context, tx pgx.Tx, is *rules, row *treasurydb.Row, a consent.Approval, now time.Time) (spoken, failed error) {
	counters := &counters{fresh: func(c consent.Count) error { return treasurydb.Fresh(ctx, tx, &c) }}
	c := consent.Case{
		Environment: d.cfg.Environment, Intent: &row.Intent, Hash: row.Hash, Policy: is.Policy, Requirement: row.Requirement,
		Roster: is.roster, Newest: is.Roster, Counters: counters, Now: now,
	}
	for at := range row.Signed {
		c.Approvals = append(c.Approvals, row.Signed[at].Approval)
	}
	c.Approvals = append(c.Approvals, a)
	j, err := consent.Judge(&c)
	if counters.failed != nil {
		return nil, counters.failed
	}
	if err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrRefused, err), nil
	}
	for _, r := range j.Refused {
		if r.At == len(row.Signed) {
			return fmt.Errorf("%w: %w", treasury.ErrRefused, r.Err), nil
		}
		d.cfg.Log.ErrorContext(ctx, "an approval that counted does not count any more",
			slog.String("request", row.ID), slog.String("person", r.Person), slog.Any("error", r.Err))
	}
	signed := treasury.Signed{Approval: a, Name: is.roster.Person(a.Person).Name, Came: treasurydb.Micro(now)}
	if err := treasurydb.InsertApproval(ctx, tx, row.ID, &signed, counted(j.Counts, &a)); err != nil {
		return nil, err
	}
	row.Signed = append(row.Signed, signed)
	return nil, d.judged(ctx, tx, row, &j)
}

// judged takes a request where its words have brought it.
func (d *Desk) judged(ctx context.Context, tx pgx.Tx, row *treasurydb.Row, j *consent.Judgement) error {
	switch j.Outcome {
	case consent.Denied:
		no := j.Denials[0]
		return d.end(ctx, tx, row, treasury.Denied, no.Person+" said no: "+no.Reason)
	case consent.Met:
		return d.move(ctx, tx, row, treasurydb.Step{To: treasury.Approved})
	case consent.Missing:
	}
	return treasurydb.MoveRequest(ctx, tx, row, treasurydb.Step{To: treasury.Waiting, Missing: j.Missing})
}

// counted is the counter of an approval among those that were judged.
func counted(counts []consent.Count, a *consent.Approval) *consent.Count {
	for at := range counts {
		if counts[at].Approval == a.Digest() {
			return &counts[at]
		}
	}
	return nil
}

// counters are those in rows. What fails for another reason than the counter is kept
// apart: it is no reason to refuse anybody.
type counters struct {
	fresh  func(consent.Count) error
	failed error
}

// Fresh implements consent.Counters.
func (c *counters) Fresh(of consent.Count) error {
	err := c.fresh(of)
	if err != nil && !errors.Is(err, consent.ErrCloned) {
		c.failed = err
	}
	return err
}

func (d *Desk) refused(ctx context.Context, id string, a *consent.Approval, why error) error {
	err := fmt.Errorf("%w: %w", treasury.ErrRefused, why)
	d.logRefused(ctx, id, a, err)
	return err
}

// logRefused leaves a trace: a copied passkey or a foreign signature is somebody's attempt.
func (d *Desk) logRefused(ctx context.Context, id string, a *consent.Approval, err error) {
	d.cfg.Log.WarnContext(ctx, "approval refused", slog.String("request", id), slog.String("person", a.Person),
		slog.String("key", a.Key), slog.Any("error", err))
}
