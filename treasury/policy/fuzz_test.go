package policy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"strongroom/treasury/policy"
)

// FuzzParse: what is read is written in the same form, means the same to whoever reads it
// again, and decides without an accident.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/house.json")
	must(f, err)
	f.Add(text)
	canonical, err := capped(100).Canonical()
	must(f, err)
	f.Add(canonical)
	for _, bad := range []string{"", "{}", "[]", "null", `{"environment":"e","version":1,"notBefore":1,"layers":[]}`, `{"environment":"e","environment":"f"}`} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := policy.Parse(text)
		if err != nil {
			return
		}
		canonical, err := p.Canonical()
		must(t, err)
		var plain bytes.Buffer
		must(t, json.Compact(&plain, text))
		if !bytes.Equal(canonical, plain.Bytes()) {
			t.Fatalf("read %s\nwrote %s", plain.Bytes(), canonical)
		}
		again, err := policy.Parse(canonical)
		must(t, err)
		if lines := policy.Diff(p, again); lines != nil {
			t.Fatal(lines)
		}
		facts := payment(p, 1)
		facts.Environment, facts.At = p.Environment, p.NotBefore
		if d, e := p.Decide(facts), again.Decide(facts); d.Outcome != e.Outcome || d.Sentence != e.Sentence || d.Sentence == "" {
			t.Fatalf("%+v\n%+v", d, e)
		}
	})
}
