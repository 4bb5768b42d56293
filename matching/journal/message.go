package journal

import (
	"encoding/binary"
	"fmt"
	"io"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// A connection begins with a hello; the answer is one byte. Then come messages, each a
// length and a raftpb.Message; on a connection for a snapshot one message, then the file.
const (
	helloMagic   = "SRJWIRE1"
	helloBytes   = 8 + 8 + 8 + 8 + 1
	helloAnswer  = 1
	purposeLog   = 1
	purposeSnap  = 2
	maxWireBytes = 16 << 20
)

// hello says who calls whom about what.
type hello struct {
	identity, from, to uint64
	purpose            byte
}

func (h hello) encode() []byte {
	p := append(make([]byte, 0, helloBytes), helloMagic...)
	for _, v := range []uint64{h.identity, h.from, h.to} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return append(p, h.purpose)
}

func readHello(r io.Reader) (hello, error) {
	var p [helloBytes]byte
	if _, err := io.ReadFull(r, p[:]); err != nil {
		return hello{}, fmt.Errorf("read hello: %w", err)
	}
	le := binary.LittleEndian
	h := hello{le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:]), p[32]}
	if string(p[:8]) != helloMagic || h.purpose != purposeLog && h.purpose != purposeSnap {
		return h, fmt.Errorf("%w: hello", ErrForeign)
	}
	return h, nil
}

func writeMessage(w io.Writer, buf []byte, m *raftpb.Message) ([]byte, error) {
	p, err := proto.MarshalOptions{}.MarshalAppend(append(buf[:0], 0, 0, 0, 0), m)
	if err != nil {
		return buf, fmt.Errorf("encode message: %w", err)
	}
	if len(p) > maxWireBytes {
		return p, fmt.Errorf("%w: message of %d bytes", ErrTooLarge, len(p))
	}
	binary.LittleEndian.PutUint32(p, uint32(len(p)-4)) //nolint:gosec // bounded above
	if _, err := w.Write(p); err != nil {
		return p, fmt.Errorf("write message: %w", err)
	}
	return p, nil
}

// readMessage allocates: entries stay in memory and keep parts of the bytes.
func readMessage(r io.Reader) (*raftpb.Message, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > maxWireBytes {
		return nil, fmt.Errorf("%w: message of %d bytes", ErrTooLarge, n)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(p, m); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return m, nil
}
