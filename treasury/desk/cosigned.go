package desk

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/internal/crash"
	"strongroom/treasury"
	"strongroom/treasury/treasurydb"
)

// maxPSBT bounds what is offered and brought, in bytes.
const maxPSBT = 4 << 20

// Offer keeps the transaction that a vault's cosigners are asked to sign. The same again
// is no error. Errors: treasury.ErrConflict where another was offered for the intent.
func (d *Desk) Offer(ctx context.Context, intent, vault string, psbt []byte) error {
	if intent == "" || vault == "" || len(psbt) == 0 || len(psbt) > maxPSBT {
		return fmt.Errorf("%w: offer: an intent, a vault and a PSBT of at most %d bytes", treasury.ErrInvalid, maxPSBT)
	}
	return d.inTxAt(ctx, crash.OfferedBefore, crash.OfferedAfter, func(tx pgx.Tx) (_, failed error) {
		return nil, treasurydb.InsertOffer(ctx, tx, &treasurydb.Offer{Intent: intent, Vault: vault, PSBT: psbt, Came: d.now()})
	})
}

// Offered is what a vault's cosigners are asked to sign. Errors: treasury.ErrUnknown.
func (d *Desk) Offered(ctx context.Context, intent string) (vault string, psbt []byte, err error) {
	o, err := treasurydb.ReadOffer(ctx, d.cfg.Pool, intent)
	return o.Vault, o.PSBT, err
}

// Bring keeps what a cosigner brings back, if check finds nothing against it. The same
// again is no error. Errors: treasury.ErrUnknown, treasury.ErrRefused, treasury.ErrInvalid.
func (d *Desk) Bring(ctx context.Context, intent string, psbt []byte, check func(vault string, offered, brought []byte) error) error {
	if len(psbt) == 0 || len(psbt) > maxPSBT {
		return fmt.Errorf("%w: PSBT of %d bytes: at most %d", treasury.ErrInvalid, len(psbt), maxPSBT)
	}
	return d.inTxAt(ctx, crash.BroughtBefore, crash.BroughtAfter, func(tx pgx.Tx) (spoken, failed error) {
		if failed = treasurydb.Lock(ctx, tx, "offer "+intent); failed != nil {
			return nil, failed
		}
		o, err := treasurydb.ReadOffer(ctx, tx, intent)
		if err != nil {
			return nil, err
		}
		have, err := treasurydb.Copies(ctx, tx, intent)
		if err != nil {
			return nil, err
		}
		if len(have) >= treasurydb.MaxCopies {
			return fmt.Errorf("%w: %d copies are here already", treasury.ErrRefused, len(have)), nil
		}
		if err := check(o.Vault, o.PSBT, psbt); err != nil {
			return fmt.Errorf("%w: %w", treasury.ErrRefused, err), nil
		}
		return nil, treasurydb.InsertCopy(ctx, tx, intent, psbt, d.now())
	})
}

// Copies lists what cosigners of an intent brought.
func (d *Desk) Copies(ctx context.Context, intent string) ([][]byte, error) {
	return treasurydb.Copies(ctx, d.cfg.Pool, intent)
}
