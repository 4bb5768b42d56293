package api_test

import (
	"encoding/json"
	"testing"

	"strongroom/api"
)

func FuzzStreamFrames(f *testing.F) {
	for _, seed := range []string{
		`{"op":"ping"}`, `{"op":"subscribe","channel":"book","market":"BTC-USDC"}`, `{"op":"subscribe","channel":"candles","market":"BTC-USDC","interval":"1m"}`,
		`{"op":"unsubscribe","channel":"orders"}`, `{"op":null}`, `{"op":"ping","op":"ping"}`, `{"Op":"ping"}`, `[]`, `null`, `{"op":1}`, "{\"op\":\"\xff\"}", `{}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		op, complaint, err := api.CheckFrame(data)
		switch {
		case err != nil:
			return
		case (op == "") == (complaint == ""):
			t.Fatalf("%q is both or neither: %q, %q", data, op, complaint)
		case op != "" && op != "ping" && op != "subscribe" && op != "unsubscribe":
			t.Fatalf("%q does %q", data, op)
		}
		var plain map[string]string // what was read is an object of texts for every reader
		if err := json.Unmarshal(data, &plain); err != nil || op != "" && plain["op"] != op {
			t.Fatalf("%q: %v, op %q", data, err, op)
		}
	})
}
