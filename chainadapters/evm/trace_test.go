package evm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

// frame is one call as geth's callTracer writes it.
func frame(kind, sender, receiver, value string, calls ...any) object {
	f := object{"type": kind, "from": strings.ToLower(sender), "to": strings.ToLower(receiver), "gas": "0x5208", "gasUsed": "0x0", "input": "0x"}
	if value != "" {
		f["value"] = value
	}
	if len(calls) > 0 {
		f["calls"] = calls
	}
	return f
}

func undone(f object) object {
	f["error"] = "execution reverted"
	return f
}

// tracesOfTwo are the traces of blockOfTwo, the second with calls below it.
func tracesOfTwo(calls ...any) []any {
	return []any{
		object{"txHash": hash("a"), "result": frame("CALL", from, to, "0x64")},
		object{"txHash": hash("b"), "result": frame("CALL", from, token, "0x0", calls...)},
	}
}

// scriptWithCode is newScript where the second transaction ran code.
func scriptWithCode(traces any) *script {
	s := newScript()
	s.set("eth_getBlockReceipts", editReceipt(1, "gasUsed", "0x5209"))
	s.set("debug_traceBlockByHash", traces)
	return s
}

func TestValueMovedByContracts(t *testing.T) {
	const contract = "0xde709f2102306220921060314715629080e2fb77"
	s := scriptWithCode(tracesOfTwo(
		frame("CALL", token, contract, "0x0",
			frame("CALL", contract, to, "0x5"),
			frame("DELEGATECALL", contract, to, "0x6"), // names a value, moves none
			frame("STATICCALL", contract, to, ""),
			frame("CALLCODE", contract, to, "0x7")), // to itself
		undone(frame("CALL", token, contract, "0x8", frame("CALL", contract, to, "0x9"))),
		frame("CALL", token, token, "0xa"), // to itself
		frame("SELFDESTRUCT", contract, to, "0xb"),
	))
	b, err := s.open(t).Block(t.Context(), block7, nil)
	if err != nil || b.Untraced {
		t.Fatalf("got %+v, %v", b, err)
	}
	moved := slices.DeleteFunc(b.Movements, func(m chainadapters.Movement) bool { return m.Index < chainadapters.InternalIndex })
	want := []chainadapters.Movement{
		{TxID: hash("b"), Index: chainadapters.InternalIndex, From: contract, To: to, Amount: money.FromUint64(5)},
		{TxID: hash("b"), Index: chainadapters.InternalIndex + 1, From: contract, To: to, Amount: money.FromUint64(11)},
	}
	if !slices.Equal(moved, want) {
		t.Fatalf("got %+v, want %+v", moved, want)
	}
}

func TestPlainBlockNeedsNoTrace(t *testing.T) {
	s := newScript()
	if b, err := s.open(t).Block(t.Context(), block7, nil); err != nil || b.Untraced || s.count("debug_traceBlockByHash") != 0 {
		t.Fatalf("untraced %t, %v, %d traces asked for", b.Untraced, err, s.count("debug_traceBlockByHash"))
	}
}

func TestNodesThatCannotTrace(t *testing.T) {
	givenUp := tracesOfTwo()
	givenUp[1] = object{"txHash": hash("b"), "error": "execution timeout"}
	for name, c := range map[string]struct {
		answer any
		asked  int // for two blocks
	}{
		"no such method":   {refusal{Code: -32601, Message: "no such method"}, 1},
		"not supported":    {refusal{Code: -32004, Message: "method not supported"}, 1},
		"gave up":          {refusal{Code: -32000, Message: "execution timeout"}, 2},
		"gave up on one":   {givenUp, 2},
		"answer too large": {strings.Repeat("x", 64<<20), 2},
	} {
		s := scriptWithCode(c.answer)
		a := s.open(t)
		for range 2 {
			b, err := a.Block(t.Context(), block7, nil)
			if err != nil || !b.Untraced {
				t.Errorf("%s: untraced %t, %v", name, b.Untraced, err)
			}
		}
		if got := s.count("debug_traceBlockByHash"); got != c.asked {
			t.Errorf("%s: asked %d times, want %d", name, got, c.asked)
		}
	}
}

func TestTracesThatContradict(t *testing.T) {
	edited := func(index int, member string, value any) []any {
		traces := tracesOfTwo()
		traces[index].(object)[member] = value
		return traces
	}
	deep := frame("CALL", from, to, "0x1")
	for range 1100 {
		deep = frame("CALL", from, to, "0x1", deep)
	}
	for name, answer := range map[string]any{
		"null":             nil,
		"none":             []any{},
		"one":              tracesOfTwo()[:1],
		"of another":       edited(1, "txHash", hash("a")),
		"of nothing":       edited(1, "result", nil),
		"of another from":  edited(0, "result", frame("CALL", to, to, "0x64")),
		"of another to":    edited(0, "result", frame("CALL", from, from, "0x64")),
		"of another value": edited(0, "result", frame("CALL", from, to, "0x65")),
		"failed":           edited(1, "result", undone(frame("CALL", from, token, "0x0"))),
		"too deep":         tracesOfTwo(deep),
		"too much value":   tracesOfTwo(frame("CALL", from, to, "0x1"+strings.Repeat("0", 64))),
	} {
		b, err := scriptWithCode(answer).open(t).Block(t.Context(), block7, nil)
		if err == nil || (name != "too much value" && !errors.Is(err, chainadapters.ErrIncomplete)) {
			t.Errorf("%s: got %+v, %v, want ErrIncomplete", name, b.Movements, err)
		}
	}
}
