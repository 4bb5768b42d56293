package evm_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
)

const (
	chainID = "31337"
	from    = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	to      = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
	token   = "0x52908400098527886E0F7030069857D2E4169EE7"
)

func hash(digit string) string { return "0x" + strings.Repeat(digit, 64) }

// object is a JSON object; a script edits it before it is sent.
type object = map[string]any

// refusal is a JSON-RPC error.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// script is a node that answers from a table: a value, a refusal, or a function
// of the parameters. What is not in the table is an unknown method.
type script struct {
	mu      sync.Mutex
	answers map[string]any
	asked   map[string]int
	trips   int  // HTTP requests
	hangUp  bool // closes the connection after each answer
}

func newScript() *script {
	return &script{
		asked: map[string]int{},
		answers: map[string]any{
			"eth_chainId":              "0x7a69",
			"eth_getBlockByNumber":     header("1", 7),
			"eth_getBlockByHash":       blockOfTwo(),
			"eth_getBlockReceipts":     receiptsOfTwo(),
			"eth_getLogs":              []any{transferLog()},
			"eth_estimateGas":          "0x5208",
			"eth_call":                 "0x", // as an old token answers a transfer
			"eth_maxPriorityFeePerGas": "0x3b9aca00",
		},
	}
}

func (s *script) set(method string, answer any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[method] = answer
}

func (s *script) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[method]
}

func (s *script) answer(method string, params []json.RawMessage) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[method]++
	answer, ok := s.answers[method]
	if !ok {
		return refusal{Code: -32601, Message: "the method " + method + " does not exist"}
	}
	if method == "eth_getBlockByNumber" && string(params[0]) == `"0x0"` {
		return header("0", 0)
	}
	if f, ok := answer.(func([]json.RawMessage) any); ok {
		return f(params)
	}
	return answer
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if json.NewDecoder(r.Body).Decode(&raw) != nil {
		return
	}
	s.mu.Lock()
	s.trips++
	s.mu.Unlock()
	type request struct {
		ID     json.RawMessage   `json:"id"`
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	reply := func(c request) object {
		out := object{"jsonrpc": "2.0", "id": c.ID}
		switch answer := s.answer(c.Method, c.Params).(type) {
		case refusal:
			out["error"] = answer
		default:
			out["result"] = answer
		}
		return out
	}
	if s.hangUp {
		w.Header().Set("Connection", "close")
	}
	if raw[0] == '[' {
		var calls []request
		_ = json.Unmarshal(raw, &calls)
		var replies []object
		for i := range calls { // in reverse: JSON-RPC promises no order
			replies = append(replies, reply(calls[len(calls)-1-i]))
		}
		_ = json.NewEncoder(w).Encode(replies)
		return
	}
	var call request
	_ = json.Unmarshal(raw, &call)
	_ = json.NewEncoder(w).Encode(reply(call))
}

// open returns an adapter on the script.
func (s *script) open(t *testing.T) *evm.Adapter {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return openURL(t, server.URL)
}

func openURL(tb testing.TB, url string) *evm.Adapter {
	tb.Helper()
	a, err := evm.New(chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: url, Timeout: 30 * time.Second, // for 64 MiB on a machine that is busy
		Expect: chainadapters.Identity{Network: chainID, Genesis: hash("0")},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func header(digit string, number int) object {
	return object{
		"hash": hash(digit), "parentHash": hash("f"), "number": hexInt(number), "timestamp": "0x6b02ced7", "baseFeePerGas": "0x3b9aca00",
	}
}

func hexInt(n int) string {
	const digits = "0123456789abcdef"
	out := string(digits[n%16])
	for n /= 16; n > 0; n /= 16 {
		out = string(digits[n%16]) + out
	}
	return "0x" + out
}

// foreignType is a transaction type of another chain: what has it is not hashed.
const foreignType = "0x7e"

// blockOfTwo is block 7 with hash 0x11…: a native payment and a token transfer.
func blockOfTwo() object {
	b := header("1", 7)
	b["transactionsRoot"] = hash("e")
	b["l1BlockNumber"] = "0x1" // as on a chain whose header is not Ethereum's
	place := func(digit string, index int) object {
		return object{
			"hash": hash(digit), "blockHash": hash("1"), "blockNumber": "0x7", "transactionIndex": hexInt(index),
			"type": foreignType, "from": strings.ToLower(from), "nonce": hexInt(40 + index), "value": "0x0",
		}
	}
	native, transfer := place("a", 0), place("b", 1)
	native["to"], native["value"] = strings.ToLower(to), "0x64"
	transfer["to"] = strings.ToLower(token)
	b["transactions"] = []any{native, transfer}
	return b
}

func receiptsOfTwo() []any {
	receipt := func(digit string, index int, logs ...any) object {
		return object{
			"transactionHash": hash(digit), "transactionIndex": hexInt(index), "blockHash": hash("1"), "blockNumber": "0x7",
			"status": "0x1", "type": foreignType, "gasUsed": "0x5208", "effectiveGasPrice": "0x2", "logs": append([]any{}, logs...),
		}
	}
	return []any{receipt("a", 0), receipt("b", 1, transferLog())}
}

func transferLog() object {
	word := func(address string) string {
		return "0x" + strings.Repeat("0", 24) + strings.ToLower(address[2:])
	}
	return object{
		"address": strings.ToLower(token), "data": "0x" + strings.Repeat("0", 62) + "ff", "logIndex": "0x3", "removed": false,
		"blockHash": hash("1"), "blockNumber": "0x7", "transactionHash": hash("b"), "transactionIndex": "0x1",
		"topics": []any{"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", word(from), word(to)},
	}
}
