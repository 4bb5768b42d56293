package wire

import (
	"encoding/binary"
	"fmt"

	"strongroom/matching/engine"
)

// RecordKind says what a record of a log entry is.
type RecordKind uint8

// Kinds of records. The fields of Record that each has are named behind it.
const (
	RecordCommands RecordKind = iota + 1 // Session, First, Count, Body: commands of a session
	RecordOpen                           // Token, Owner: a session begins
	RecordEnd                            // Session: it ends, and with it the orders that wait for that
	RecordMarket                         // Token, Market, Config
)

// MaxOwnerBytes bounds the name of a session's owner.
const MaxOwnerBytes = 64

// Sizes of the fixed parts.
const (
	entryHead    = 1 + 8
	commandsHead = 4 + 8 + 2
	endBytes     = 4
	tokenBytes   = 8
	marketHead   = tokenBytes + 2
)

// Record is one part of a log entry.
type Record struct {
	Kind    RecordKind
	Session engine.SessionID
	// First is the number of the first of Count commands in Body.
	First uint64
	Count int
	Body  []byte
	// Token lets the process that asked know its answer.
	Token  uint64
	Owner  []byte
	Market engine.MarketID
	Config engine.MarketConfig
}

// AppendEntry begins a log entry at log time ns. Records follow it.
func AppendEntry(b []byte, ns int64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, Version), uint64(ns)) //nolint:gosec // bits as they are
}

// AppendCommands adds a record of count commands, packed in body.
func AppendCommands(b []byte, session engine.SessionID, first uint64, count int, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, byte(RecordCommands)), uint32(session))
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint16(b, uint16(count)) //nolint:gosec // at most MaxFrameCommands
	return append(b, body...)
}

// AppendOpen adds the beginning of a session of owner, of at most MaxOwnerBytes.
func AppendOpen(b []byte, token uint64, owner string) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(RecordOpen)), token)
	return append(append(b, byte(len(owner))), owner...) //nolint:gosec // at most MaxOwnerBytes
}

// AppendEnd adds the end of a session.
func AppendEnd(b []byte, session engine.SessionID) []byte {
	return binary.LittleEndian.AppendUint32(append(b, byte(RecordEnd)), uint32(session))
}

// AppendMarket adds a market's configuration.
func AppendMarket(b []byte, token uint64, market engine.MarketID, config *engine.MarketConfig) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(RecordMarket)), token)
	b = binary.LittleEndian.AppendUint16(b, uint16(market))
	return AppendConfig(b, config)
}

// ReadEntry reads the head of a log entry and returns its records unread. Errors:
// ErrMalformed.
func ReadEntry(b []byte) (ns int64, records []byte, err error) {
	if len(b) < entryHead || b[0] != Version {
		return 0, nil, fmt.Errorf("%w: entry of %d bytes", ErrMalformed, len(b))
	}
	return int64(binary.LittleEndian.Uint64(b[1:])), b[entryHead:], nil //nolint:gosec // bits as they are
}

// ReadRecord reads the record at the start of b, which is not empty, and returns what
// follows it. Of commands it only finds the end: each is still to be read from Body.
// Errors: ErrMalformed.
func ReadRecord(b []byte, r *Record) (rest []byte, err error) {
	kind := RecordKind(b[0])
	b = b[1:]
	switch {
	case kind == RecordCommands && len(b) >= commandsHead:
		return readRun(b, r)
	case kind == RecordOpen && len(b) > tokenBytes && len(b) > tokenBytes+int(b[tokenBytes]) && b[tokenBytes] <= MaxOwnerBytes:
		end := tokenBytes + 1 + int(b[tokenBytes])
		*r = Record{Kind: kind, Token: binary.LittleEndian.Uint64(b), Owner: b[tokenBytes+1 : end]}
		return b[end:], nil
	case kind == RecordEnd && len(b) >= endBytes:
		*r = Record{Kind: kind, Session: engine.SessionID(binary.LittleEndian.Uint32(b))}
		return b[endBytes:], nil
	case kind == RecordMarket && len(b) >= marketHead:
		*r = Record{Kind: kind, Token: binary.LittleEndian.Uint64(b), Market: engine.MarketID(binary.LittleEndian.Uint16(b[tokenBytes:]))}
		return readConfig(b[marketHead:], &r.Config)
	}
	return nil, fmt.Errorf("%w: record %d before %d bytes", ErrMalformed, kind, len(b))
}

func readRun(b []byte, r *Record) ([]byte, error) {
	*r = Record{
		Kind: RecordCommands, Session: engine.SessionID(binary.LittleEndian.Uint32(b)),
		First: binary.LittleEndian.Uint64(b[4:]), Count: int(binary.LittleEndian.Uint16(b[12:])),
	}
	r.Body = b[commandsHead:]
	rest := r.Body
	if r.Count == 0 || r.Count > MaxFrameCommands {
		return nil, fmt.Errorf("%w: run of %d commands", ErrMalformed, r.Count)
	}
	for range r.Count {
		n := PackedLen(rest)
		if n == 0 || n > len(rest) {
			return nil, fmt.Errorf("%w: run of commands breaks off", ErrMalformed)
		}
		rest = rest[n:]
	}
	r.Body = r.Body[:len(r.Body)-len(rest)]
	return rest, nil
}
