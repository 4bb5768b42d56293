package temporalx

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

// ErrPayload reports a payload that was not sealed by one of our keys, was
// changed since, or belongs to another workflow.
var ErrPayload = errors.New("payload is not ours")

// The metadata of a sealed payload. Encoding is Temporal's own word for how to
// read it; the other two are ours, in the clear and authenticated.
const (
	encodingSealed = "binary/encrypted"
	metaKeyID      = "encryption-key-id"
	metaWorkflow   = "encryption-workflow-id"
)

// maxSealed bounds one payload; Temporal itself refuses more than 2 MiB.
const maxSealed = 4 << 20

// Codec seals each payload with AES-256-GCM before it leaves the process, so that
// the Temporal server, its database and its web interface see ids and sizes only.
// A payload is bound to its workflow's id: moved to another workflow it does not
// open. Plain payloads are refused: nobody but a holder of the key may speak to
// our workflows.
type Codec struct {
	ring     *Keyring
	workflow string // empty where the SDK does not say
}

var (
	_ converter.PayloadCodec                         = Codec{}
	_ converter.PayloadCodecWithSerializationContext = Codec{}
)

// NewCodec returns the codec of a key ring.
func NewCodec(ring *Keyring) Codec { return Codec{ring: ring} }

// Converters returns what a Temporal client takes as DataConverter and
// FailureConverter. The latter seals error messages and stack traces too.
func Converters(ring *Keyring) (converter.DataConverter, converter.FailureConverter) {
	data := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), NewCodec(ring))
	return data, temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: data, EncodeCommonAttributes: true,
	})
}

// WithSerializationContext returns the codec of one workflow's payloads.
func (c Codec) WithSerializationContext(ctx converter.SerializationContext) converter.PayloadCodec {
	switch is := ctx.(type) {
	case converter.WorkflowSerializationContext:
		return Codec{ring: c.ring, workflow: is.WorkflowID}
	case converter.ActivitySerializationContext:
		return Codec{ring: c.ring, workflow: is.WorkflowID}
	}
	return c
}

// Encode seals each payload with the ring's first key.
func (c Codec) Encode(plain []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(plain))
	for i, p := range plain {
		text, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encode payload: %w", err)
		}
		seal := c.ring.seals[c.ring.first]
		nonce := make([]byte, seal.NonceSize(), seal.NonceSize()+len(text)+seal.Overhead())
		if _, err := rand.Read(nonce); err != nil {
			return nil, fmt.Errorf("draw nonce: %w", err)
		}
		meta := map[string][]byte{converter.MetadataEncoding: []byte(encodingSealed), metaKeyID: []byte(c.ring.first)}
		if c.workflow != "" {
			meta[metaWorkflow] = []byte(c.workflow)
		}
		sealed[i] = &commonpb.Payload{Metadata: meta, Data: seal.Seal(nonce, nonce, text, authenticated(meta))}
	}
	return sealed, nil
}

// Decode opens each payload, or refuses all of them with ErrPayload.
func (c Codec) Decode(sealed []*commonpb.Payload) ([]*commonpb.Payload, error) {
	plain := make([]*commonpb.Payload, len(sealed))
	for i, p := range sealed {
		opened, err := c.open(p)
		if err != nil {
			return nil, fmt.Errorf("open payload: %w", err)
		}
		plain[i] = opened
	}
	return plain, nil
}

func (c Codec) open(p *commonpb.Payload) (*commonpb.Payload, error) {
	meta := p.GetMetadata()
	if string(meta[converter.MetadataEncoding]) != encodingSealed {
		return nil, fmt.Errorf("%w: it is not sealed", ErrPayload)
	}
	bound := string(meta[metaWorkflow])
	if c.workflow != "" && bound != "" && bound != c.workflow {
		return nil, fmt.Errorf("%w: it belongs to workflow %.80q", ErrPayload, bound)
	}
	seal := c.ring.seals[string(meta[metaKeyID])]
	if seal == nil {
		return nil, fmt.Errorf("%w: no key %.32q", ErrPayload, meta[metaKeyID])
	}
	data := p.GetData()
	if len(data) < seal.NonceSize()+seal.Overhead() || len(data) > maxSealed {
		return nil, fmt.Errorf("%w: %d bytes", ErrPayload, len(data))
	}
	text, err := seal.Open(nil, data[:seal.NonceSize()], data[seal.NonceSize():], authenticated(meta))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	plain := &commonpb.Payload{}
	if err := proto.Unmarshal(text, plain); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return plain, nil
}

// authenticated is what the seal covers beside the text: key id and workflow id,
// each after its length, so that no two pairs look alike.
func authenticated(meta map[string][]byte) []byte {
	var out []byte
	for _, name := range []string{metaKeyID, metaWorkflow} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(meta[name]))) //nolint:gosec // metadata of a few bytes
		out = append(out, meta[name]...)
	}
	return out
}
