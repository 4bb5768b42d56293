package ledger

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"strongroom/internal/pg"
	"strongroom/money"
)

// Rows are encoded once, in PostgreSQL's binary COPY form: the same bytes are
// sent to the server and digested by the hash chain.

// copyHeader starts a binary COPY stream: signature, flags, no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// Columns of the copied tables, in the order of the encoders below.
const (
	transferColumns = `seq, batch, transaction, id, kind, debit, credit, amount, pending, expires,
 debit_version, debit_prev, debit_debits, debit_credits, debit_holds, debit_announced,
 credit_version, credit_prev, credit_debits, credit_credits, credit_holds, credit_announced`
	transactionColumns = `seq, id, batch, legs, request_hash, event_time, metadata`

	transferFields    = 22
	transactionFields = 7
)

// postgresEpoch is what binary timestamps count from, in Unix microseconds.
const postgresEpoch = 946_684_800_000_000

func appendNull(buf []byte) []byte { return append(buf, 0xff, 0xff, 0xff, 0xff) }

func appendInt16(buf []byte, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(buf, 0, 0, 0, 2), n)
}

func appendInt32(buf []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(buf, 0, 0, 0, 4), uint32(n)) //nolint:gosec // same bits
}

func appendInt64(buf []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(buf, 0, 0, 0, 8), uint64(n)) //nolint:gosec // same bits
}

func appendText[T ~string | ~[]byte](buf []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...) //nolint:gosec // lengths were validated
}

func appendTime(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendNull(buf)
	}
	return appendInt64(buf, t.UnixMicro()-postgresEpoch)
}

func appendUnits(buf []byte, u money.Units) []byte {
	at := len(buf)
	buf = pg.AppendUnits(append(buf, 0, 0, 0, 0), u)
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4)) //nolint:gosec // at most 48
	return buf
}

func appendJSON(buf, text []byte) []byte {
	if text == nil {
		return appendNull(buf)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(text)+1)) //nolint:gosec // lengths were validated
	return append(append(buf, 1), text...)                        // jsonb's version
}

// metadataJSON is the canonical form: keys sorted, nil for none.
func metadataJSON(m map[string]string) []byte {
	if len(m) == 0 {
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic("ledger: a map of strings did not marshal: " + err.Error())
	}
	return text
}

func (r *row) append(buf []byte) []byte {
	buf = binary.BigEndian.AppendUint16(buf, transferFields)
	buf = appendInt64(appendInt64(appendInt64(buf, r.seq), r.batch), r.transaction)
	buf = appendInt16(appendText(buf, r.id), uint16(r.kind))
	buf = appendInt64(appendInt64(buf, r.debit.no), r.credit.no)
	buf = appendUnits(buf, r.amount)
	if r.pending == 0 {
		buf = appendNull(buf)
	} else {
		buf = appendInt64(buf, r.pending)
	}
	buf = appendTime(buf, r.expires)
	buf = r.debitAfter.append(buf, r.debitPrev)
	return r.creditAfter.append(buf, r.creditPrev)
}

func (s *state) append(buf []byte, previous int64) []byte {
	buf = appendInt64(appendInt64(buf, s.version), previous)
	buf = appendUnits(appendUnits(buf, s.debits), s.credits)
	return appendUnits(appendUnits(buf, s.debitsHeld), s.creditsAhead)
}

func (h *heading) append(buf []byte, batch int64) []byte {
	buf = binary.BigEndian.AppendUint16(buf, transactionFields)
	buf = appendText(appendInt64(buf, h.seq), h.tx.ID)
	buf = appendInt32(appendInt64(buf, batch), int32(h.legs)) //nolint:gosec // at most maxLegs
	buf = appendTime(appendText(buf, h.hash[:]), h.tx.EventTime)
	return appendJSON(buf, h.metadata)
}

// array builds a one-dimensional binary array parameter.
type array struct {
	buf   []byte
	count uint32
}

func newArray(buf []byte, elementOID uint32) array {
	buf = append(buf[:0], 0, 0, 0, 1, 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint32(buf, elementOID)
	return array{buf: append(buf, 0, 0, 0, 0, 0, 0, 0, 1)}
}

// done writes the number of elements into the header.
func (a *array) done() []byte {
	binary.BigEndian.PutUint32(a.buf[12:], a.count)
	return a.buf
}

func (a *array) int64(n int64) {
	a.buf = appendInt64(a.buf, n)
	a.count++
}

func (a *array) units(u money.Units) {
	a.buf = appendUnits(a.buf, u)
	a.count++
}
