package evm_test

import (
	"encoding/json"
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
)

// finalDistance is more blocks than anvil leaves between its head and what it
// calls final.
const finalDistance = 70

// TestFinalBlock: on a real node, and where the node has none to name.
func TestFinalBlock(t *testing.T) {
	h := nodes.NewAnvil(t)
	proxy := chaintest.NewProxy(t, h.Config().URL)
	cfg := h.Config()
	cfg.URL = proxy.URL()
	a := h.Open(t, cfg)
	h.Mine(t, finalDistance)
	final, err := a.Finalized(t.Context())
	if err != nil || final.Height == 0 {
		t.Fatalf("final block: %+v, %v", final, err)
	}
	if header, err := a.HeaderAt(t.Context(), final.Height); err != nil || header.Ref != final {
		t.Fatalf("final block %+v, on the chain %+v, %v", final, header.Ref, err)
	}
	for name, reply := range map[string]chaintest.Reply{
		"null":    chaintest.NullReply(),
		"refused": {Error: json.RawMessage(`{"code":-39001,"message":"finalized block not found"}`)},
	} {
		proxy.Answer("eth_getBlockByNumber", func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			if string(call.Params[0]) == `"finalized"` {
				return reply
			}
			return forward(call)
		})
		if got, err := a.Finalized(t.Context()); !errors.Is(err, chainadapters.ErrNoFinality) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	proxy.Answer("eth_getBlockByNumber", nil)
	proxy.Break(chaintest.Down)
	if _, err := a.Finalized(t.Context()); err == nil || errors.Is(err, chainadapters.ErrNoFinality) {
		t.Errorf("a node that is down: %v", err)
	}
}
