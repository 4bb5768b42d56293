package treasurydb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
)

// MaxCopies bounds what cosigners may bring for one intent.
const MaxCopies = 32

// Offer is a PSBT that a vault's cosigners are asked to sign.
type Offer struct {
	Intent, Vault string
	PSBT          []byte
	Came          time.Time
}

// InsertOffer keeps an offer. The same again is no error; another one for the intent is
// treasury.ErrConflict.
func InsertOffer(ctx context.Context, db DB, o *Offer) error {
	_, err := db.Exec(ctx, `INSERT INTO treasury.offer (intent, vault, psbt, came) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		o.Intent, o.Vault, o.PSBT, o.Came)
	if err != nil {
		return fmt.Errorf("keep offer of %s: %w", o.Intent, err)
	}
	have, err := ReadOffer(ctx, db, o.Intent)
	if err != nil {
		return err
	}
	if have.Vault != o.Vault || !bytes.Equal(have.PSBT, o.PSBT) {
		return fmt.Errorf("keep offer of %s: %w: another transaction was offered", o.Intent, treasury.ErrConflict)
	}
	return nil
}

// ReadOffer reads one. Errors: treasury.ErrUnknown.
func ReadOffer(ctx context.Context, db DB, intent string) (Offer, error) {
	o := Offer{Intent: intent}
	err := db.QueryRow(ctx, `SELECT vault, psbt, came FROM treasury.offer WHERE intent = $1`, intent).Scan(&o.Vault, &o.PSBT, &o.Came)
	if err != nil {
		return o, fmt.Errorf("read offer of %s: %w", intent, known(err))
	}
	return o, nil
}

// InsertCopy keeps what a cosigner brought. The same again is no error.
func InsertCopy(ctx context.Context, db DB, intent string, psbt []byte, now time.Time) error {
	sum := sha256.Sum256(psbt)
	_, err := db.Exec(ctx, `INSERT INTO treasury.cosigned (intent, psbt, digest, came) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		intent, psbt, sum[:], now)
	if err != nil {
		return fmt.Errorf("keep copy of %s: %w", intent, err)
	}
	return nil
}

// Copies lists what cosigners brought, as it came.
func Copies(ctx context.Context, db DB, intent string) ([][]byte, error) {
	rows, err := db.Query(ctx, `SELECT psbt FROM treasury.cosigned WHERE intent = $1 ORDER BY seq LIMIT $2`, intent, MaxCopies)
	if err != nil {
		return nil, fmt.Errorf("read copies of %s: %w", intent, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("read copies of %s: %w", intent, err)
	}
	return list, nil
}
