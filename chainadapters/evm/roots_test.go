package evm_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/money"
)

// TestForgedBlocks: a node changes one thing, in all answers alike.
func TestForgedBlocks(t *testing.T) {
	h := nodes.NewAnvil(t)
	w := h.NewWallet(t)
	h.Fund(t, w.Address, money.FromUint64(0x123456789))
	h.FundToken(t, w.Address, money.FromUint64(0xabcdef))
	h.Mine(t, 1)
	head, err := h.Adapter().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	contracts := []string{h.Token()}
	b, err := h.Adapter().Block(t.Context(), head.Ref, contracts)
	if err != nil || len(b.Movements) != 2 {
		t.Fatalf("honest block: %+v, %v", b.Movements, err)
	}
	owner := strings.ToLower(w.Address[2:])
	for name, change := range map[string][2]string{
		"more value":       {`"value":"0x123456789"`, `"value":"0x923456789"`},
		"another receiver": {owner, strings.Repeat("ab", 20)},
		"a larger event":   {strings.Repeat("0", 58) + "abcdef", strings.Repeat("0", 57) + "fabcdef"},
		"another parent":   {head.Parent, "0x" + strings.Repeat("ab", 32)},
		"failed, it says":  {`"status":"0x1"`, `"status":"0x0"`},
		"another nonce":    {`"nonce":"0x3"`, `"nonce":"0x2"`},
	} {
		proxy := chaintest.NewProxy(t, h.Config().URL)
		rule := func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			reply := forward(call)
			reply.Result = bytes.ReplaceAll(reply.Result, []byte(change[0]), []byte(change[1]))
			return reply
		}
		for _, method := range []string{"eth_getBlockByHash", "eth_getBlockReceipts", "eth_getLogs", "debug_traceBlockByHash"} {
			proxy.Answer(method, rule)
		}
		cfg := h.Config()
		cfg.URL = proxy.URL()
		got, err := h.Open(t, cfg).Block(t.Context(), head.Ref, contracts)
		if !errors.Is(err, chainadapters.ErrForged) {
			t.Errorf("%s: got %+v, %v, want ErrForged", name, got.Movements, err)
		}
	}
}
