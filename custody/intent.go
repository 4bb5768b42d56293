package custody

import (
	"crypto/sha256"
	"encoding/binary"

	"strongroom/chainadapters"
	"strongroom/money"
)

// intentDomain keeps hashes of intents apart from all other hashes.
const intentDomain = "strongroom/intent/v1"

// Intent is what is meant to happen on chain, in canonical form. Every field is
// in its hash, so that consent to one intent is worth nothing for another.
type Intent struct {
	Environment string // name of the installation
	ID          string // wdr_…, col_…, gas_…
	Kind        IntentKind
	Chain       chainadapters.ChainID
	Asset       string
	Contract    string // empty for the native asset
	To          string // canonical
	Amount      money.Units
}

// Bytes returns the canonical form: the domain, then each field in the order of
// the struct, each preceded by its length in eight bytes, most significant first.
// Two intents have the same bytes only where all fields are equal.
func (i Intent) Bytes() []byte {
	var out []byte
	for _, field := range []string{
		intentDomain, i.Environment, i.ID, string(i.Kind), string(i.Chain), i.Asset, i.Contract, i.To, i.Amount.String(),
	} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(field)))
		out = append(out, field...)
	}
	return out
}

// Hash returns the SHA-256 of Bytes.
func (i Intent) Hash() [32]byte { return sha256.Sum256(i.Bytes()) }
