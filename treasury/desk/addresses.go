package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/id"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/intent"
	"strongroom/treasury/treasurydb"
)

// ProposeAddress implements treasury.Addresses.
func (d *Desk) ProposeAddress(ctx context.Context, c treasury.Candidate) (treasury.EntryRow, treasury.Request, error) {
	var entry treasury.EntryRow
	var row treasurydb.Row
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if failed = treasurydb.Lock(ctx, tx, "book "+c.Owner+" "+c.Chain); failed != nil {
			return nil, failed
		}
		around, failed := d.surroundings(ctx, tx, c.Owner, c.Chain)
		if failed != nil {
			return nil, failed
		}
		want := addressbook.Entry{ID: id.New("adr"), Owner: c.Owner, Chain: c.Chain, Address: c.Address, Label: c.Label}
		if entry.Entry, failed = addressbook.Propose(want, around, d.cfg.Addresses, d.now()); failed != nil {
			return nil, failed
		}
		entry.Request = id.New("rqs")
		q, failed := allowing(&entry.Entry, &c)
		if failed != nil {
			return nil, failed
		}
		if failed = treasurydb.InsertEntry(ctx, tx, &entry); failed != nil {
			return nil, failed
		}
		row, failed = d.ask(ctx, tx, &q, about{subject: entry.ID, request: entry.Request})
		if failed != nil {
			return nil, failed
		}
		entry, failed = treasurydb.Entry(ctx, tx, entry.ID)
		return nil, failed
	})
	if err != nil {
		return treasury.EntryRow{}, treasury.Request{}, err
	}
	return entry, row.Request, nil
}

// allowing is the question whether an entry may be paid.
func allowing(e *addressbook.Entry, c *treasury.Candidate) (treasury.Question, error) {
	document, err := e.Document()
	if err != nil {
		return treasury.Question{}, err
	}
	q := treasury.Question{
		Intent: intent.Intent{ID: e.ID, Action: intent.Allow, Chain: e.Chain, Document: document, Requester: c.Requester, Reason: c.Reason},
		Effect: []string{
			fmt.Sprintf("%s may pay %s on %s, known as %q", e.Owner, e.Address, e.Chain, e.Label),
			fmt.Sprintf("it may be paid %d s after enough people agreed, not before", e.Wait),
		},
	}
	if len(e.Alike) > 0 {
		q.Notes = []treasury.Note{{Level: treasury.Danger, Text: "It begins and ends like " + strings.Join(e.Alike, ", ") + ": compare every character."}}
	}
	return q, nil
}

// followEntry takes an entry where its request has come.
func (d *Desk) followEntry(ctx context.Context, tx pgx.Tx, row *treasurydb.Row) error {
	e, err := treasurydb.Entry(ctx, tx, row.Subject)
	if err != nil {
		return err
	}
	if document, err := e.Document(); err != nil || document != row.Intent.Document {
		return fmt.Errorf("%w: entry %s is not the one that people were asked about", treasury.ErrTampered, e.ID)
	}
	if row.State != treasury.Approved {
		if e.State != addressbook.Proposed {
			return nil
		}
		denied, err := e.Deny(short(row.Outcome), d.now())
		if err != nil {
			return err
		}
		return treasurydb.MoveEntry(ctx, tx, &denied, e.State)
	}
	return d.allow(ctx, tx, row, &e.Entry)
}

// allow lets an entry cool down that people agreed to, unless it resembles by now what
// nobody was told of.
func (d *Desk) allow(ctx context.Context, tx pgx.Tx, row *treasurydb.Row, e *addressbook.Entry) error {
	around, err := d.surroundings(ctx, tx, e.Owner, e.Chain)
	if err != nil {
		return err
	}
	approved, err := e.Approve(around, d.now())
	switch {
	case errors.Is(err, addressbook.ErrChanged), errors.Is(err, addressbook.ErrState):
		return d.end(ctx, tx, row, treasury.Failed, err.Error())
	case err != nil:
		return err
	}
	if err := treasurydb.MoveEntry(ctx, tx, &approved, e.State); err != nil {
		return err
	}
	return d.end(ctx, tx, row, treasury.Done, fmt.Sprintf("it may be paid from %s on", at(approved.ActiveFrom)))
}

// short makes a reason fit an entry.
func short(reason string) string {
	const most = 120
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most-3], "") + "..."
}

// RemoveAddress implements treasury.Addresses. The request that still asks for the entry
// fails once people agree.
func (d *Desk) RemoveAddress(ctx context.Context, entry, person, reason string) (treasury.EntryRow, error) {
	var e treasury.EntryRow
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if e, failed = treasurydb.Entry(ctx, tx, entry); failed != nil {
			return nil, failed
		}
		removed, failed := e.Remove(short(person+": "+reason), d.now())
		if failed != nil {
			return nil, failed
		}
		from := e.State
		e.Entry = removed
		return nil, treasurydb.MoveEntry(ctx, tx, &removed, from)
	})
	return e, err
}

// Addresses implements treasury.Addresses.
func (d *Desk) Addresses(ctx context.Context, owner string) ([]treasury.EntryRow, error) {
	list, err := treasurydb.Entries(ctx, d.cfg.Pool, owner)
	now := d.now()
	for at := range list {
		list[at].State = list[at].At(now)
	}
	return list, err
}

// Standing implements treasury.Addresses.
func (d *Desk) Standing(ctx context.Context, owner, chain, address string) (addressbook.Standing, error) {
	around, err := d.surroundings(ctx, d.cfg.Pool, owner, chain)
	if err != nil {
		return addressbook.Standing{}, err
	}
	return addressbook.Classify(owner, chain, address, around, d.now()), nil
}

// surroundings are what an address of an owner on a chain is compared with.
func (d *Desk) surroundings(ctx context.Context, db treasurydb.DB, owner, chain string) (addressbook.Surroundings, error) {
	var s addressbook.Surroundings
	var err error
	if s.Book, err = treasurydb.Book(ctx, db, owner, chain); err != nil {
		return s, err
	}
	vaults, err := treasurydb.Vaults(ctx, db, chain)
	if err != nil {
		return s, err
	}
	for at := range vaults {
		if vaults[at].Address != "" {
			s.Own = append(s.Own, vaults[at].Address)
		}
	}
	if d.cfg.Known == nil {
		return s, nil
	}
	if s.Known, err = d.cfg.Known(ctx, owner, chain); err != nil {
		return s, fmt.Errorf("list addresses that %s knows: %w", owner, err)
	}
	return s, nil
}
