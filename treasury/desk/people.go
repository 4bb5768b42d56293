package desk

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

// at is a time for people.
func at(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// Found puts the first policy in force, and the first roster: nobody could agree to them.
// Whoever calls it configured the installation; what the signer believes was configured
// there. The same again is no error, others are treasury.ErrConflict.
func (d *Desk) Found(ctx context.Context, text, signed []byte) error {
	p, row, err := d.readPolicy(text)
	if err != nil {
		return err
	}
	if time.Unix(p.NotBefore, 0).After(d.cfg.Clock()) {
		return fmt.Errorf("%w: notBefore: the first policy counts at once", treasury.ErrInvalid)
	}
	return d.inTx(ctx, func(tx pgx.Tx) (spoken, failed error) {
		h, err := treasurydb.ReadHead(ctx, tx, treasurydb.Alone)
		if err != nil {
			return nil, err
		}
		if h.Policy != 0 {
			first, err := treasurydb.Policy(ctx, tx, p.Version, false)
			if err != nil || first.Document != row.Document {
				return nil, fmt.Errorf("%w: policy %d is in force: propose another one", treasury.ErrConflict, h.Policy)
			}
			return nil, nil
		}
		row.State, row.Author, row.Reason, row.Published = treasury.PolicyPublished, "configuration", "the first", d.now()
		if err := treasurydb.InsertPolicy(ctx, tx, &row); err != nil {
			return nil, err
		}
		h.Policy = p.Version
		_, err = d.publishRoster(ctx, tx, h, signed)
		return nil, err
	})
}

// readPolicy reads a text as a draft of this installation.
func (d *Desk) readPolicy(text []byte) (*policy.Policy, treasury.PolicyRow, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, treasury.PolicyRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	if p.Environment != d.cfg.Environment {
		return nil, treasury.PolicyRow{}, fmt.Errorf("%w: environment: this is %s", treasury.ErrInvalid, d.cfg.Environment)
	}
	canonical, err := p.Canonical()
	if err != nil {
		return nil, treasury.PolicyRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	document, err := p.Document()
	if err != nil {
		return nil, treasury.PolicyRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	return p, treasury.PolicyRow{
		Version: p.Version, Text: string(canonical), Document: document, State: treasury.PolicyDraft,
		NotBefore: time.Unix(p.NotBefore, 0).UTC(), Created: d.now(),
	}, nil
}

// Roster implements treasury.People.
func (d *Desk) Roster(ctx context.Context) (*consent.Roster, treasury.RosterRow, error) {
	h, err := treasurydb.ReadHead(ctx, d.cfg.Pool, treasurydb.Loose)
	if err != nil {
		return nil, treasury.RosterRow{}, err
	}
	row, err := treasurydb.Roster(ctx, d.cfg.Pool, h.Roster)
	if err != nil {
		return nil, treasury.RosterRow{}, err
	}
	r, err := d.parseRoster(&row)
	return r, row, err
}

// PublishRoster implements treasury.People.
func (d *Desk) PublishRoster(ctx context.Context, signed []byte) (treasury.RosterRow, error) {
	var row treasury.RosterRow
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		h, failed := treasurydb.ReadHead(ctx, tx, treasurydb.Alone)
		if failed != nil {
			return nil, failed
		}
		row, failed = d.publishRoster(ctx, tx, h, signed)
		return nil, failed
	})
	if err != nil {
		return treasury.RosterRow{}, err
	}
	_, err = d.CancelStale(ctx)
	return row, err
}

// publishRoster puts a newer roster in force, and the head as it is given.
func (d *Desk) publishRoster(ctx context.Context, tx pgx.Tx, h treasurydb.Head, signed []byte) (treasury.RosterRow, error) {
	r, err := consent.ParseRoster(signed, d.trust(), h.Roster)
	if err != nil {
		return treasury.RosterRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	if r.Expired(d.cfg.Clock()) {
		return treasury.RosterRow{}, fmt.Errorf("%w: %w: expires: it has: officers sign a new one", treasury.ErrInvalid, consent.ErrRoster)
	}
	document, err := r.Document()
	if err != nil {
		return treasury.RosterRow{}, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	if r.Version == h.Roster {
		row, err := treasurydb.Roster(ctx, tx, h.Roster)
		if err == nil && row.Document != document {
			err = fmt.Errorf("%w: %w: version: another roster %d is in force: give it a higher one", treasury.ErrInvalid, consent.ErrRoster, r.Version)
		}
		return row, err
	}
	row := treasury.RosterRow{Version: r.Version, Signed: signed, Document: document, Came: d.now()}
	if err := treasurydb.InsertRoster(ctx, tx, &row); err != nil {
		return treasury.RosterRow{}, err
	}
	h.Roster = r.Version
	return row, treasurydb.SetHead(ctx, tx, h)
}

// KeyUses implements treasury.People.
func (d *Desk) KeyUses(ctx context.Context) ([]treasury.KeyUse, error) {
	return treasurydb.KeyUses(ctx, d.cfg.Pool)
}
