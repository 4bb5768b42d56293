package bitcoin_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/chainadapters/chaintest"
)

func TestConformanceOnBtcd(t *testing.T) { chaintest.Run(t, newBtcd(t)) }

const (
	lagBlocks    = 2
	hangPatience = 500 * time.Millisecond
)

func (h *coinHarness) Faulty(tb testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	tb.Helper()
	cfg := h.config()
	proxy := chaintest.NewProxy(tb, cfg.URL)
	cfg.URL = proxy.URL()
	switch fault {
	case chaintest.Down, chaintest.Truncated, chaintest.WrongID:
		proxy.Break(fault)
	case chaintest.Hang:
		cfg.Timeout = hangPatience
		proxy.Break(fault)
	case chaintest.NullBlock:
		proxy.Answer("getblock", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			return chaintest.NullReply()
		})
	case chaintest.PartialBlock:
		proxy.Answer("getblock", withoutLast)
	case chaintest.OtherBlock:
		proxy.Answer("getblock", ofParent)
	case chaintest.Lagging:
		h.lag(tb, proxy)
	case chaintest.LostReply:
		proxy.LoseReply("sendrawtransaction")
	}
	return h.open(tb, cfg)
}

// withoutLast cuts the last transaction off a raw block and leaves the count right.
func withoutLast(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	reply := forward(call)
	block, err := decodeBlock(reply.Result)
	if err != nil {
		return reply
	}
	block.Transactions = block.Transactions[:len(block.Transactions)-1]
	reply.Result, _ = json.Marshal(encodeBlock(block))
	return reply
}

// ofParent answers with the parent of the block that was asked for.
func ofParent(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
	block, err := decodeBlock(forward(call).Result)
	if err != nil {
		return chaintest.NullReply()
	}
	call.Params[0], _ = json.Marshal(block.Header.PrevBlock.String())
	return forward(call)
}

// lag hides whatever is above the head of now minus lagBlocks, in the nodes' words.
func (h *coinHarness) lag(tb testing.TB, proxy *chaintest.Proxy) {
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

// Addresses gives examples of known origin: BIP 84 and BIP 173/350 vectors
// carried over to the network's prefix, and keys of these tests.
func (h *coinHarness) Addresses() chaintest.AddressCases {
	witnessKey, _ := h.params.KeyAddress(keyOf(7).PubKey().SerializeCompressed())
	taproot, _ := h.params.Address(append([]byte{0x51, 0x20}, keyOf(7).PubKey().SerializeCompressed()[1:]...))
	scriptHash, _ := h.params.Address(mustHex("a914" + "89abcdefabbaabbaabbaabbaabbaabbaabbaabba" + "87"))
	keyHash, _ := h.params.Address(mustHex("76a914" + "89abcdefabbaabbaabbaabbaabbaabbaabbaabba" + "88ac"))
	longWitness, _ := h.params.Address(mustHex("0020" + "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"))
	return chaintest.AddressCases{
		Valid: map[string]string{
			witnessKey: witnessKey, upper(witnessKey): witnessKey, taproot: taproot,
			scriptHash: scriptHash, keyHash: keyHash, longWitness: longWitness,
		},
		Invalid: []string{
			witnessKey[:len(witnessKey)-1], witnessKey + "q", flipLast(witnessKey), flipLast(taproot), flipLast(keyHash),
			upper(witnessKey[:1]) + witnessKey[1:],       // mixed case
			"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", // main network
			"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", // test network
			"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
			"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
			" " + witnessKey, witnessKey + "\n", keyHash + " ",
		},
		Derived: []chaintest.Derived{
			// The account key of BIP 84's own vector, re-encoded for a test network.
			{XPub: bip84Account, Branch: 0, Index: 0, Address: h.carry("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")},
			{XPub: bip84Account, Branch: 0, Index: 1, Address: h.carry("bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")},
			{XPub: bip84Account, Branch: 1, Index: 0, Address: h.carry("bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el")},
		},
	}
}

// carry writes an address of Bitcoin's main network with this network's prefix.
func (h *coinHarness) carry(main string) string {
	bitcoin, _ := network.ByName("main")
	script, err := bitcoin.Script(main)
	if err != nil {
		panic(err)
	}
	address, _ := h.params.Address(script)
	return address
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
