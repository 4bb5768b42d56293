package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A frame is what one write with one flush puts into the log: a header of 32 bytes
// and a payload, both in multiples of 32, so that no header lies across two sectors
// and a disk that writes whole sectors leaves a header whole or not at all.
//
//	0 magic · 4 payload length · 8 sequence · 16 previous frame's check
//	20 payload check · 24 kind · 28 check of bytes 0 to 28
//
// Payloads are masked by a stream that depends on the sequence: sectors of a pre-zeroed
// file that were never written are zero, and no written one is. That tells a write that
// was cut short from a written one that was damaged.
const (
	headerBytes   = 32
	frameAlign    = 32
	sector        = 512
	frameMagic    = 0x314a5253 // "SRJ1"
	maxFrameBytes = 64 << 20

	kindSegment = 1
	kindBatch   = 2

	maskStep = 0x9e3779b97f4a7c15
	maskMix  = 0xbf58476d1ce4e5b9
)

// header is a decoded frame header.
type header struct {
	length   uint32
	sequence uint64
	previous uint32
	payload  uint32
	kind     uint32
	check    uint32
}

func castagnoli(p []byte) uint32 {
	return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli))
}

// mask is its own inverse. len(p) is a multiple of 8.
func mask(p []byte, sequence uint64) {
	word := (sequence + 1) * maskMix
	for i := 0; i+8 <= len(p); i += 8 {
		word += maskStep
		mixed := (word ^ word>>29) * maskMix
		binary.LittleEndian.PutUint64(p[i:], binary.LittleEndian.Uint64(p[i:])^mixed)
	}
}

// seal turns frame, 32 free bytes and a payload, into a frame: it pads, masks, and
// writes the header. It returns the frame and its check.
func seal(frame []byte, kind uint32, sequence uint64, previous uint32) ([]byte, uint32) {
	for len(frame)%frameAlign != 0 {
		frame = append(frame, 0)
	}
	payload := frame[headerBytes:]
	mask(payload, sequence)
	le := binary.LittleEndian
	le.PutUint32(frame[0:], frameMagic)
	le.PutUint32(frame[4:], uint32(len(payload))) //nolint:gosec // at most maxFrameBytes
	le.PutUint64(frame[8:], sequence)
	le.PutUint32(frame[16:], previous)
	le.PutUint32(frame[20:], castagnoli(payload))
	le.PutUint32(frame[24:], kind)
	check := castagnoli(frame[:28])
	le.PutUint32(frame[28:], check)
	return frame, check
}

// parseHeader decodes the header at the start of p.
func parseHeader(p []byte) (header, error) {
	if len(p) < headerBytes {
		return header{}, fmt.Errorf("%w: %d bytes are no frame header", ErrCorrupt, len(p))
	}
	le := binary.LittleEndian
	h := header{
		length: le.Uint32(p[4:]), sequence: le.Uint64(p[8:]), previous: le.Uint32(p[16:]),
		payload: le.Uint32(p[20:]), kind: le.Uint32(p[24:]), check: le.Uint32(p[28:]),
	}
	switch {
	case le.Uint32(p) != frameMagic || castagnoli(p[:28]) != h.check:
		return header{}, fmt.Errorf("%w: frame header does not check", ErrCorrupt)
	case h.length == 0 || h.length%frameAlign != 0 || h.length > maxFrameBytes:
		return header{}, fmt.Errorf("%w: frame of %d bytes", ErrCorrupt, h.length)
	case h.kind != kindSegment && h.kind != kindBatch:
		return header{}, fmt.Errorf("%w: frame of kind %d", ErrCorrupt, h.kind)
	}
	return h, nil
}

// scanner walks the frames of one segment's bytes.
type scanner struct {
	p      []byte
	off    int
	last   bool // the segment is the newest: its tail may be torn
	anchor bool // sequence and previous are known
	seq    uint64
	prev   uint32
}

// next returns the next frame's kind and unmasked payload. Kind 0 is the end; then off
// is where writing goes on and whatever lies behind it was never acknowledged.
func (s *scanner) next() (kind uint32, payload []byte, err error) {
	rest := s.p[s.off:]
	if len(rest) < headerBytes || allZero(rest[:headerBytes]) {
		return 0, nil, s.end(rest)
	}
	h, err := parseHeader(rest)
	if err != nil {
		return 0, nil, err
	}
	if s.anchor && (h.sequence != s.seq+1 || h.previous != s.prev) {
		return 0, nil, fmt.Errorf("%w: frame %d follows frame %d", ErrCorrupt, h.sequence, s.seq)
	}
	stop := headerBytes + int(h.length)
	if stop > len(rest) || castagnoli(rest[headerBytes:stop]) != h.payload {
		if s.last && s.torn(stop) && !s.validAfter(headerBytes) {
			return 0, nil, nil
		}
		return 0, nil, fmt.Errorf("%w: payload of frame %d does not check", ErrCorrupt, h.sequence)
	}
	payload = rest[headerBytes:stop:stop]
	mask(payload, h.sequence)
	s.off += stop
	s.anchor, s.seq, s.prev = true, h.sequence, h.check
	return h.kind, payload, nil
}

// end decides on what lies where no frame begins.
func (s *scanner) end(rest []byte) error {
	if allZero(rest) {
		return nil
	}
	if !s.last || s.validAfter(0) {
		return fmt.Errorf("%w: bytes where a frame should begin, behind frame %d", ErrCorrupt, s.seq)
	}
	return nil // the first sector of a last write is missing, later ones are there
}

// torn reports whether the frame of length bytes at off misses a sector: the file ends
// inside it, or a sector behind the header's was never written.
func (s *scanner) torn(length int) bool {
	from, stop := s.off+headerBytes, s.off+length
	if stop > len(s.p) {
		return true
	}
	for at := (from + sector - 1) / sector * sector; at < stop; at += sector {
		if allZero(s.p[at:min(at+sector, stop)]) {
			return true
		}
	}
	return false
}

// validAfter reports whether a later frame's header lies somewhere behind off+skip: then
// the frame at off had been flushed, because writes wait for each other.
func (s *scanner) validAfter(skip int) bool {
	for at := s.off + skip; at+headerBytes <= len(s.p); at += frameAlign {
		h, err := parseHeader(s.p[at:])
		if err == nil && h.sequence > s.seq && h.sequence-s.seq < 1<<32 {
			return true
		}
	}
	return false
}

func allZero(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p) != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
