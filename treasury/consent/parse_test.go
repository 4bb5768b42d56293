package consent

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// es is a key of ES256: the generator of P-256.
func es(tb testing.TB) []byte {
	tb.Helper()
	x := []byte{
		0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
		0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
	}
	y := []byte{
		0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
		0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
	}
	key := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, x...)
	key = append(append(key, 0x22, 0x58, 32), y...)
	_, err := parseCOSE(key)
	require.NoError(tb, err)
	return key
}

func TestOnlyKeysInOneFormAreRead(t *testing.T) {
	good := es(t)
	edit := func(change func(k []byte) []byte) []byte { return change(bytes.Clone(good)) }
	for name, key := range map[string][]byte{
		"nothing":          {},
		"no map":           {0x80},
		"no end":           good[:len(good)-1],
		"what follows":     append(bytes.Clone(good), 0),
		"off the curve":    edit(func(k []byte) []byte { k[20] ^= 1; return k }),
		"another curve":    edit(func(k []byte) []byte { k[6] = 2; return k }),
		"another type":     edit(func(k []byte) []byte { k[2] = 1; return k }),
		"another alg":      edit(func(k []byte) []byte { k[4] = 0x27; return k }),
		"a longer head":    edit(func(k []byte) []byte { return append([]byte{0xb8, 5}, k[1:]...) }),
		"indefinite":       edit(func(k []byte) []byte { k[0] = 0xbf; return append(k, 0xff) }),
		"one member more":  edit(func(k []byte) []byte { k[0]++; return append(k, 0x04, 0x01) }),
		"a member twice":   edit(func(k []byte) []byte { k[0]++; return append(k, 0x01, 0x02) }),
		"a huge map":       {0xbb, 255, 255, 255, 255, 255, 255, 255, 255},
		"EdDSA, short":     {0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x41, 1},
		"RS256, short":     {0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x41, 1, 0x21, 0x43, 1, 0, 1},
		"RS256, exponent ": append(append([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0}, bytes.Repeat([]byte{0xff}, 256)...), 0x21, 0x41, 3),
		"RS256, none":      append(append([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0}, bytes.Repeat([]byte{0xff}, 256)...), 0x21, 0x40),
	} {
		_, err := parseCOSE(key)
		require.ErrorIs(t, err, errCOSE, name)
	}
}

func TestIdsAreShortNames(t *testing.T) {
	for _, good := range []string{"a", "ada", "hot-eth-1", "a.b_c", "1"} {
		assert.True(t, identifier(good), good)
	}
	for _, bad := range []string{"", "-a", "a-", "a--b", "Ada", "a b", "ä", "a\n", string(bytes.Repeat([]byte("a"), maxID+1)), "a:b"} {
		assert.False(t, identifier(bad), bad)
	}
}

func FuzzCOSE(f *testing.F) {
	f.Add(es(f))
	f.Add([]byte{0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if key, err := parseCOSE(raw); err == nil {
			_ = key.material()
			_ = key.verify(raw, raw)
		}
	})
}

func FuzzCBOR(f *testing.F) {
	f.Add([]byte{0xa1, 0x63, 'u', 'v', 'm', 0x81, 0x83, 2, 4, 2})
	f.Add([]byte{0xc0, 0xfb, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := cborReader{raw}
		if r.skip(0) == nil && len(r.rest) >= len(raw) {
			t.Errorf("%x: an item of no bytes", raw)
		}
	})
}

func FuzzClientData(f *testing.F) {
	f.Add([]byte(`{"type":"webauthn.get","challenge":"x","origin":"http://localhost:8080","crossOrigin":false}`))
	r := Roster{Origins: []string{"http://localhost:8080"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		if r.checkClient(text, [32]byte{1}) == nil && !bytes.Contains(text, []byte("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")) && !bytes.Contains(text, []byte(`\u`)) {
			t.Errorf("%q has another challenge", text)
		}
	})
}
