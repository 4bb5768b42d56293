package evm_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
	"strongroom/money"
)

// aPayment is a signed native payment and its id.
func aPayment(t *testing.T) (raw []byte, txid string) {
	t.Helper()
	recipient := common.HexToAddress(to)
	tx, err := types.SignNewTx(key(t, 1), londonSigner, &types.DynamicFeeTx{
		ChainID: big.NewInt(31337), Gas: 21_000, GasFeeCap: big.NewInt(1), To: &recipient, Value: big.NewInt(5),
	})
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = tx.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return raw, tx.Hash().Hex()
}

func TestBroadcastAnswers(t *testing.T) {
	raw, txid := aPayment(t)
	for name, c := range map[string]struct {
		answer any
		want   error // nil: the node has it
	}{
		"accepted":        {txid, nil},
		"geth":            {refusal{-32000, "already known"}, nil},
		"anvil":           {refusal{-32003, "transaction already imported"}, nil},
		"nethermind":      {refusal{-32010, "AlreadyKnown"}, nil},
		"besu":            {refusal{-32000, "Known transaction"}, nil},
		"unknown":         {refusal{-32000, "unknown transaction type"}, chainadapters.ErrRefused},
		"used nonce":      {refusal{-32000, "nonce too low"}, chainadapters.ErrRefused},
		"underpriced":     {refusal{-32000, "replacement transaction underpriced"}, chainadapters.ErrRefused},
		"another hash":    {hash("c"), chainadapters.ErrIncomplete},
		"null":            {nil, chainadapters.ErrIncomplete},
		"unknown methods": {refusal{-32601, "no such method"}, chainadapters.ErrRefused},
	} {
		s := newScript()
		s.set("eth_sendRawTransaction", c.answer)
		err := s.open(t).Broadcast(t.Context(), raw)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if r, ok := c.answer.(refusal); ok && err != nil && !strings.Contains(err.Error(), r.Message) {
			t.Errorf("%s: the node's words are lost: %v", name, err)
		}
	}
}

func TestBroadcastSendsNothingForeign(t *testing.T) {
	s := newScript()
	a := s.open(t)
	if err := a.Broadcast(t.Context(), []byte("not a transaction")); !errors.Is(err, evm.ErrTransaction) {
		t.Fatalf("got %v, want ErrTransaction", err)
	}
	s.set("eth_chainId", "0x1")
	raw, _ := aPayment(t)
	if err := a.Broadcast(t.Context(), raw); !errors.Is(err, chainadapters.ErrForeign) {
		t.Fatalf("got %v, want ErrForeign", err)
	}
	if n := s.count("eth_sendRawTransaction"); n != 0 {
		t.Fatalf("%d transactions were sent", n)
	}
}

func TestStatusesThatContradict(t *testing.T) {
	tx := func(change func(object)) any {
		out := blockOfTwo()["transactions"].([]any)[0].(object)
		change(out)
		return out
	}
	receipt := func(change func(object)) any {
		out := receiptsOfTwo()[0].(object)
		change(out)
		return out
	}
	same := func(object) {}
	for name, c := range map[string]struct{ tx, receipt, header any }{
		"no receipt":               {tx(same), nil, header("1", 7)},
		"receipt of another block": {tx(same), receipt(func(o object) { o["blockHash"] = hash("2") }), header("1", 7)},
		"receipt without price":    {tx(same), receipt(func(o object) { o["effectiveGasPrice"] = nil }), header("1", 7)},
		"block not on the chain":   {tx(same), receipt(same), header("2", 7)},
		"no block at the height":   {tx(same), receipt(same), nil},
		"another transaction":      {tx(func(o object) { o["hash"] = hash("b") }), receipt(same), header("1", 7)},
	} {
		s := newScript()
		s.set("eth_getTransactionByHash", c.tx)
		s.set("eth_getTransactionReceipt", c.receipt)
		s.set("eth_getBlockByNumber", c.header)
		got, err := s.open(t).Statuses(t.Context(), []string{hash("a")})
		if !errors.Is(err, chainadapters.ErrIncomplete) {
			t.Errorf("%s: got %+v, %v, want ErrIncomplete", name, got, err)
		}
	}
}

func TestStatusesInOrderAcrossBatches(t *testing.T) {
	s := newScript()
	s.set("eth_getTransactionByHash", func(params []rawJSON) any {
		if string(params[0]) == `"`+hash("a")+`"` {
			return object{"hash": hash("a"), "blockHash": nil}
		}
		return nil
	})
	ids := make([]string, 250)
	for i := range ids {
		ids[i] = hash("c")
	}
	ids[201] = hash("a")
	got, err := s.open(t).Statuses(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, status := range got {
		if pooled := status.State == chainadapters.Pooled; pooled != (i == 201) || status.TxID != ids[i] {
			t.Fatalf("status %d: %+v", i, status)
		}
	}
	if _, err := s.open(t).Statuses(t.Context(), make([]string, 1_001)); !errors.Is(err, evm.ErrTooMany) {
		t.Fatalf("got %v, want ErrTooMany", err)
	}
}

func TestHoldings(t *testing.T) {
	s := newScript()
	s.set("eth_getBalance", "0x5")
	s.set("eth_call", "0x"+hash("0")[4:]+"07")
	a := s.open(t)
	for contract, want := range map[string]uint64{"": 10, token: 14} {
		// An address that is listed twice counts once.
		q := chainadapters.Holdings{Contract: contract, Addresses: []string{from, to, from}, At: block7}
		if got, err := a.Holdings(t.Context(), q); err != nil || got != money.FromUint64(want) {
			t.Errorf("contract %q: got %s, %v, want %d", contract, got, err, want)
		}
	}
	s.set("eth_getBalance", nil)
	s.set("eth_call", "0x") // no contract there
	for _, contract := range []string{"", token} {
		q := chainadapters.Holdings{Contract: contract, Addresses: []string{from}, At: block7}
		if got, err := a.Holdings(t.Context(), q); !errors.Is(err, chainadapters.ErrIncomplete) {
			t.Errorf("contract %q without an answer: got %s, %v, want ErrIncomplete", contract, got, err)
		}
	}
}

// TestHoldingsTakeOneTrip: the block and the balances are asked for together, and
// the balances count only where the block is the one meant.
func TestHoldingsTakeOneTrip(t *testing.T) {
	s := newScript()
	s.set("eth_getBalance", "0x5")
	s.set("eth_call", "0x"+hash("0")[4:]+"07")
	a := s.open(t)
	if _, err := a.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 0, 150)
	for i := range cap(many) {
		many = append(many, common.BytesToAddress(words(int64(i)+1)).Hex())
	}
	for _, c := range []struct {
		addresses []string
		trips     int
	}{{[]string{from}, 1}, {[]string{from, to}, 1}, {many[:99], 1}, {many, 2}, {nil, 1}} {
		for contract, each := range map[string]uint64{"": 5, token: 7} {
			before := s.trips
			got, err := a.Holdings(t.Context(), chainadapters.Holdings{Contract: contract, Addresses: c.addresses, At: block7})
			if want := money.FromUint64(each * uint64(len(c.addresses))); err != nil || got != want || s.trips != before+c.trips {
				t.Errorf("%d of %q: got %s in %d trips, %v, want %s in %d", len(c.addresses), contract, got, s.trips-before, err, want, c.trips)
			}
		}
	}
	at := block7
	at.Hash = hash("2")
	for name, answer := range map[string]any{"another block": header("1", 7), "null": nil, "refused": refusal{Code: -32000, Message: "no"}} {
		s.set("eth_getBlockByNumber", answer)
		if got, err := a.Holdings(t.Context(), chainadapters.Holdings{Addresses: []string{from}, At: at}); err == nil || !got.IsZero() {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	s.set("eth_getBlockByNumber", header("1", 7))
	s.set("eth_getBalance", func(params []rawJSON) any {
		if strings.EqualFold(string(params[0]), `"`+to+`"`) {
			return refusal{Code: -32000, Message: "missing trie node"}
		}
		return "0x5"
	})
	var said *evm.NodeError
	if got, err := a.Holdings(t.Context(), chainadapters.Holdings{Addresses: []string{from, to}, At: block7}); !errors.As(err, &said) || !got.IsZero() {
		t.Errorf("one of two refused: got %s, %v", got, err)
	}
}
