package nodes

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters/chaintest"
	"strongroom/contracts"
	"strongroom/money"
)

var _ chaintest.Contracts = (*EVM)(nil)

// callGas is given to every call of a test contract: one that fails cannot be
// estimated, and a megabyte of reasons costs two million.
const callGas = 5_000_000

// Deploy implements chaintest.Contracts.
func (h *EVM) Deploy(tb testing.TB, name string) string {
	tb.Helper()
	artifact, parsed := compiled(tb, name)
	txid := h.send(tb, map[string]any{"data": hexutil.Bytes(artifact.Code)})
	h.Mine(tb, 1)
	var receipt struct {
		Contract common.Address `json:"contractAddress"`
	}
	h.call(tb, &receipt, "eth_getTransactionReceipt", txid)
	if h.deployed == nil {
		h.deployed = map[string]abi.ABI{}
	}
	h.deployed[receipt.Contract.Hex()] = parsed
	return receipt.Contract.Hex()
}

// Invoke implements chaintest.Contracts.
func (h *EVM) Invoke(tb testing.TB, contract, method string, value money.Units, args ...any) string {
	tb.Helper()
	return h.send(tb, map[string]any{
		"to": contract, "data": hexutil.Bytes(h.pack(tb, contract, method, args)), "value": (*hexutil.Big)(value.Big()),
		"gas": hexutil.Uint64(callGas),
	})
}

// Stranger implements chaintest.Contracts.
func (h *EVM) Stranger() string { return h.stranger.Hex() }

func compiled(tb testing.TB, name string) (contracts.Artifact, abi.ABI) {
	tb.Helper()
	artifact, err := contracts.Named(name)
	if err != nil {
		tb.Fatalf("read contract: %v", err)
	}
	parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
	if err != nil {
		tb.Fatalf("read ABI of %s: %v", name, err)
	}
	return artifact, parsed
}

// pack encodes a call, with the suite's values put into Ethereum's.
func (h *EVM) pack(tb testing.TB, contract, method string, args []any) []byte {
	tb.Helper()
	parsed, known := h.deployed[contract]
	if !known {
		tb.Fatalf("%s is no contract that was deployed here", contract)
	}
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = evmValue(arg)
	}
	data, err := parsed.Pack(method, values...)
	if err != nil {
		tb.Fatalf("encode %s: %v", method, err)
	}
	return data
}

func evmValue(arg any) any {
	switch v := arg.(type) {
	case string:
		return common.HexToAddress(v)
	case money.Units:
		return v.Big()
	case []string:
		list := make([]common.Address, len(v))
		for i := range v {
			list[i] = common.HexToAddress(v[i])
		}
		return list
	case []money.Units:
		list := make([]*big.Int, len(v))
		for i := range v {
			list[i] = v[i].Big()
		}
		return list
	}
	return arg
}
