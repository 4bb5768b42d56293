package treasurydb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Sum adds up what moves of an asset that were asked after a time, by one requester where
// it is given, and wait, are approved or done: what was denied, cancelled, has expired or
// failed never leaves. Only the actions given count. Errors: money.ErrRange.
func Sum(ctx context.Context, db DB, asset, requester string, after time.Time, actions []intent.Action) (money.Units, error) {
	var sum money.Units
	err := db.QueryRow(ctx, `SELECT COALESCE(sum(amount), 0) FROM treasury.request
		WHERE asset = $1 AND created > $2 AND amount > 0 AND state IN ('waiting', 'approved', 'done')
		AND ($3 = '' OR requester = $3) AND (cardinality($4::text[]) = 0 OR action = ANY($4))`, asset, after, requester, actionTexts(actions)).Scan(&sum)
	if err != nil {
		return money.Units{}, fmt.Errorf("sum what was asked of %s: %w", asset, err)
	}
	return sum, nil
}

// Past is a request as a trial of another policy sees it.
type Past struct {
	Row
	Counts bool // in windows
}

// PastRequests reads the newest requests since a time, the oldest first, without payloads
// and approvals; cut says that there are more than limit.
func PastRequests(ctx context.Context, db DB, since time.Time, limit int) (list []Past, cut bool, err error) {
	rows, err := db.Query(ctx, `SELECT `+withoutPayload+`WHERE r.created > $1 ORDER BY r.created DESC, r.id DESC LIMIT $2`, since, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("read past requests: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanRequest)
	if err != nil {
		return nil, false, fmt.Errorf("read past requests: %w", err)
	}
	if cut = len(found) > limit; cut {
		found = found[:limit]
	}
	list = make([]Past, 0, len(found))
	for at := len(found) - 1; at >= 0; at-- {
		r := &found[at]
		if r.tampered != nil {
			continue
		}
		list = append(list, Past{Row: r.Row, Counts: r.State.Open() || r.State == "done"})
	}
	return list, cut, nil
}

func actionTexts(actions []intent.Action) []string {
	texts := make([]string, len(actions))
	for at, a := range actions {
		texts[at] = string(a)
	}
	return texts
}
