package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"strongroom/api/strictjson"
	"strongroom/money"
)

type inner struct {
	Kind string `json:"kind"`
}

type order struct {
	Asset  string      `json:"asset"`
	Amount money.Units `json:"amount"`
	Tags   []inner     `json:"tags,omitempty"`
	Next   *inner      `json:"next,omitempty"`
}

func shape() *strictjson.Shape { return strictjson.ShapeOf(reflect.TypeFor[order]()) }

func TestAmbiguousDocumentsAreRefusedWithTheirPlace(t *testing.T) {
	cases := map[string]struct {
		doc  string
		kind strictjson.Kind
		at   string
	}{
		"duplicate":        {`{"asset":"BTC","asset":"ETH"}`, strictjson.Duplicate, "body.asset"},
		"duplicate escape": {`{"asset":"BTC","\u0061sset":"ETH"}`, strictjson.Duplicate, "body.asset"},
		"unknown":          {`{"asset":"BTC","fee":"1"}`, strictjson.Unknown, "body.fee"},
		"case":             {`{"Asset":"BTC"}`, strictjson.Case, "body.Asset"},
		"unicode case":     {"{\"a\u017Fset\":\"BTC\"}", strictjson.Case, "body.a\u017Fset"},
		"nested unknown":   {`{"tags":[{"kind":"a"},{"sort":"b"}]}`, strictjson.Unknown, "body.tags[1].sort"},
		"nested duplicate": {`{"next":{"kind":"a","kind":"b"}}`, strictjson.Duplicate, "body.next.kind"},
		"trailing":         {`{} {}`, strictjson.Trailing, "body"},
		"trailing word":    {`{}x`, strictjson.Trailing, "body"},
		"utf-8":            {"{\"asset\":\"\xff\"}", strictjson.Encoding, "body"},
		"surrogate":        {`{"asset":"\ud800"}`, strictjson.Encoding, "body"},
		"low surrogate":    {`{"asset":"\udc00x"}`, strictjson.Encoding, "body"},
		"broken pair":      {`{"asset":"\ud800\u0041"}`, strictjson.Encoding, "body"},
		"nul":              {`{"asset":"\u0000"}`, strictjson.Encoding, "body"},
		"deep":             {`{"tags":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, strictjson.Depth, "body.tags[0][0][0][0][0][0][0]"},
		"cut":              {`{"asset":`, strictjson.Syntax, "body"},
		"empty":            {``, strictjson.Syntax, "body"},
		"single quotes":    {`{'asset':1}`, strictjson.Syntax, "body"},
	}
	for name, c := range cases {
		var fault *strictjson.Fault
		if err := strictjson.Check([]byte(c.doc), shape()); !errors.As(err, &fault) {
			t.Errorf("%s: accepted (%v)", name, err)
		} else if fault.Kind != c.kind || fault.Location != c.at || fault.Fix == "" {
			t.Errorf("%s: %s at %s, fix %q; want %s at %s", name, fault.Kind, fault.Location, fault.Fix, c.kind, c.at)
		}
	}
}

func TestPlainDocumentsPass(t *testing.T) {
	for _, doc := range []string{
		`{}`, ` {"asset":"BTC","amount":"1"} ` + "\n", `{"tags":[{"kind":"a"},{"kind":"\ud83d\ude00"}],"next":null}`,
		`{"asset":"back\\u0000slash"}`, `{"asset":123456789012345678901234567890}`,
	} {
		if err := strictjson.Check([]byte(doc), shape()); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

// FuzzCheck: what passes is JSON in UTF-8 whose object, read into a map, has
// known names only, and a re-encoding of it passes again.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"asset":"BTC","amount":"1"}`, `{"tags":[{"kind":"\ud83d\ude00"}]}`, `[]`, `"\\"`, `{"a":1}{}`, `{"asset":"\u00`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := strictjson.Check(doc, shape())
		var fault *strictjson.Fault
		if err != nil {
			if !errors.As(err, &fault) || fault.Fix == "" || !utf8.ValidString(fault.Location) {
				t.Fatalf("%q: %v", doc, err)
			}
			return
		}
		if !json.Valid(doc) || !utf8.Valid(doc) {
			t.Fatalf("accepted %q", doc)
		}
		var members map[string]any
		if json.Unmarshal(doc, &members) != nil {
			return
		}
		for name := range members {
			if shape().Members[name] == nil && name != "asset" && name != "amount" {
				t.Fatalf("accepted member %q", name)
			}
		}
		again, err := json.Marshal(members)
		if err == nil && members != nil {
			err = strictjson.Check(again, shape())
		}
		if err != nil {
			t.Fatalf("%q passes, its re-encoding %q does not: %v", doc, again, err)
		}
	})
}
