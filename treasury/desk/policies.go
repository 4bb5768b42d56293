package desk

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/intent"
	"strongroom/treasury/treasurydb"
)

// DraftPolicy implements treasury.Policies.
func (d *Desk) DraftPolicy(ctx context.Context, text []byte, author, reason string) (treasury.PolicyRow, error) {
	p, row, err := d.readPolicy(text)
	if err != nil {
		return treasury.PolicyRow{}, err
	}
	if err := errors.Join(legible("author", author), legible("reason", reason)); err != nil {
		return treasury.PolicyRow{}, err
	}
	row.Author, row.Reason = author, reason
	err = d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		newest, failed := treasurydb.NewestPolicy(ctx, tx)
		if failed != nil {
			return nil, failed
		}
		if p.Version != newest+1 {
			return nil, fmt.Errorf("%w: version: it is %d, and the next one is %d", treasury.ErrInvalid, p.Version, newest+1)
		}
		return nil, treasurydb.InsertPolicy(ctx, tx, &row)
	})
	return row, err
}

// ProposePolicy implements treasury.Policies. Consent has to be complete before the
// policy's NotBefore, which is at least the time lock away: who sees it coming has all of
// that time to say no.
func (d *Desk) ProposePolicy(ctx context.Context, version uint64, person string) (treasury.PolicyRow, treasury.Request, error) {
	var row treasury.PolicyRow
	var request treasurydb.Row
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if _, failed = treasurydb.ReadHead(ctx, tx, treasurydb.Shared); failed != nil {
			return nil, failed
		}
		if row, failed = treasurydb.Policy(ctx, tx, version, true); failed != nil {
			return nil, failed
		}
		if failed = d.proposable(&row); failed != nil {
			return nil, failed
		}
		request, failed = d.ask(ctx, tx, d.changing(&row, person), about{subject: strconv.FormatUint(version, 10), until: row.NotBefore})
		if failed != nil {
			return nil, failed
		}
		if request.State == treasury.Waiting {
			if failed = treasurydb.MovePolicy(ctx, tx, &row, treasurydb.PolicyStep{To: treasury.PolicyProposed, Request: request.ID}); failed != nil {
				return nil, failed
			}
		}
		row, failed = treasurydb.Policy(ctx, tx, version, false)
		return nil, failed
	})
	if err != nil {
		return treasury.PolicyRow{}, treasury.Request{}, err
	}
	return row, request.Request, nil
}

func (d *Desk) proposable(row *treasury.PolicyRow) error {
	if _, _, err := d.readPolicy([]byte(row.Text)); err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrTampered, err)
	}
	switch earliest := d.now().Add(d.cfg.PolicyLock); {
	case row.State != treasury.PolicyDraft:
		return fmt.Errorf("%w: policy %d is %s", treasury.ErrConflict, row.Version, row.State)
	case row.NotBefore.Before(earliest):
		return fmt.Errorf("%w: notBefore: it is %s, and %s is the earliest now: draft it with a later one",
			treasury.ErrInvalid, at(row.NotBefore.Unix()), at(earliest.Unix()))
	}
	return nil
}

// changing is the question whether a policy may be in force.
func (d *Desk) changing(row *treasury.PolicyRow, person string) *treasury.Question {
	return &treasury.Question{
		Intent: intent.Intent{
			ID: "policy-" + strconv.FormatUint(row.Version, 10), Action: intent.Policy, Document: row.Document, Requester: person, Reason: row.Reason,
		},
		Effect:  []string{fmt.Sprintf("policy %d is in force from %s on", row.Version, at(row.NotBefore.Unix()))},
		Payload: []byte(row.Text),
	}
}

// followPolicy takes a version where its request has come.
func (d *Desk) followPolicy(ctx context.Context, tx pgx.Tx, request *treasurydb.Row) error {
	version, err := strconv.ParseUint(request.Subject, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: request %s names policy %.20q", treasury.ErrTampered, request.ID, request.Subject)
	}
	row, err := treasurydb.Policy(ctx, tx, version, true)
	if err != nil {
		return err
	}
	switch request.State {
	case treasury.Approved:
		if _, is, err := d.readPolicy([]byte(row.Text)); err != nil || is.Document != request.Intent.Document || is.Version != version {
			return fmt.Errorf("%w: policy %d is not the one that people were asked about", treasury.ErrTampered, version)
		}
		return treasurydb.MovePolicy(ctx, tx, &row, treasurydb.PolicyStep{To: treasury.PolicyApproved, Request: request.ID})
	case treasury.Denied, treasury.Expired, treasury.Cancelled, treasury.Failed:
		return d.drop(ctx, tx, &row, request.Outcome)
	case treasury.Waiting, treasury.Done:
	}
	return nil
}

// drop ends a version that never was in force.
func (d *Desk) drop(ctx context.Context, tx pgx.Tx, row *treasury.PolicyRow, why string) error {
	switch row.State {
	case treasury.PolicyDraft, treasury.PolicyProposed, treasury.PolicyApproved:
		return treasurydb.MovePolicy(ctx, tx, row, treasurydb.PolicyStep{To: treasury.PolicyDropped, Outcome: why})
	case treasury.PolicyPublished, treasury.PolicyRetired, treasury.PolicyDropped:
	}
	return nil
}

// DropPolicy implements treasury.Policies.
func (d *Desk) DropPolicy(ctx context.Context, version uint64, person, reason string) (treasury.PolicyRow, error) {
	if err := errors.Join(legible("person", person), legible("reason", reason)); err != nil {
		return treasury.PolicyRow{}, err
	}
	var row treasury.PolicyRow
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if row, failed = treasurydb.Policy(ctx, tx, version, true); failed != nil {
			return nil, failed
		}
		if row.State != treasury.PolicyDraft {
			return nil, fmt.Errorf("%w: policy %d is %s: cancel its request", treasury.ErrConflict, version, row.State)
		}
		return nil, d.drop(ctx, tx, &row, person+": "+reason)
	})
	return row, err
}

// Publish puts the approved version in force whose time has come, and says which; zero is
// none. Consent to other versions dies with the policy that asked for it.
func (d *Desk) Publish(ctx context.Context) (uint64, error) {
	due, err := d.due(ctx, d.cfg.Pool)
	if err != nil || due == nil {
		return 0, err
	}
	var published uint64
	err = d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		h, failed := treasurydb.ReadHead(ctx, tx, treasurydb.Alone)
		if failed != nil {
			return nil, failed
		}
		row, failed := d.due(ctx, tx) // again: another process may have been first
		if failed != nil || row == nil {
			return nil, failed
		}
		published = row.Version
		return nil, d.publish(ctx, tx, h, row)
	})
	if err != nil || published == 0 {
		return 0, err
	}
	_, err = d.CancelStale(ctx)
	return published, err
}

// due is the first approved version whose time has come, or nil.
func (d *Desk) due(ctx context.Context, db treasurydb.DB) (*treasury.PolicyRow, error) {
	list, err := treasurydb.Policies(ctx, db, treasury.PolicyApproved)
	if err != nil {
		return nil, err
	}
	var first *treasury.PolicyRow
	for at := range list {
		if row := &list[at]; !row.NotBefore.After(d.now()) && (first == nil || row.NotBefore.Before(first.NotBefore)) {
			first = row
		}
	}
	return first, nil
}

// publish puts a version in force instead of the one that is. The head is held alone, so
// that nobody asks or signs meanwhile.
func (d *Desk) publish(ctx context.Context, tx pgx.Tx, h treasurydb.Head, row *treasury.PolicyRow) error {
	request, err := treasurydb.Request(ctx, tx, row.Request, true)
	if err != nil {
		return err
	}
	if _, is, err := d.readPolicy([]byte(row.Text)); err != nil || request.State != treasury.Approved || is.Document != request.Intent.Document {
		return fmt.Errorf("%w: policy %d is not the one that people agreed to", treasury.ErrTampered, row.Version)
	}
	old, err := treasurydb.Policy(ctx, tx, h.Policy, true)
	if err != nil {
		return err
	}
	if err := treasurydb.MovePolicy(ctx, tx, &old, treasurydb.PolicyStep{To: treasury.PolicyRetired}); err != nil {
		return err
	}
	if err := treasurydb.MovePolicy(ctx, tx, row, treasurydb.PolicyStep{To: treasury.PolicyPublished, Published: d.now()}); err != nil {
		return err
	}
	if err := d.end(ctx, tx, &request, treasury.Done, fmt.Sprintf("policy %d is in force", row.Version)); err != nil {
		return err
	}
	h.Policy = row.Version
	if err := treasurydb.SetHead(ctx, tx, h); err != nil {
		return err
	}
	return d.lapse(ctx, tx, row.Version)
}

// lapse ends other approved versions: the policy by which people agreed to them is gone.
func (d *Desk) lapse(ctx context.Context, tx pgx.Tx, published uint64) error {
	others, err := treasurydb.Policies(ctx, tx, treasury.PolicyApproved)
	if err != nil {
		return err
	}
	for at := range others {
		request, err := treasurydb.Request(ctx, tx, others[at].Request, true)
		if err != nil {
			return err
		}
		why := fmt.Sprintf("policy %d came into force before: draft it again", published)
		if err := d.end(ctx, tx, &request, treasury.Cancelled, why); err != nil {
			return err
		}
	}
	return nil
}

// PolicyInForce implements treasury.Policies.
func (d *Desk) PolicyInForce(ctx context.Context) (treasury.PolicyRow, error) {
	h, err := treasurydb.ReadHead(ctx, d.cfg.Pool, treasurydb.Loose)
	if err != nil {
		return treasury.PolicyRow{}, err
	}
	row, err := treasurydb.Policy(ctx, d.cfg.Pool, h.Policy, false)
	if err != nil {
		return treasury.PolicyRow{}, err
	}
	_, err = d.parsePolicy(&row)
	return row, err
}

// PolicyVersions implements treasury.Policies.
func (d *Desk) PolicyVersions(ctx context.Context) ([]treasury.PolicyRow, error) {
	return treasurydb.Policies(ctx, d.cfg.Pool, "")
}
