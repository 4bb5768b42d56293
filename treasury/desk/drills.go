package desk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/treasury"
	"strongroom/treasury/drill"
	"strongroom/treasury/treasurydb"
	"strongroom/treasury/vault"
)

// Prover says whose valid signatures a drill of a vault has, and how many it takes. An
// error says why the file proves nothing.
type Prover func(of string, f *drill.File) (signed []string, need int, err error)

// OpenDrill draws a text that the keys of a vault, which is paid at place, are asked to
// sign, or returns the one that is open.
func (d *Desk) OpenDrill(ctx context.Context, of, place string) (drill.File, error) {
	var f drill.File
	err := d.inTx(ctx, func(tx pgx.Tx) (_, failed error) {
		if failed = treasurydb.Lock(ctx, tx, "drill "+of); failed != nil {
			return nil, failed
		}
		now := d.now()
		open, failed := treasurydb.OpenDrill(ctx, tx, of, now)
		if failed == nil {
			f, failed = reopened(open.Message, place)
			return nil, failed
		}
		if !isUnknown(failed) {
			return nil, failed
		}
		var drawn [16]byte
		if _, err := rand.Read(drawn[:]); err != nil {
			return nil, fmt.Errorf("draw nonce: %w", err)
		}
		text := drill.Text{
			Environment: d.cfg.Environment, Vault: of, Place: place, Nonce: hex.EncodeToString(drawn[:]), Opened: now.Unix(), Until: now.Add(drill.Life).Unix(),
		}
		if _, err := drill.Parse(text.Message()); err != nil {
			return nil, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
		}
		f = drill.NewFile(&text)
		return nil, treasurydb.InsertDrill(ctx, tx, &treasurydb.Drill{
			Nonce: text.Nonce, Vault: of, Message: f.Message, Opened: time.Unix(text.Opened, 0), Until: time.Unix(text.Until, 0),
		})
	})
	return f, err
}

// reopened is the file of a drill that is open; a vault that has moved needs another one.
func reopened(message, place string) (drill.File, error) {
	text, err := drill.Parse(message)
	if err != nil {
		return drill.File{}, fmt.Errorf("%w: %w", treasury.ErrTampered, err)
	}
	if text.Place != place {
		return drill.File{}, fmt.Errorf("%w: a drill is open for the place %s: wait until it lapses", treasury.ErrConflict, text.Place)
	}
	return drill.NewFile(&text), nil
}

// BringDrill takes the file of a drill in that enough of a vault's keys signed, and puts
// the proof on file as of when the text was drawn. The same again is no error. Errors:
// treasury.ErrUnknown, treasury.ErrRefused, treasury.ErrInvalid.
func (d *Desk) BringDrill(ctx context.Context, content []byte, prove Prover) (of string, signed []string, err error) {
	f, err := drill.ParseFile(content)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	text, err := drill.Parse(f.Message)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	err = d.inTx(ctx, func(tx pgx.Tx) (spoken, failed error) {
		is, failed := treasurydb.ReadDrill(ctx, tx, text.Nonce)
		if failed != nil {
			return nil, failed
		}
		if is.Message != f.Message {
			return fmt.Errorf("%w: the text is another one than was drawn", treasury.ErrRefused), nil
		}
		of = is.Vault
		if is.Proven {
			return nil, nil
		}
		if signed, spoken = d.enough(&is, &f, prove); spoken != nil {
			return spoken, nil
		}
		sum := sha256.Sum256(content)
		failed = treasurydb.InsertProof(ctx, tx, &treasury.ProofRow{
			Proof: vault.Proof{Vault: is.Vault, At: is.Opened.Unix()}, Kind: treasury.ProofDrill, Came: d.now(),
			Evidence: "drill " + is.Nonce + " signed by " + strings.Join(signed, ", ") + ", SHA-256 of the file " + hex.EncodeToString(sum[:]),
		})
		return nil, errors.Join(failed, treasurydb.ProveDrill(ctx, tx, is.Nonce, content, d.now()))
	})
	return of, signed, err
}

// enough says whether a file proves a drill now.
func (d *Desk) enough(is *treasurydb.Drill, f *drill.File, prove Prover) ([]string, error) {
	if !d.now().Before(is.Until) {
		return nil, fmt.Errorf("%w: it could be proven until %s: open another one", treasury.ErrRefused, is.Until.UTC().Format(time.RFC3339))
	}
	signed, need, err := prove(is.Vault, f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", treasury.ErrRefused, err)
	}
	if len(signed) < need || need < 1 {
		return nil, fmt.Errorf("%w: %d of the vault's keys signed, it takes %d: have more sign and combine the files", treasury.ErrRefused, len(signed), need)
	}
	return signed, nil
}
