package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"strongroom/money"
)

// Kinds of journal record.
const (
	recordOpen = "open" // the first: binds the journal to its seed
	recordSign = "sign" // permission to sign one payload; written before the signature exists
	// A signature that would not come out the same again; written before it leaves.
	recordSigned = "signed"

	// What people and officers decided, where consent is verified.
	recordRoster   = "roster"
	recordPolicy   = "policy"
	recordAllow    = "allow"
	recordDisallow = "disallow"
	recordFreeze   = "freeze"
	recordUnfreeze = "unfreeze"
)

// Layout of a journal line: eight hex digits of CRC-32C over the rest, a space,
// JSON, a line break.
const (
	crcDigits    = 8
	maxLineBytes = 256 << 10
)

// record is one line of the journal. Prev is the SHA-256 of the line before it,
// so that no line can be changed, dropped or moved unseen.
type record struct {
	Seq         uint64      `json:"seq"`
	Prev        string      `json:"prev"`
	Time        time.Time   `json:"time"`
	Type        string      `json:"type"`
	Fingerprint string      `json:"fingerprint,omitempty"`
	Sign        *permission `json:"sign,omitempty"`
	Signed      *signedTx   `json:"signed,omitempty"`
	Decree      *decree     `json:"decree,omitempty"`
}

// whole reports whether a record holds what its type says.
func (r record) whole() bool {
	if (r.Signed != nil) != (r.Type == recordSigned) {
		return false
	}
	switch r.Type {
	case recordSigned:
		return r.Sign == nil && r.Decree == nil
	case recordOpen:
		return r.Sign == nil && r.Decree == nil
	case recordSign:
		return r.Sign != nil && r.Decree == nil
	case recordRoster, recordPolicy, recordAllow, recordDisallow, recordFreeze, recordUnfreeze:
		return r.Sign == nil && r.Decree != nil
	}
	return false
}

// permission is what the journal keeps of a transaction that may be signed.
type permission struct {
	Intent    intent      `json:"intent"`
	Attempt   uint32      `json:"attempt"`
	Payload   string      `json:"payload"` // SHA-256 of the unsigned transaction
	Slot      string      `json:"slot,omitempty"`
	Coins     []spentCoin `json:"coins,omitempty"`
	Exec      string      `json:"exec,omitempty"` // SHA-256 of the vault's call, of a refill
	Fee       money.Units `json:"fee"`
	Policy    string      `json:"policyVersion,omitempty"`
	Approvals []approval  `json:"approvals,omitempty"`
	Grant     *grant      `json:"grant,omitempty"` // where consent is verified
}

// encodeRecord returns the line of a record and its hash.
func encodeRecord(r record) (line []byte, hash [sha256.Size]byte, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, hash, fmt.Errorf("encode journal record: %w", err)
	}
	line = fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli()), body)
	if len(line) > maxLineBytes {
		return nil, hash, fmt.Errorf("%w: record of %d bytes", ErrInvalid, len(line))
	}
	return line, sha256.Sum256(line), nil
}

// decodeRecord reads a line without its line break. It refuses whatever
// encodeRecord would not have written.
func decodeRecord(line []byte) (record, error) {
	var r record
	if len(line) < crcDigits+1 || line[crcDigits] != ' ' {
		return r, fmt.Errorf("%w: malformed line", ErrJournal)
	}
	sum, err := strconv.ParseUint(string(line[:crcDigits]), 16, 32)
	body := line[crcDigits+1:]
	if err != nil || uint32(sum) != crc32.Checksum(body, castagnoli()) {
		return r, fmt.Errorf("%w: checksum does not match", ErrJournal)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if !r.whole() {
		return r, fmt.Errorf("%w: record of type %.20q", ErrJournal, r.Type)
	}
	return r, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// chainHead is the end of a journal: how many records, and the hash of the last.
type chainHead struct {
	seq  uint64
	hash [sha256.Size]byte
}

func (h chainHead) prev() string { return hex.EncodeToString(h.hash[:]) }

// headAfter is the end of a journal whose last record is r.
func headAfter(r record, line []byte) chainHead {
	return chainHead{seq: r.Seq, hash: sha256.Sum256(line)}
}
