package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/intent"
	"strongroom/treasury/treasurydb"
)

const (
	outcomeExpired = "nobody, or too few people, agreed in time"
	maxOutcome     = 512
)

// Cancel implements treasury.Requests.
func (d *Desk) Cancel(ctx context.Context, id, person, reason string) (treasury.Request, error) {
	if err := legible("reason", reason); err != nil {
		return treasury.Request{}, err
	}
	var row treasurydb.Row
	err := d.inTx(ctx, func(tx pgx.Tx) (spoken, failed error) {
		is, err := d.inForce(ctx, tx, treasurydb.Shared)
		if err != nil {
			return nil, err
		}
		if row, err = treasurydb.Request(ctx, tx, id, true); err != nil {
			return nil, err
		}
		p := is.roster.Person(person)
		switch {
		case !row.State.Open():
			return fmt.Errorf("%w: it is %s: %s", treasury.ErrEnded, row.State, row.Outcome), nil
		case person != row.Intent.Requester && (p == nil || !p.Officer):
			return fmt.Errorf("%w: %s did not ask for it and is no officer: deny it instead", treasury.ErrRefused, person), nil
		}
		return nil, d.end(ctx, tx, &row, treasury.Cancelled, person+" took it back: "+reason)
	})
	return row.Request, err
}

// Finish implements treasury.Requests.
func (d *Desk) Finish(ctx context.Context, id string, state treasury.State, outcome string) (treasury.Request, error) {
	if state != treasury.Done && state != treasury.Failed {
		return treasury.Request{}, fmt.Errorf("%w: state: what was approved ends as done or failed", treasury.ErrInvalid)
	}
	if err := legible("outcome", outcome); err != nil {
		return treasury.Request{}, err
	}
	var row treasurydb.Row
	err := d.inTx(ctx, func(tx pgx.Tx) (spoken, failed error) {
		if row, failed = treasurydb.Request(ctx, tx, id, true); failed != nil {
			return nil, failed
		}
		switch row.State {
		case state:
			return nil, nil // it was said before
		case treasury.Approved:
			return nil, d.end(ctx, tx, &row, state, outcome)
		case treasury.Waiting, treasury.Denied, treasury.Expired, treasury.Cancelled, treasury.Done, treasury.Failed:
		}
		return fmt.Errorf("%w: it is %s", treasury.ErrConflict, row.State), nil
	})
	return row.Request, err
}

func legible(field, text string) error {
	if strings.TrimSpace(text) == "" || len(text) > maxOutcome {
		return fmt.Errorf("%w: %s: say it in 1 to %d bytes", treasury.ErrInvalid, field, maxOutcome)
	}
	return nil
}

// end takes a request to its end, and what it is about with it.
func (d *Desk) end(ctx context.Context, tx pgx.Tx, row *treasurydb.Row, to treasury.State, outcome string) error {
	return d.move(ctx, tx, row, treasurydb.Step{To: to, Outcome: outcome, At: d.now()})
}

func (d *Desk) move(ctx context.Context, tx pgx.Tx, row *treasurydb.Row, step treasurydb.Step) error {
	if err := treasurydb.MoveRequest(ctx, tx, row, step); err != nil {
		return err
	}
	return d.follow(ctx, tx, row)
}

// follow does in the same transaction what a request's state means for an entry or a
// policy: there is nobody else whom it waits for.
func (d *Desk) follow(ctx context.Context, tx pgx.Tx, row *treasurydb.Row) error {
	if row.State == treasury.Waiting || row.State == treasury.Done {
		return nil
	}
	switch row.Intent.Action {
	case intent.Allow:
		return d.followEntry(ctx, tx, row)
	case intent.Policy:
		return d.followPolicy(ctx, tx, row)
	case intent.Withdrawal, intent.Sweep, intent.Refill, intent.ColdSpend, intent.Roster, intent.Unfreeze, intent.KeyDrill:
	}
	return nil
}

// stale says why consent to a request died.
func stale(row *treasurydb.Row, h treasurydb.Head) string {
	if row.Intent.Policy != h.Policy {
		return fmt.Sprintf("policy %d asked for it and policy %d is in force now: ask again", row.Intent.Policy, h.Policy)
	}
	return fmt.Sprintf("it was asked of the people of roster %d and roster %d is in force now: ask again", row.Roster, h.Roster)
}

// Expire ends waiting requests whose time is over, and says how many it ended.
func (d *Desk) Expire(ctx context.Context) (int, error) {
	ended := 0
	for {
		ids, err := treasurydb.Lapsed(ctx, d.cfg.Pool, d.now(), batch)
		if err != nil || len(ids) == 0 {
			return ended, err
		}
		n, err := d.endEach(ctx, ids)
		if ended += n; err != nil || n == 0 {
			return ended, err
		}
	}
}

// CancelStale ends waiting requests that came before the policy or roster in force, and
// says how many it ended.
func (d *Desk) CancelStale(ctx context.Context) (int, error) {
	ended := 0
	for {
		h, err := treasurydb.ReadHead(ctx, d.cfg.Pool, treasurydb.Loose)
		if err != nil {
			return ended, err
		}
		ids, err := treasurydb.Waiting(ctx, d.cfg.Pool, h, batch)
		if err != nil || len(ids) == 0 {
			return ended, err
		}
		n, err := d.endEach(ctx, ids)
		if ended += n; err != nil || n == 0 {
			return ended, err
		}
	}
}

// endEach ends those of some requests that are over, each in a transaction of its own:
// one that cannot be read does not hold up the others.
func (d *Desk) endEach(ctx context.Context, ids []string) (ended int, err error) {
	for _, id := range ids {
		failed := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
			is, failed := d.inForce(ctx, tx, treasurydb.Shared)
			if failed != nil {
				return nil, failed
			}
			row, failed := treasurydb.Request(ctx, tx, id, true)
			if failed != nil || row.State != treasury.Waiting {
				return nil, failed
			}
			spoken, failed := d.over(ctx, tx, &is, &row, d.cfg.Clock().UTC())
			if spoken != nil && failed == nil {
				ended++
			}
			return nil, failed
		})
		err = errors.Join(err, failed)
	}
	return ended, err
}
