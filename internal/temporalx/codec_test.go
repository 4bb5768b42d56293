package temporalx_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"strongroom/internal/temporalx"
)

const (
	keyOld = "k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keyNew = "k2:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
)

func ring(tb testing.TB, lines ...string) *temporalx.Keyring {
	tb.Helper()
	r, err := temporalx.ParseKeyring([]byte(strings.Join(lines, "\n")))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func payload(text string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}
}

func sealOne(tb testing.TB, c converter.PayloadCodec, p *commonpb.Payload) *commonpb.Payload {
	tb.Helper()
	out, err := c.Encode([]*commonpb.Payload{p})
	if err != nil {
		tb.Fatal(err)
	}
	return out[0]
}

func inWorkflow(c temporalx.Codec, id string) converter.PayloadCodec {
	return c.WithSerializationContext(converter.WorkflowSerializationContext{Namespace: "default", WorkflowID: id})
}

func TestSealedPayloadsOpenAsTheyWereAndShowNothing(t *testing.T) {
	codec := temporalx.NewCodec(ring(t, keyNew))
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "data")
		in := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: text}
		sealed, err := codec.Encode([]*commonpb.Payload{in, in})
		if err != nil {
			rt.Fatal(err)
		}
		if len(text) > 7 && bytes.Contains(sealed[0].Data, text) {
			rt.Fatal("the text shows")
		}
		if bytes.Equal(sealed[0].Data, sealed[1].Data) {
			rt.Fatal("equal payloads look equal")
		}
		out, err := codec.Decode(sealed)
		if err != nil || !proto.Equal(out[0], in) || !proto.Equal(out[1], in) {
			rt.Fatalf("opened %v, %v", out, err)
		}
	})
}

func TestAnyChangedByteIsRefused(t *testing.T) {
	codec := temporalx.NewCodec(ring(t, keyNew, keyOld))
	sealed := sealOne(t, inWorkflow(codec, "withdrawal/wdr_1"), payload(`{"id":"wdr_1"}`))
	for i := range sealed.Data {
		for bit := range 8 {
			forged := proto.Clone(sealed).(*commonpb.Payload)
			forged.Data[i] ^= 1 << bit
			refused(t, codec, forged, fmt.Sprintf("byte %d, bit %d", i, bit))
		}
	}
	for n := range sealed.Data {
		forged := proto.Clone(sealed).(*commonpb.Payload)
		forged.Data = forged.Data[:n]
		refused(t, codec, forged, fmt.Sprintf("cut to %d bytes", n))
	}
	for name, value := range map[string]string{
		"encryption-key-id": "k1", "encryption-workflow-id": "withdrawal/wdr_2", "encoding": "json/plain",
	} {
		forged := proto.Clone(sealed).(*commonpb.Payload)
		forged.Metadata[name] = []byte(value)
		refused(t, codec, forged, name+" changed")
		delete(forged.Metadata, name)
		refused(t, codec, forged, name+" taken away")
	}
	refused(t, codec, payload(`{"id":"wdr_1"}`), "plain payload")
	refused(t, codec, &commonpb.Payload{}, "empty payload")
}

func refused(t *testing.T, c converter.PayloadCodec, p *commonpb.Payload, what string) {
	t.Helper()
	if _, err := c.Decode([]*commonpb.Payload{p}); !errors.Is(err, temporalx.ErrPayload) {
		t.Fatalf("%s: err = %v, want ErrPayload", what, err)
	}
}

func TestAPayloadMovedToAnotherWorkflowIsRefused(t *testing.T) {
	codec := temporalx.NewCodec(ring(t, keyNew))
	sealed := sealOne(t, inWorkflow(codec, "withdrawal/wdr_1"), payload("1"))
	refused(t, inWorkflow(codec, "withdrawal/wdr_2"), sealed, "other workflow")
	activity := codec.WithSerializationContext(converter.ActivitySerializationContext{WorkflowID: "withdrawal/wdr_1"})
	for _, c := range []converter.PayloadCodec{inWorkflow(codec, "withdrawal/wdr_1"), activity, codec} {
		if _, err := c.Decode([]*commonpb.Payload{sealed}); err != nil {
			t.Errorf("its own reader: %v", err)
		}
	}
}

func TestRotation(t *testing.T) {
	before, during, after := ring(t, keyOld), ring(t, keyNew, keyOld), ring(t, keyNew)
	old := sealOne(t, temporalx.NewCodec(before), payload("old"))
	fresh := sealOne(t, temporalx.NewCodec(during), payload("new"))
	if got := string(fresh.Metadata["encryption-key-id"]); got != "k2" {
		t.Errorf("sealed with %s, want the first key, k2", got)
	}
	out, err := temporalx.NewCodec(during).Decode([]*commonpb.Payload{old, fresh})
	if err != nil || string(out[0].Data)+string(out[1].Data) != "oldnew" {
		t.Errorf("during rotation: %v, %v", out, err)
	}
	refused(t, temporalx.NewCodec(after), old, "key that was taken away")
}

func TestFailuresAreSealed(t *testing.T) {
	_, failures := temporalx.Converters(ring(t, keyNew))
	secret := "wdr_1: destination bcrt1q… is not allowed"
	sealed := failures.ErrorToFailure(temporalx.Refused(errors.New(secret)))
	wire, err := proto.Marshal(sealed)
	if err != nil || bytes.Contains(wire, []byte("bcrt1q")) {
		t.Fatalf("the message shows in %q, %v", wire, err)
	}
	if err := failures.FailureToError(sealed); !temporalx.IsRefused(err) || !strings.Contains(err.Error(), secret) {
		t.Fatalf("came back as %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "only a remark": "# k1", "short key": "k1:00", "empty id": keyOld[2:], "twice": keyOld + "\n" + keyOld,
		"not hex": "k1:" + strings.Repeat("zz", 32), "bad id": "k 1" + keyOld[2:], "long line": strings.Repeat("x", 1<<17),
	} {
		if _, err := temporalx.ParseKeyring([]byte(text)); !errors.Is(err, temporalx.ErrKeyring) {
			t.Errorf("%s: err = %v, want ErrKeyring", name, err)
		} else if strings.Contains(err.Error(), "0001020304") {
			t.Errorf("%s: the key shows in %v", name, err)
		}
	}
	bare := ring(t, keyNew[3:], keyOld)
	if got := string(sealOne(t, temporalx.NewCodec(bare), payload("x")).Metadata["encryption-key-id"]); len(got) != len("sha256-01234567") {
		t.Errorf("a key without an id is called %q", got)
	}
	file := filepath.Join(t.TempDir(), "payload.keys")
	made, err := temporalx.EnsureKeyring(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := temporalx.EnsureKeyring(file)
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealOne(t, temporalx.NewCodec(made), payload("x"))
	if _, err := temporalx.NewCodec(again).Decode([]*commonpb.Payload{sealed}); err != nil {
		t.Errorf("a file that is there is kept: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := temporalx.LoadKeyring(file); !errors.Is(err, temporalx.ErrKeyring) {
		t.Errorf("a file that others may read: err = %v, want ErrKeyring", err)
	}
	if _, err := temporalx.LoadKeyring(file + ".no"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: err = %v", err)
	}
}

// FuzzDecode feeds what a hostile server could: nothing but our own sealed bytes
// may open, and nothing may panic.
func FuzzDecode(f *testing.F) {
	codec := temporalx.NewCodec(ring(f, keyNew))
	good := sealOne(f, codec, payload("good"))
	f.Add("binary/encrypted", "k2", "", good.Data)
	f.Add("binary/encrypted", "k2", "deposit/dep_1", good.Data)
	f.Add("json/plain", "", "", []byte("{}"))
	f.Add("binary/encrypted", "k1", "", []byte{})
	f.Fuzz(func(t *testing.T, encoding, key, workflow string, data []byte) {
		p := &commonpb.Payload{Data: data, Metadata: map[string][]byte{
			"encoding": []byte(encoding), "encryption-key-id": []byte(key), "encryption-workflow-id": []byte(workflow),
		}}
		out, err := codec.Decode([]*commonpb.Payload{p})
		if err == nil && (string(out[0].Data) != "good" || len(data) != len(good.Data) || workflow != "") {
			t.Fatalf("opened a payload that nobody sealed: %v", out)
		}
		if err != nil && !errors.Is(err, temporalx.ErrPayload) {
			t.Fatalf("err = %v, want ErrPayload", err)
		}
	})
}
