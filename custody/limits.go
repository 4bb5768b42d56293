package custody

import (
	"fmt"
	"time"

	"strongroom/money"
)

// limitWindow is how far back the daily limit looks. It rolls: no calendar day
// and no time zone has a part in it.
const limitWindow = 24 * time.Hour

// WindowStart returns the instant after which use counts against a daily limit.
func WindowStart(now time.Time) time.Time { return now.UTC().Add(-limitWindow) }

// CheckDaily returns ErrLimit where amount on top of what was used in the window
// exceeds limit. A limit of zero is none.
func CheckDaily(limit, used, amount money.Units) error {
	if limit.IsZero() {
		return nil
	}
	total, err := used.Add(amount)
	if err != nil || limit.Less(total) {
		return fmt.Errorf("%w: %s of %s used in 24 hours", ErrLimit, used, limit)
	}
	return nil
}
