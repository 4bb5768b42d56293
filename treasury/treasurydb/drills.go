package treasurydb

import (
	"context"
	"fmt"
	"time"

	"strongroom/treasury"
)

// Drill is a text that the keys of a vault are asked to sign.
type Drill struct {
	Nonce, Vault, Message string
	Opened, Until         time.Time
	Proven                bool
}

// InsertDrill keeps a new one.
func InsertDrill(ctx context.Context, db DB, d *Drill) error {
	_, err := db.Exec(ctx, `INSERT INTO treasury.drill (nonce, vault, message, opened, until) VALUES ($1, $2, $3, $4, $5)`, d.Nonce, d.Vault, d.Message, d.Opened, d.Until)
	if err != nil {
		return fmt.Errorf("keep drill of %s: %w", d.Vault, err)
	}
	return nil
}

// ReadDrill reads one. Errors: treasury.ErrUnknown.
func ReadDrill(ctx context.Context, db DB, nonce string) (Drill, error) {
	return drillOf(ctx, db, `WHERE nonce = $1`, nonce)
}

// OpenDrill reads the newest one of a vault that may still be proven at a time. Errors:
// treasury.ErrUnknown.
func OpenDrill(ctx context.Context, db DB, vault string, at time.Time) (Drill, error) {
	return drillOf(ctx, db, `WHERE vault = $1 AND proven IS NULL AND until > $2 ORDER BY opened DESC LIMIT 1`, vault, at)
}

func drillOf(ctx context.Context, db DB, where string, args ...any) (Drill, error) {
	var d Drill
	err := db.QueryRow(ctx, `SELECT nonce, vault, message, opened, until, proven IS NOT NULL FROM treasury.drill `+where, args...).
		Scan(&d.Nonce, &d.Vault, &d.Message, &d.Opened, &d.Until, &d.Proven)
	if err != nil {
		return d, fmt.Errorf("read drill: %w", known(err))
	}
	return d, nil
}

// ProveDrill keeps the file that proves a drill. Errors: treasury.ErrConflict where it is
// proven already.
func ProveDrill(ctx context.Context, db DB, nonce string, file []byte, now time.Time) error {
	tag, err := db.Exec(ctx, `UPDATE treasury.drill SET file = $2, proven = $3 WHERE nonce = $1 AND proven IS NULL`, nonce, file, now)
	if err != nil {
		return fmt.Errorf("prove drill %s: %w", nonce, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("prove drill %s: %w", nonce, treasury.ErrConflict)
	}
	return nil
}
