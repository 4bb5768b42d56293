package nodes

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
)

// lagBlocks is how far a lagging node is behind.
const lagBlocks = 2

// Faulty implements chaintest.Harness.
func (h *EVM) Faulty(tb testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	tb.Helper()
	cfg := h.Config()
	proxy := chaintest.NewProxy(tb, h.url)
	cfg.URL = proxy.URL()
	switch fault {
	case chaintest.Down, chaintest.Truncated, chaintest.WrongID:
		proxy.Break(fault)
	case chaintest.Hang:
		cfg.Timeout = hangTimeout
		proxy.Break(fault)
	case chaintest.NullBlock:
		proxy.Answer("eth_getBlockByHash", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			return chaintest.NullReply()
		})
	case chaintest.PartialBlock:
		proxy.Answer("eth_getBlockReceipts", withoutLast)
	case chaintest.OtherBlock:
		proxy.Answer("eth_getBlockReceipts", ofParent)
	case chaintest.Lagging:
		h.lag(tb, proxy)
	case chaintest.LostReply:
		proxy.LoseReply("eth_sendRawTransaction")
	}
	return h.Open(tb, cfg)
}

// withoutLast forwards a call for a list and drops its last element.
func withoutLast(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	reply := forward(call)
	var list []json.RawMessage
	if json.Unmarshal(reply.Result, &list) == nil && len(list) > 0 {
		reply.Result, _ = json.Marshal(list[:len(list)-1])
	}
	return reply
}

// ofParent answers a call for a block with what belongs to its parent.
func ofParent(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	asked := chaintest.Call{
		Version: call.Version, ID: call.ID, Method: "eth_getBlockByHash",
		Params: []json.RawMessage{call.Params[0], json.RawMessage("false")},
	}
	var block struct {
		Parent common.Hash `json:"parentHash"`
	}
	if json.Unmarshal(forward(asked).Result, &block) != nil {
		return chaintest.NullReply()
	}
	call.Params[0], _ = json.Marshal(block.Parent)
	return forward(call)
}

// lag hides whatever is above the head of now minus lagBlocks.
func (h *EVM) lag(tb testing.TB, proxy *chaintest.Proxy) {
	tb.Helper()
	var head hexutil.Uint64
	h.call(tb, &head, "eth_blockNumber")
	last := head - lagBlocks
	hide := func(reply chaintest.Reply) chaintest.Reply {
		var block struct {
			Number hexutil.Uint64 `json:"number"`
		}
		if json.Unmarshal(reply.Result, &block) != nil || block.Number > last {
			return chaintest.NullReply()
		}
		return reply
	}
	proxy.Answer("eth_getBlockByHash", func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		return hide(forward(call))
	})
	proxy.Answer("eth_getBlockByNumber", func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		if string(call.Params[0]) == `"latest"` {
			call.Params[0], _ = json.Marshal(last)
		}
		return hide(forward(call))
	})
}
