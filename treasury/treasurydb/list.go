package treasurydb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
)

// where is a condition under construction.
type where struct {
	text strings.Builder
	args []any
}

func (w *where) add(condition string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	if w.text.Len() == 0 {
		w.text.WriteString("WHERE ")
	} else {
		w.text.WriteString(" AND ")
	}
	w.text.WriteString(condition)
}

// List returns a page of requests, those first that expire first, without payloads.
// groups are those of the filter's Person. What was tampered with comes as id, state and a
// note.
func List(ctx context.Context, db DB, f treasury.Filter, groups []string) (treasury.Page, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = treasury.DefaultPage
	}
	limit = min(limit, treasury.MaxPage)
	w := filtered(f, groups)
	var page treasury.Page
	if err := db.QueryRow(ctx, `SELECT count(*) FROM treasury.request r `+w.text.String(), w.args...).Scan(&page.Total); err != nil {
		return treasury.Page{}, fmt.Errorf("count requests: %w", err)
	}
	if f.ForCount {
		return page, nil
	}
	if f.After != "" {
		expires, id, err := cursor(f.After)
		if err != nil {
			return treasury.Page{}, err
		}
		w.add(`(r.expires, r.id) > (?, ?)`, expires, id)
	}
	rows, err := db.Query(ctx, `SELECT `+withoutPayload+w.text.String()+` ORDER BY r.expires, r.id LIMIT `+strconv.Itoa(limit+1), w.args...)
	if err != nil {
		return treasury.Page{}, fmt.Errorf("list requests: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanRequest)
	if err != nil {
		return treasury.Page{}, fmt.Errorf("list requests: %w", err)
	}
	if len(found) > limit {
		found = found[:limit]
		last := &found[limit-1]
		page.Next = strconv.FormatInt(last.Expires.UnixMicro(), 10) + "." + last.ID
	}
	return page, fill(ctx, db, &page, found)
}

// filtered is the condition of a filter without its cursor.
func filtered(f treasury.Filter, groups []string) *where {
	w := &where{}
	if f.Person != "" {
		w.add(`r.state = 'waiting' AND r.asked && ? AND lower(r.requester) <> ? AND ? <> ALL (r.said)`, groups, f.Person, f.Person)
	}
	if len(f.States) == 1 { // written out, so that the index of what waits is of use
		w.add(`r.state = '` + string(state(f.States[0])) + `'`)
	} else if len(f.States) > 1 {
		w.add(`r.state = ANY(?)`, f.States)
	}
	if f.Action != "" {
		w.add(`r.action = ?`, f.Action)
	}
	if f.Asset != "" {
		w.add(`r.asset = ?`, f.Asset)
	}
	if !f.Before.IsZero() {
		w.add(`r.expires < ?`, f.Before)
	}
	return w
}

// state is a known state, or the empty one.
func state(s treasury.State) treasury.State {
	switch s {
	case treasury.Waiting, treasury.Approved, treasury.Denied, treasury.Expired, treasury.Cancelled, treasury.Done, treasury.Failed:
		return s
	}
	return ""
}

func cursor(after string) (time.Time, string, error) {
	micro, id, _ := strings.Cut(after, ".")
	at, err := strconv.ParseInt(micro, 10, 64)
	if err != nil || id == "" {
		return time.Time{}, "", fmt.Errorf("%w: after: give the Next of the page before", treasury.ErrInvalid)
	}
	return time.UnixMicro(at), id, nil
}

// fill makes the page of what was found.
func fill(ctx context.Context, db DB, page *treasury.Page, found []scanned) error {
	sound := make([]*Row, 0, len(found))
	for at := range found {
		if found[at].tampered == nil {
			sound = append(sound, &found[at].Row)
		}
	}
	if err := attachSigned(ctx, db, sound); err != nil {
		return err
	}
	page.Requests = make([]treasury.Request, len(found))
	for at := range found {
		r := &found[at]
		if r.tampered == nil {
			page.Requests[at] = r.Request
			continue
		}
		page.Requests[at] = treasury.Request{
			ID: r.ID, State: r.State, Version: r.Version, Created: r.Created, Expires: r.Expires,
			Notes: []treasury.Note{{Level: treasury.Danger, Text: r.tampered.Error() + ": approve nothing here, and tell an officer"}},
		}
	}
	return nil
}

// Lapsed lists waiting requests that expired, the first ones first, at most limit.
func Lapsed(ctx context.Context, db DB, now time.Time, limit int) ([]string, error) {
	return ids(ctx, db, `SELECT id FROM treasury.request WHERE state = 'waiting' AND expires <= $1 ORDER BY expires, id LIMIT $2`, now, limit)
}

// Waiting lists requests that wait and came before a policy or roster, at most limit.
func Waiting(ctx context.Context, db DB, h Head, limit int) ([]string, error) {
	return ids(ctx, db, `SELECT id FROM treasury.request WHERE state = 'waiting' AND (policy <> $1 OR roster <> $2) ORDER BY expires, id LIMIT $3`,
		h.Policy, h.Roster, limit)
}

func ids(ctx context.Context, db DB, sql string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list ids of requests: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list ids of requests: %w", err)
	}
	return list, nil
}
