package custody_test

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/custody"
)

func TestLookAlike(t *testing.T) {
	for _, tc := range []struct {
		known, given string
		alike        bool
	}{
		{"0x7F367cC41522cE07553e823bf3be79A889DEbe1B", "0x7F360000000000000000000000000000000Ebe1B", true},
		{"0x7F367cC41522cE07553e823bf3be79A889DEbe1B", "0x7f360000000000000000000000000000000ebe1b", true},
		{"0x7F367cC41522cE07553e823bf3be79A889DEbe1B", "0x7F370000000000000000000000000000000Ebe1B", false},
		{"0x7F367cC41522cE07553e823bf3be79A889DEbe1B", "0x7F360000000000000000000000000000000Ebe1C", false},
		{"0x7F367cC41522cE07553e823bf3be79A889DEbe1B", "0x7F367cC41522cE07553e823bf3be79A889DEbe1B", false},
		// The witness version and the prefix are common to all: they tell nothing.
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1qw508xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx8f3t4", true},
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1qw50xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx8f3t4", false},
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1pw508xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx8f3t4", true},
		{"bcrt1qwc2n8lvfr3squvn32ps4pu5vac0m8ztpkhuepr", "bcrt1qwc2nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxuepr", true},
		{"12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h", "12QtDxxxxxxxxxxxxxxxxxxxxxxxxxjH9h", true},
		{"12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h", "12qtdxxxxxxxxxxxxxxxxxxxxxxxxxJH9H", true},
		{"12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h", "12QtXxxxxxxxxxxxxxxxxxxxxxxxxxjH9h", false},
		{"fakenet:00112233445566778899", "fakenet:00119999999999998899", true},
		{"", "", false},
		{"0x", "0x1", false},
	} {
		if custody.LookAlike(tc.known, tc.given) != tc.alike || custody.LookAlike(tc.given, tc.known) != tc.alike {
			t.Errorf("%s and %s: want %v", tc.known, tc.given, tc.alike)
		}
	}
}

// TestLookAlikeNeedsBothEnds compares with the rule as one would say it.
func TestLookAlikeNeedsBothEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hexadecimal := rapid.StringMatching(`[0-3]{8,12}`)
		a, b := hexadecimal.Draw(t, "a"), hexadecimal.Draw(t, "b")
		want := a != b && a[:4] == b[:4] && a[len(a)-4:] == b[len(b)-4:]
		if custody.LookAlike("0x"+a, "0x"+b) != want {
			t.Fatalf("%s and %s: want %v", a, b, want)
		}
	})
}
