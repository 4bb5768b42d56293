package ledger

import (
	"errors"
	"fmt"
)

// accountText and assetText are texts of bounded length without a pointer.
type (
	accountText struct {
		size  uint8
		bytes [maxAccountBytes]byte
	}
	assetText struct {
		size  uint8
		bytes [maxAssetBytes]byte
	}
)

var errTextTooLong = errors.New("text is longer than the schema allows")

func (t *accountText) text() []byte { return t.bytes[:t.size] }
func (t *assetText) text() []byte   { return t.bytes[:t.size] }

// Scan implements [database/sql.Scanner] for text columns.
func (t *accountText) Scan(src any) error { return scanText(src, t.bytes[:], &t.size) }

// Scan implements [database/sql.Scanner] for text columns.
func (t *assetText) Scan(src any) error { return scanText(src, t.bytes[:], &t.size) }

func scanText(src any, into []byte, size *uint8) error {
	s, ok := src.(string)
	if !ok || len(s) > len(into) {
		return fmt.Errorf("%T %.200q: %w", src, src, errTextTooLong)
	}
	clear(into[copy(into, s):]) // so that equal texts are equal values
	*size = uint8(len(s))       //nolint:gosec // at most len(into)
	return nil
}
