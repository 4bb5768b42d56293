package evm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"strongroom/chainadapters"
	"strongroom/money"
)

var block7 = chainadapters.Ref{Height: 7, Hash: hash("1")}

func wantTwo(t *testing.T, b chainadapters.Block) {
	t.Helper()
	movements := []chainadapters.Movement{
		{TxID: hash("a"), Index: chainadapters.NativeIndex, From: from, To: to, Amount: money.FromUint64(100)},
		{TxID: hash("b"), Index: 0, From: from, To: to, Contract: token, Amount: money.FromUint64(255)},
	}
	spends := []chainadapters.Spend{{TxID: hash("a"), From: from, Nonce: 40}, {TxID: hash("b"), From: from, Nonce: 41}}
	if !slices.Equal(b.Movements, movements) || !slices.Equal(b.Spends, spends) || !slices.Equal(b.TxIDs, []string{hash("a"), hash("b")}) {
		t.Fatalf("block: got %+v", b)
	}
}

func TestBlock(t *testing.T) {
	b, err := newScript().open(t).Block(t.Context(), block7, []string{token})
	if err != nil {
		t.Fatal(err)
	}
	wantTwo(t, b)
}

func TestBlockWithReceiptsOneByOne(t *testing.T) {
	s := newScript()
	s.set("eth_getBlockReceipts", refusal{Code: -32601, Message: "no such method"})
	byHash := map[string]any{`"` + hash("a") + `"`: receiptsOfTwo()[0], `"` + hash("b") + `"`: receiptsOfTwo()[1]}
	s.set("eth_getTransactionReceipt", func(params []rawJSON) any { return byHash[string(params[0])] })
	a := s.open(t)
	b, err := a.Block(t.Context(), block7, []string{token})
	if err != nil {
		t.Fatal(err)
	}
	wantTwo(t, b)
	delete(byHash, `"`+hash("b")+`"`)
	if _, err := a.Block(t.Context(), block7, nil); !errors.Is(err, chainadapters.ErrIncomplete) {
		t.Fatalf("null for one receipt: got %v, want ErrIncomplete", err)
	}
}

// edit changes one member of a copy of what the healthy node answers.
func editTx(index int, member string, value any) any {
	b := blockOfTwo()
	b["transactions"].([]any)[index].(object)[member] = value
	return b
}

func editReceipt(index int, member string, value any) any {
	r := receiptsOfTwo()
	r[index].(object)[member] = value
	return r
}

func editLog(member string, value any) any {
	l := transferLog()
	l[member] = value
	return []any{l}
}

func editBlock(member string, value any) any {
	b := blockOfTwo()
	b[member] = value
	return b
}

func TestIncompleteBlocks(t *testing.T) {
	none := []any{}
	for name, c := range map[string]struct {
		method string
		answer any
	}{
		"null block":                   {"eth_getBlockByHash", nil},
		"another block":                {"eth_getBlockByHash", editBlock("hash", hash("2"))},
		"another height":               {"eth_getBlockByHash", editBlock("number", "0x8")},
		"no hash":                      {"eth_getBlockByHash", editBlock("hash", nil)},
		"no parent":                    {"eth_getBlockByHash", editBlock("parentHash", nil)},
		"impossible time":              {"eth_getBlockByHash", editBlock("timestamp", "0xffffffffffffffff")},
		"transaction of another block": {"eth_getBlockByHash", editTx(1, "blockHash", hash("2"))},
		"transaction at another place": {"eth_getBlockByHash", editTx(1, "transactionIndex", "0x0")},
		"transaction without sender":   {"eth_getBlockByHash", editTx(0, "from", nil)},
		"transaction without nonce":    {"eth_getBlockByHash", editTx(0, "nonce", nil)},
		"transaction without value":    {"eth_getBlockByHash", editTx(0, "value", nil)},
		"transactions missing":         {"eth_getBlockByHash", editBlock("transactions", none)},
		"transactions beside no root":  {"eth_getBlockByHash", editBlock("transactionsRoot", types.EmptyTxsHash)},
		"null receipts":                {"eth_getBlockReceipts", nil},
		"no receipts":                  {"eth_getBlockReceipts", none},
		"one receipt":                  {"eth_getBlockReceipts", receiptsOfTwo()[:1]},
		"receipt of another block":     {"eth_getBlockReceipts", editReceipt(0, "blockHash", hash("2"))},
		"receipt of another height":    {"eth_getBlockReceipts", editReceipt(0, "blockNumber", "0x8")},
		"receipt of another tx":        {"eth_getBlockReceipts", editReceipt(0, "transactionHash", hash("b"))},
		"receipt without status":       {"eth_getBlockReceipts", editReceipt(0, "status", nil)},
		"receipts without the log":     {"eth_getBlockReceipts", editReceipt(1, "logs", none)},
		"null logs":                    {"eth_getLogs", nil},
		"logs missing":                 {"eth_getLogs", none},
		"log removed":                  {"eth_getLogs", editLog("removed", true)},
		"log twice":                    {"eth_getLogs", []any{transferLog(), transferLog()}},
		"log of another block":         {"eth_getLogs", editLog("blockHash", hash("2"))},
		"log of another height":        {"eth_getLogs", editLog("blockNumber", "0x8")},
		"log with another amount":      {"eth_getLogs", editLog("data", hash("1"))},
		"log of another contract":      {"eth_getLogs", editLog("address", to)},
	} {
		s := newScript()
		s.set(c.method, c.answer)
		contracts := []string{token}
		if c.method == "eth_getBlockByHash" { // the logs would betray it too
			contracts = nil
		}
		b, err := s.open(t).Block(t.Context(), block7, contracts)
		if !errors.Is(err, chainadapters.ErrIncomplete) {
			t.Errorf("%s: got %+v, %v, want ErrIncomplete", name, b, err)
		}
	}
}

func TestEventsThatMoveNothing(t *testing.T) {
	topics := transferLog()["topics"].([]any)
	for name, c := range map[string]struct {
		member string
		value  any
	}{
		"zero value":    {"data", "0x" + hash("0")[2:]},
		"ERC-721":       {"topics", append(slices.Clone(topics), hash("1"))},
		"short data":    {"data", "0x01"},
		"anonymous one": {"topics", topics[:1]},
	} {
		log := transferLog()
		log[c.member] = c.value
		s := newScript()
		s.set("eth_getLogs", []any{log})
		s.set("eth_getBlockReceipts", editReceipt(1, "logs", []any{log}))
		b, err := s.open(t).Block(t.Context(), block7, []string{token})
		if err != nil || len(b.Movements) != 1 || b.Movements[0].Contract != "" {
			t.Errorf("%s: got %+v, %v, want the native movement only", name, b.Movements, err)
		}
	}
}

func TestFailedTransactionMovesNothing(t *testing.T) {
	s := newScript()
	s.set("eth_getBlockReceipts", editReceipt(0, "status", "0x0"))
	b, err := s.open(t).Block(t.Context(), block7, nil)
	if err != nil || len(b.Movements) != 0 || len(b.Spends) != 2 {
		t.Fatalf("got %+v, %v, want two spends and no movement", b, err)
	}
}

func TestContractCreationBringsNothing(t *testing.T) {
	s := newScript()
	s.set("eth_getBlockByHash", editTx(0, "to", nil))
	b, err := s.open(t).Block(t.Context(), block7, nil)
	if err != nil || len(b.Movements) != 0 {
		t.Fatalf("got %+v, %v, want no movement", b, err)
	}
}
