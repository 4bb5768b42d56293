package desk

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/crash"
	"strongroom/internal/id"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

// Bounds of what comes with a question.
const (
	maxNotes   = 50
	maxEffect  = 500
	maxText    = 2 << 10
	maxPayload = 4 << 20
)

// Ask implements treasury.Requests.
func (d *Desk) Ask(ctx context.Context, q treasury.Question) (treasury.Request, error) {
	if q.Intent.Action == intent.Allow || q.Intent.Action == intent.Policy {
		return treasury.Request{}, fmt.Errorf("%w: action: %s is asked by proposing an address or a policy", treasury.ErrInvalid, q.Intent.Action)
	}
	var row treasurydb.Row
	err := d.inTxAt(ctx, crash.AskedBefore, crash.AskedAfter, func(tx pgx.Tx) (_, failed error) {
		row, failed = d.ask(ctx, tx, &q, about{})
		return nil, failed
	})
	return row.Request, err
}

// about is what the desk itself knows of a question.
type about struct {
	subject string    // entry or version
	until   time.Time // consent has to be complete before; zero: whenever
	request string    // id of the request that is made; a new one where empty
}

// ask keeps a question as a request, or finds the one that there is.
func (d *Desk) ask(ctx context.Context, tx pgx.Tx, q *treasury.Question, of about) (treasurydb.Row, error) {
	if err := d.checkQuestion(q); err != nil {
		return treasurydb.Row{}, err
	}
	is, err := d.inForce(ctx, tx, treasurydb.Shared)
	if err != nil {
		return treasurydb.Row{}, err
	}
	if err := treasurydb.Lock(ctx, tx, "intent "+q.Intent.ID); err != nil {
		return treasurydb.Row{}, err
	}
	round, there, err := d.asked(ctx, tx, q, &is)
	if err != nil || there != nil {
		return deref(there), err
	}
	row := treasurydb.Row{
		Request: treasury.Request{ID: cmp.Or(of.request, id.New("rqs")), Intent: q.Intent, Version: 1, Notes: q.Notes, Effect: q.Effect, Payload: q.Payload, Created: d.now()},
		Round:   round, Class: q.Class, Selector: q.Selector, Subject: of.subject, Roster: is.Roster,
	}
	if err := d.decide(ctx, tx, &is, &row, of.until); err != nil {
		return treasurydb.Row{}, err
	}
	if err := treasurydb.InsertRequest(ctx, tx, &row); err != nil {
		return treasurydb.Row{}, err
	}
	return row, d.follow(ctx, tx, &row)
}

func deref(row *treasurydb.Row) treasurydb.Row {
	if row == nil {
		return treasurydb.Row{}
	}
	return *row
}

func (d *Desk) checkQuestion(q *treasury.Question) error {
	i := &q.Intent
	if i.Environment == "" {
		i.Environment = d.cfg.Environment
	}
	wrong := func(field, right string) error { return fmt.Errorf("%w: %s: %s", treasury.ErrInvalid, field, right) }
	switch {
	case i.Environment != d.cfg.Environment:
		return wrong("environment", "this is "+d.cfg.Environment+": leave it empty")
	case i.Policy != 0 || i.Created != 0 || i.Expires != 0:
		return wrong("policy, created, expires", "leave them out: they are what is in force and when")
	case len(q.Notes) > maxNotes || len(q.Effect) > maxEffect || len(q.Payload) > maxPayload:
		return wrong("notes, effect, payload", fmt.Sprintf("at most %d, %d and %d bytes", maxNotes, maxEffect, maxPayload))
	}
	return checkTexts(q)
}

// checkTexts looks at what is shown to people beside the intent.
func checkTexts(q *treasury.Question) error {
	wrong := func(field, right string) error { return fmt.Errorf("%w: %s: %s", treasury.ErrInvalid, field, right) }
	for _, n := range q.Notes {
		if n.Level != treasury.Info && n.Level != treasury.Warning && n.Level != treasury.Danger || n.Text == "" || len(n.Text) > maxText {
			return wrong("notes", "each has a level and a text of at most 2 KiB")
		}
	}
	for _, line := range q.Effect {
		if len(line) > maxText {
			return wrong("effect", "each line has at most 2 KiB")
		}
	}
	return nil
}

// asked finds the request that asks for the same, or says which round comes next. Consent
// that was not used in its time, or under its policy, gives way to another round.
func (d *Desk) asked(ctx context.Context, tx pgx.Tx, q *treasury.Question, is *rules) (round int, there *treasurydb.Row, err error) {
	last, err := treasurydb.LastRequest(ctx, tx, q.Intent.ID)
	if isUnknown(err) {
		if q.Again != "" {
			return 0, nil, fmt.Errorf("%w: again: no request has asked for %s", treasury.ErrInvalid, q.Intent.ID)
		}
		return 1, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	if err := same(q, &last); err != nil {
		return 0, nil, err
	}
	switch {
	case q.Again != last.ID:
	case last.State == treasury.Cancelled, last.State == treasury.Expired:
		return last.Round + 1, nil, nil
	case last.State == treasury.Approved && (last.Intent.Expired(d.now()) || last.Intent.Policy != is.Policy):
		err := d.end(ctx, tx, &last, treasury.Failed, "it was not used in its time, or under its policy: it is asked again")
		return last.Round + 1, nil, err
	}
	return 0, &last, nil
}

// same reports treasury.ErrConflict where a question is not what the request asks. What
// class its destination is may have changed meanwhile: what it was decides.
func same(q *treasury.Question, r *treasurydb.Row) error {
	i := q.Intent
	i.Policy, i.Created, i.Expires = r.Intent.Policy, r.Intent.Created, r.Intent.Expires
	if i != r.Intent || q.Selector != r.Selector || !bytes.Equal(q.Payload, r.Payload) {
		return fmt.Errorf("%w: request %s asks for another thing under the id %s: ask under a new one", treasury.ErrConflict, r.ID, r.Intent.ID)
	}
	return nil
}

// decide sets what the policy says of a request, and with it the intent's hash.
func (d *Desk) decide(ctx context.Context, tx pgx.Tx, is *rules, row *treasurydb.Row, until time.Time) error {
	i, now := &row.Intent, row.Created
	i.Policy, i.Created, i.Expires = is.Policy, now.Unix(), now.Add(allowedLife).Unix()
	if err := i.Check(); err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	facts, err := d.facts(ctx, tx, is, row)
	if err != nil {
		return err
	}
	decision := d.verdict(is, i, &facts)
	lives := allowedLife
	if decision.Outcome == policy.Quorum {
		lives = min(decision.Lives, intent.MaxLife)
	}
	expires := now.Add(lives)
	if !until.IsZero() && until.Before(expires) {
		expires = until
	}
	i.Expires, row.Expires = expires.Unix(), time.Unix(expires.Unix(), 0).UTC()
	row.Rule, row.Sentence = decision.Rule, decision.Sentence
	switch decision.Outcome {
	case policy.Allow:
		row.State = treasury.Approved
	case policy.Quorum:
		row.State, row.Requirement, row.Asks = treasury.Waiting, decision.Requirement, true
		row.Missing = row.Requirement.String()
	case policy.Deny:
		row.State, row.Ended, row.Outcome = treasury.Denied, now, decision.Sentence
	}
	if row.Hash, err = i.Hash(); err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	return nil
}

// verdict is the policy's; that signing goes on is for officers to say, whatever it says.
func (d *Desk) verdict(is *rules, i *intent.Intent, facts *policy.Facts) policy.Decision {
	if i.Action != intent.Unfreeze {
		decision := is.policy.Decide(facts)
		decision.Sentence = is.policy.Explain(facts, d.cfg.Assets)
		return decision
	}
	requirement := is.roster.Unfreezing()
	return policy.Decision{
		Outcome: policy.Quorum, Requirement: requirement, Lives: allowedLife, Rule: "unfreeze",
		Sentence: "Signing goes on when " + requirement.String() + " agree: that is so in every policy.",
	}
}

// facts are what the policy decides about. Of what moves an asset one is decided at a
// time, so that two that come at once do not both fit into what is left of a window.
func (d *Desk) facts(ctx context.Context, tx pgx.Tx, is *rules, row *treasurydb.Row) (policy.Facts, error) {
	i := &row.Intent
	f := policy.Of(i, policy.Class(row.Class), row.Selector, groups(is.roster, i.Requester), row.Created)
	if err := f.Check(); err != nil {
		return f, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	if !i.Action.Moves() {
		return f, nil
	}
	if err := treasurydb.Lock(ctx, tx, "asset "+i.Asset); err != nil {
		return f, err
	}
	for _, w := range is.policy.Windows() {
		if !w.Counts(i.Action, i.Asset) {
			continue
		}
		requester := ""
		if w.Per == policy.Requester {
			requester = i.Requester
		}
		sum, err := treasurydb.Sum(ctx, tx, i.Asset, requester, row.Created.Add(-time.Duration(w.Span)), w.Actions)
		if err != nil {
			return f, err
		}
		f.Spent = append(f.Spent, policy.Spent{Window: w, Amount: sum})
	}
	return f, nil
}

func groups(r *consent.Roster, requester string) []string {
	if p := r.Person(requester); p != nil {
		return p.Member()
	}
	return nil
}
