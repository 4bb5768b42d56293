package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what a caller may hand in.
const (
	maxIDBytes        = 96
	maxAccountBytes   = 128
	maxAssetBytes     = 32
	maxLegs           = 8_192 // what a batch of trades moves, netted
	maxMetadata       = 16
	maxMetadataKey    = 64
	maxMetadataValue  = 512
	maxSourceBytes    = 128
	maxEvidenceBytes  = 512
	reservedIDPrefix  = "expire/"
	requestHashDomain = "strongroom/ledger/transaction/1"
)

// Bounds of times: outside them PostgreSQL and the hash would disagree.
const (
	minYear = 1970
	maxYear = 9999
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// validate checks everything that can be told without the book.
func (t Transaction) validate() error {
	if !validID(t.ID) {
		return invalid("transaction id %.120q", t.ID)
	}
	if len(t.Legs) == 0 || len(t.Legs) > maxLegs {
		return invalid("%d legs, want 1 to %d", len(t.Legs), maxLegs)
	}
	if err := validTime("event time", t.EventTime); err != nil {
		return err
	}
	if err := validMetadata(t.Metadata); err != nil {
		return err
	}
	for i := range t.Legs {
		if err := t.Legs[i].validate(); err != nil {
			return fmt.Errorf("leg %d: %w", i, err)
		}
	}
	return t.validateIDs()
}

func (t Transaction) validateIDs() error {
	if len(t.Legs) == 1 {
		return nil
	}
	seen := make(map[TransferID]struct{}, len(t.Legs))
	for i, leg := range t.Legs {
		if _, twice := seen[leg.ID]; twice {
			return invalid("leg %d repeats transfer id %q", i, leg.ID)
		}
		seen[leg.ID] = struct{}{}
	}
	return nil
}

func (t Transfer) validate() error {
	if !validID(string(t.ID)) {
		return invalid("transfer id %.120q", string(t.ID))
	}
	switch t.Kind {
	case Single, Pending:
		return t.validateMove()
	case Post, Void:
		return t.validateResolve()
	}
	return invalid("kind %d", t.Kind)
}

func (t Transfer) validateMove() error {
	switch {
	case !t.Debit.valid() || !t.Credit.valid():
		return invalid("accounts %.140q and %.140q", string(t.Debit), string(t.Credit))
	case t.Debit == t.Credit:
		return invalid("both sides are %q", t.Debit)
	case t.Amount.IsZero():
		return invalid("amount is zero")
	case t.Pending != "":
		return invalid("pending is set on a transfer that resolves nothing")
	case t.Kind == Single && !t.Expires.IsZero():
		return invalid("a single transfer does not expire")
	}
	return validTime("expiry", t.Expires)
}

func (t Transfer) validateResolve() error {
	switch {
	case t.Debit != "" || t.Credit != "":
		return invalid("accounts are those of the pending transfer")
	case !validPendingID(string(t.Pending)):
		return invalid("pending id %.120q", string(t.Pending))
	case t.Kind == Void && !t.Amount.IsZero():
		return invalid("a void has no amount")
	case !t.Expires.IsZero():
		return invalid("only a pending transfer expires")
	}
	return nil
}

func (a Account) validate() error {
	switch {
	case !a.ID.valid():
		return invalid("account id %.140q", string(a.ID))
	case a.Asset == "" || len(a.Asset) > maxAssetBytes || !onlyPathBytes(a.Asset) || strings.Contains(a.Asset, "/"):
		return invalid("asset %.40q", a.Asset)
	case a.Class < Asset || a.Class > Expense:
		return invalid("class %d", a.Class)
	}
	return validMetadata(a.Metadata)
}

func (a Attestation) validate() error {
	probe := Account{ID: "x", Asset: a.Asset, Class: Asset}
	if err := probe.validate(); err != nil {
		return err
	}
	switch {
	case a.Source == "" || len(a.Source) > maxSourceBytes || !onlyPathBytes(a.Source):
		return invalid("source %.140q", a.Source)
	case len(a.Evidence) > maxEvidenceBytes || !plainText(a.Evidence):
		return invalid("evidence of %d bytes", len(a.Evidence))
	}
	return nil
}

func (id AccountID) valid() bool {
	return id != "" && len(id) <= maxAccountBytes && onlyPathBytes(string(id))
}

func onlyPathBytes(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("/_-.:", rune(c)) {
			return false
		}
	}
	return true
}

// validID accepts printable ASCII; ids that the ledger makes itself are apart.
func validID(s string) bool {
	return validPendingID(s) && !strings.HasPrefix(s, reservedIDPrefix)
}

func validPendingID(s string) bool {
	if s == "" || len(s) > maxIDBytes {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func validTime(what string, t time.Time) error {
	if t.IsZero() || (t.UTC().Year() >= minYear && t.UTC().Year() <= maxYear) {
		return nil
	}
	return invalid("%s %s", what, t)
}

func validMetadata(m map[string]string) error {
	if len(m) > maxMetadata {
		return invalid("%d metadata entries, at most %d", len(m), maxMetadata)
	}
	for k, v := range m {
		if k == "" || len(k) > maxMetadataKey || len(v) > maxMetadataValue || !plainText(k) || !plainText(v) {
			return invalid("metadata entry %.80q", k)
		}
	}
	return nil
}

// plainText refuses what jsonb and text cannot hold.
func plainText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// requestHash digests the content of t: each field is preceded by its length, so
// that no two contents give the same bytes.
func (t Transaction) requestHash() [sha256.Size]byte {
	buf := make([]byte, 0, 512)
	buf = appendString(buf, requestHashDomain)
	buf = appendString(buf, t.ID)
	buf = appendMoment(buf, t.EventTime)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(t.Metadata))) //nolint:gosec // at most maxMetadata
	for _, k := range sortedKeys(t.Metadata) {
		buf = appendString(appendString(buf, k), t.Metadata[k])
	}
	for i := range t.Legs {
		leg := &t.Legs[i]
		amount := leg.Amount.Bytes32()
		buf = append(appendString(buf, string(leg.ID)), byte(leg.Kind))
		buf = appendString(appendString(buf, string(leg.Debit)), string(leg.Credit))
		buf = appendString(append(buf, amount[:]...), string(leg.Pending))
		buf = appendMoment(buf, leg.Expires)
	}
	return sha256.Sum256(buf)
}

func appendString(buf []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...) //nolint:gosec // lengths were validated
}

// appendMoment writes microseconds, PostgreSQL's resolution; a missing time is
// told apart from the epoch.
func appendMoment(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(buf, 0)
	}
	return binary.BigEndian.AppendUint64(append(buf, 1), uint64(t.UnixMicro()))
}

func sortedKeys(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
