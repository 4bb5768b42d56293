package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// chainDomain starts the digest of every batch.
const chainDomain = "strongroom/ledger/batch/1"

// link digests one batch into the hash chain: SHA-256 over the hash before, the
// batch's header, its transactions, its transfers with the accounts they name,
// and its attestations. Booking and verifying both go through it.
type link struct {
	digest hash.Hash
	buf    []byte
}

func newLink() *link { return &link{digest: sha256.New()} }

// start begins the digest of a batch.
func (l *link) start(previous [sha256.Size]byte, batch int64, booked time.Time) {
	l.digest.Reset()
	l.buf = append(append(l.buf[:0], chainDomain...), previous[:]...)
	l.buf = binary.BigEndian.AppendUint64(l.buf, uint64(batch)) //nolint:gosec // same bits
	l.buf = binary.BigEndian.AppendUint64(l.buf, uint64(booked.UnixMicro()))
	l.digest.Write(l.buf)
}

// transaction adds a transaction's row.
func (l *link) transaction(encoded []byte) { l.add(partTransaction, encoded) }

// transfer adds a transfer's row with the accounts that its numbers stand for,
// so that renaming an account breaks the chain as well.
func (l *link) transfer(encoded []byte, debit, credit *account) {
	l.add(partTransfer, encoded)
	l.buf = l.buf[:0]
	for _, a := range [...]*account{debit, credit} {
		l.buf = append(appendText(appendText(l.buf, a.id.text()), a.asset.text()), byte(a.class))
	}
	l.digest.Write(l.buf)
}

// attestation adds an attestation.
func (l *link) attestation(a *Attestation) {
	part := appendText(appendText(nil, a.Asset), a.Source)
	part = appendText(appendUnits(part, a.Amount), a.Evidence)
	l.add(partAttestation, binary.BigEndian.AppendUint64(part, a.Outflows))
}

func (l *link) add(kind byte, part []byte) {
	l.buf = binary.BigEndian.AppendUint32(append(l.buf[:0], kind), uint32(len(part))) //nolint:gosec // rows are small
	l.digest.Write(l.buf)
	l.digest.Write(part)
}

func (l *link) sum() (sum [sha256.Size]byte) {
	l.digest.Sum(sum[:0])
	return sum
}

// Kinds of parts.
const (
	partTransaction = 'X'
	partTransfer    = 'T'
	partAttestation = 'A'
)
