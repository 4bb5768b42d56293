package evm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
	"strongroom/money"
)

// FuzzSkip: what is taken as JSON is what encoding/json takes as JSON, and nothing
// makes a reader fail otherwise than by an error.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{
		`null`, ` {"a":[1,-0.5e+9,true,false,null,"\u00e9\n"],"b":{}} `, `{"a":1,}`, `[,]`, `[1 2]`, `01`, `-`, `1.`, `1e`, `"\x"`, `"\u12g4"`, `"`, ``,
		"\"\x01\"", `{"a"}`, `{a:1}`, `nul`, `{}{}`, `[[[]]]`, `tru`, "\x00", "1\x00", `{"transactions":[{"hash":"0x1"}]}`,
		`[{"logs":[{"topics":["0x"],"removed":1}]}]`, `[{"result":{"calls":[{"calls":null}]}}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := evm.Skip(data); (err == nil) != json.Valid(data) {
			t.Fatalf("%q: got %v, valid %t", data, err, json.Valid(data))
		}
		evm.ReadAll(data)
	})
}

// FuzzSealTransaction: a transaction that we and go-ethereum both read is the same
// to the byte.
func FuzzSealTransaction(f *testing.F) {
	var block struct {
		Transactions []json.RawMessage `json:"transactions"`
	}
	if err := json.Unmarshal([]byte(record(f, 10).answers["eth_getBlockByHash"]), &block); err != nil {
		f.Fatal(err)
	}
	for _, tx := range block.Transactions {
		f.Add([]byte(tx))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := evm.SealTransaction(data)
		var tx types.Transaction
		if err != nil || !exactNames(data) || tx.UnmarshalJSON(data) != nil {
			return
		}
		want, err := tx.WithoutBlobTxSidecar().MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: got %x, want %x", data, got, want)
		}
	})
}

// exactNames is false where encoding/json would take a member for one whose name is
// written otherwise.
func exactNames(data []byte) bool {
	known := []string{"chainId", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "maxFeePerBlobGas", "accessList", "blobVersionedHashes", "authorizationList", "yParity", "storageKeys"}
	var clean func(v any) bool
	clean = func(v any) bool {
		switch v := v.(type) {
		case []any:
			return !slices.ContainsFunc(v, func(e any) bool { return !clean(e) })
		case map[string]any:
			for name, value := range v {
				if (name != strings.ToLower(name) && !slices.Contains(known, name)) || !isASCII(name) || !clean(value) {
					return false
				}
			}
		}
		return true
	}
	var v any
	return json.Unmarshal(data, &v) == nil && clean(v)
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(c rune) bool { return c > '~' }) < 0 }

func TestRecordedBlock(t *testing.T) {
	const n = 30
	r := record(t, n)
	b, err := r.open(t).Block(t.Context(), r.ref, []string{token})
	if err != nil || b.Untraced || len(b.TxIDs) != n || len(b.Spends) != n {
		t.Fatalf("got %+v, %v", b, err)
	}
	native, tokens := 0, 0
	for _, m := range b.Movements {
		switch {
		case m.Contract == token && m.Index == 0 && m.Amount == money.FromUint64(10_000):
			tokens++
		case m.Contract == "" && m.Index == chainadapters.NativeIndex && m.To == token:
			native++
		default:
			t.Errorf("movement %+v", m)
		}
	}
	if tokens != n || native != 18 { // each transaction of the usual type carries value
		t.Fatalf("%d token movements, %d native", tokens, native)
	}
}

// edited is the record with one member of one object changed.
func (r *recorded) edited(t *testing.T, method string, edit func(answer any)) *recorded {
	t.Helper()
	var answer any
	if err := json.Unmarshal([]byte(r.answers[method]), &answer); err != nil {
		t.Fatal(err)
	}
	edit(answer)
	other := &recorded{ref: r.ref, genesis: r.genesis, answers: maps.Clone(r.answers)}
	other.answers[method] = jsonText(t, answer)
	return other
}

// otherValue is a value of the same form.
func otherValue(v any) any {
	switch v := v.(type) {
	case string:
		last := "1"
		if strings.HasSuffix(v, "1") {
			last = "2"
		}
		return v[:len(v)-1] + last
	case []any:
		if len(v) > 0 {
			return append([]any{otherValue(v[0])}, v[1:]...)
		}
		return []any{hash("1")}
	case map[string]any:
		for _, name := range []string{"address", "nonce"} {
			if inner, has := v[name]; has {
				v[name] = otherValue(inner)
				return v
			}
		}
	}
	return nil
}

func refused(err error) bool {
	return errors.Is(err, chainadapters.ErrForged) || errors.Is(err, chainadapters.ErrIncomplete)
}

// TestEveryHashedMemberIsHashed changes, and takes away, each member of a header and
// of a transaction of each type.
func TestEveryHashedMemberIsHashed(t *testing.T) {
	r := record(t, 5)
	const method = "eth_getBlockByHash"
	beside := map[string]bool{ // not part of any hash
		"size": true, "uncles": true, "withdrawals": true, "transactions": true, "from": true,
	}
	try := func(what string, of func(answer any) object) {
		var names []string
		r.edited(t, method, func(answer any) {
			for name, value := range of(answer) {
				list, is := value.([]any)
				if value != nil && !beside[name] && (!is || len(list) > 0) {
					names = append(names, name)
				}
			}
		})
		for _, name := range names {
			changed := r.edited(t, method, func(answer any) { of(answer)[name] = otherValue(of(answer)[name]) })
			derived := name == "gasPrice" && what > "transaction of type 1" || name == "chainId" && what == "transaction of type 0"
			if _, err := changed.open(t).Block(t.Context(), r.ref, nil); !refused(err) && !derived {
				t.Errorf("%s with another %s: %v", what, name, err)
			}
			without := r.edited(t, method, func(answer any) { delete(of(answer), name) })
			spare := what >= "transaction of type 1" && (name == "v" || name == "yParity") || what == "transaction of type 0" && name == "type"
			if _, err := without.open(t).Block(t.Context(), r.ref, nil); !refused(err) && !derived && !spare {
				t.Errorf("%s without %s: %v", what, name, err)
			}
		}
	}
	try("header", func(answer any) object { return answer.(object) })
	for i := range 5 {
		try("transaction of type "+string(rune('0'+i)), func(answer any) object {
			return answer.(object)["transactions"].([]any)[i].(object)
		})
	}
}

func TestReceiptsAreHashed(t *testing.T) {
	r := record(t, 5)
	const method = "eth_getBlockReceipts"
	for name, c := range map[string]struct {
		edit   func(receipt, event object)
		refuse bool
	}{
		"as it is":         {func(object, object) {}, false},
		"no bloom":         {func(x, _ object) { delete(x, "logsBloom") }, false},
		"another bloom":    {func(x, _ object) { x["logsBloom"] = "0x" + strings.Repeat("00", 256) }, false},
		"another gas":      {func(x, _ object) { x["cumulativeGasUsed"] = "0x1" }, true},
		"another type":     {func(x, _ object) { x["type"] = "0x2" }, true},
		"another status":   {func(x, _ object) { x["status"] = "0x2" }, true},
		"another contract": {func(_, l object) { l["address"] = strings.ToLower(from) }, true},
		"another amount":   {func(_, l object) { l["data"] = hash("1") }, true},
		"a topic less":     {func(_, l object) { l["topics"] = l["topics"].([]any)[:2] }, true},
	} {
		changed := r.edited(t, method, func(answer any) {
			x := answer.([]any)[3].(object)
			c.edit(x, x["logs"].([]any)[1].(object))
		})
		if _, err := changed.open(t).Block(t.Context(), r.ref, nil); refused(err) != c.refuse || (err != nil) != c.refuse {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMembersOfAnswers(t *testing.T) {
	r := record(t, 5)
	for name, c := range map[string]struct {
		from, to string
		fails    bool
	}{
		"unknown member":      {`"size":`, `"l1BlockNumber":"0x1","size":`, false},
		"member twice":        {`"size":"0x1234"`, `"hash":"` + hash("1") + `","size":"0x1234"`, true},
		"member twice in one": {`"uncles":[]`, `"uncles":[],"uncles":[]`, true},
		"escaped name":        {`"hash":`, `"h\u0061sh":`, false},
		"another case":        {`"hash":`, `"HASH":`, true},
		"a number bare":       {`"number":"0x1"`, `"number":1`, true},
		"a number with zeros": {`"number":"0x1"`, `"number":"0x01"`, true},
		"cut":                 {`"size":"0x1234"`, `"size":"0x1234`, true},
	} {
		changed := &recorded{ref: r.ref, genesis: r.genesis, answers: maps.Clone(r.answers)}
		text := strings.Replace(r.answers["eth_getBlockByHash"], c.from, c.to, 1)
		if text == r.answers["eth_getBlockByHash"] {
			t.Fatalf("%s changes nothing", name)
		}
		changed.answers["eth_getBlockByHash"] = text
		if b, err := changed.open(t).Block(t.Context(), r.ref, []string{token}); (err != nil) != c.fails {
			t.Errorf("%s: got %d movements, %v", name, len(b.Movements), err)
		}
	}
}
