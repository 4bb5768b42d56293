package desk

import (
	"context"
	"fmt"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

const dayLong = 24 * time.Hour

// TryPolicy implements treasury.Policies. Requesters count by their groups of today.
func (d *Desk) TryPolicy(ctx context.Context, version uint64, days int) (treasury.Trial, error) {
	if days < 1 || days > treasury.MaxTrialDays {
		return treasury.Trial{}, fmt.Errorf("%w: days: 1 to %d", treasury.ErrInvalid, treasury.MaxTrialDays)
	}
	row, err := treasurydb.Policy(ctx, d.cfg.Pool, version, false)
	if err != nil {
		return treasury.Trial{}, err
	}
	next, err := policy.Parse([]byte(row.Text))
	if err != nil {
		return treasury.Trial{}, fmt.Errorf("%w: policy %d: %w", treasury.ErrTampered, version, err)
	}
	is, err := d.inForce(ctx, d.cfg.Pool, treasurydb.Loose)
	if err != nil {
		return treasury.Trial{}, err
	}
	trial := treasury.Trial{To: d.now(), From: d.now().Add(-time.Duration(days) * dayLong)}
	// What moved before fills the windows of the first that is tried.
	past, cut, err := treasurydb.PastRequests(ctx, d.cfg.Pool, trial.From.Add(-time.Duration(policy.MaxWindow)), treasury.MaxTrialRequests)
	if err != nil {
		return treasury.Trial{}, err
	}
	facts := make([]policy.Facts, len(past))
	for i := range past {
		r := &past[i]
		facts[i] = policy.Of(&r.Intent, policy.Class(r.Class), r.Selector, groups(is.roster, r.Intent.Requester), r.Created)
	}
	report, err := is.policy.DryRun(next, facts, trial.From)
	if err != nil {
		return treasury.Trial{}, fmt.Errorf("%w: days: %w", treasury.ErrInvalid, err)
	}
	trial.Total, trial.Cut = report.Requests, cut
	for _, n := range report.Changed {
		trial.Changed += n
	}
	for at := len(report.Changes) - 1; at >= 0 && len(trial.Decisions) < treasury.MaxPage; at-- {
		trial.Decisions = append(trial.Decisions, changed(&past[report.Changes[at].At], &report.Changes[at]))
	}
	return trial, nil
}

func changed(r *treasurydb.Past, c *policy.Changed) treasury.Changed {
	return treasury.Changed{
		Request: r.ID, Was: inWords(&c.Before), Is: inWords(&c.After), Sentence: c.After.Sentence,
		IsLaxer: c.Change == policy.Laxer, CreatedAt: r.Created,
	}
}

func inWords(d *policy.Decision) string {
	if d.Outcome == policy.Quorum {
		return "quorum of " + d.Requirement.String()
	}
	return string(d.Outcome)
}
