package nodes

import (
	"encoding/json"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
)

// Faulty implements chaintest.Harness.
func (h *Coin) Faulty(tb testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	tb.Helper()
	cfg := h.Config()
	proxy := chaintest.NewProxy(tb, cfg.URL)
	cfg.URL = proxy.URL()
	switch fault {
	case chaintest.Down, chaintest.Truncated, chaintest.WrongID:
		proxy.Break(fault)
	case chaintest.Hang:
		cfg.Timeout = hangTimeout
		proxy.Break(fault)
	case chaintest.NullBlock:
		proxy.Answer("getblock", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			return chaintest.NullReply()
		})
	case chaintest.PartialBlock:
		proxy.Answer("getblock", blockWithoutLast)
	case chaintest.OtherBlock:
		proxy.Answer("getblock", blockOfParent)
	case chaintest.Lagging:
		h.lag(tb, proxy)
	case chaintest.LostReply:
		proxy.LoseReply("sendrawtransaction")
	}
	return h.Open(tb, cfg)
}

// blockWithoutLast cuts the last transaction off a raw block and leaves the count right.
func blockWithoutLast(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	reply := forward(call)
	block, err := decodeBlock(reply.Result)
	if err != nil {
		return reply
	}
	block.Transactions = block.Transactions[:len(block.Transactions)-1]
	reply.Result, _ = json.Marshal(encodeBlock(block))
	return reply
}

// blockOfParent answers with the parent of the block that was asked for.
func blockOfParent(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	block, err := decodeBlock(forward(call).Result)
	if err != nil {
		return chaintest.NullReply()
	}
	call.Params[0], _ = json.Marshal(block.Header.PrevBlock.String())
	return forward(call)
}

// lag hides whatever is above the head of now minus lagBlocks, in the nodes' words.
func (h *Coin) lag(tb testing.TB, proxy *chaintest.Proxy) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	last := top - lagBlocks
	hidden := map[string]bool{}
	var head, hash string
	h.call(tb, &head, "getblockhash", last)
	for height := last + 1; height <= top; height++ {
		h.call(tb, &hash, "getblockhash", height)
		hidden[hash] = true
	}
	encode := func(v any) chaintest.Reply {
		raw, _ := json.Marshal(v)
		return chaintest.Reply{Result: raw}
	}
	refuse := func(code, message string) chaintest.Reply {
		return chaintest.Reply{Error: json.RawMessage(`{"code":` + code + `,"message":"` + message + `"}`)}
	}
	proxy.Answer("getblockcount", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply { return encode(last) })
	proxy.Answer("getbestblockhash", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply { return encode(head) })
	proxy.Answer("getblockhash", func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		var height int
		if json.Unmarshal(call.Params[0], &height) != nil || height > last {
			return refuse("-1", "Block number out of range")
		}
		return forward(call)
	})
	for _, method := range []string{"getblock", "getblockheader"} {
		proxy.Answer(method, func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			var asked string
			if json.Unmarshal(call.Params[0], &asked) != nil || hidden[asked] {
				return refuse("-5", "Block not found")
			}
			return forward(call)
		})
	}
}
