package nodes

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// strangerKey belongs to the first account of the common development phrase, which
// every node of development makes rich. It holds nothing anywhere else.
const strangerKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

// strangerTip is what the stranger gives per gas, in wei.
const strangerTip = 1_000_000_000

// anvilPower is anvil's miner.
type anvilPower struct{ h *EVM }

func (p anvilPower) mine(tb testing.TB, n int) {
	tb.Helper()
	p.h.call(tb, nil, "anvil_mine", fmt.Sprintf("0x%x", n))
}

func (p anvilPower) reorg(tb testing.TB, depth int) {
	tb.Helper()
	p.h.call(tb, nil, "anvil_reorg", depth, []any{})
	p.dropPool(tb)
	p.mine(tb, 1)
}

func (p anvilPower) dropPool(tb testing.TB) {
	tb.Helper()
	p.h.call(tb, nil, "anvil_dropAllTransactions")
}

// send signs and sends a transaction of the stranger: to, value, data and gas of an
// eth_sendTransaction, gas being estimated where it is absent.
func (h *EVM) send(tb testing.TB, tx map[string]any) string {
	tb.Helper()
	// Geth counts the pool anew after each block, and for a moment tells a nonce
	// that is taken already.
	var err error
	for range sendTries {
		var txid string
		if txid, err = h.trySend(tb, tx); err == nil {
			return txid
		}
		if !strings.Contains(err.Error(), "underpriced") && !strings.Contains(err.Error(), "nonce too low") {
			break
		}
		time.Sleep(sendPause) //nolint:forbidigo // a real node, outside our time
	}
	tb.Fatalf("send: %v", err)
	return ""
}

// How often, and how long apart, a nonce is asked for again.
const (
	sendTries = 40
	sendPause = 25 * time.Millisecond
)

func (h *EVM) trySend(tb testing.TB, tx map[string]any) (string, error) {
	tb.Helper()
	tx["from"] = h.stranger
	var nonce, gas hexutil.Uint64
	var price hexutil.Big
	h.call(tb, &nonce, "eth_getTransactionCount", h.stranger, "pending")
	h.call(tb, &price, "eth_gasPrice")
	if given, ok := tx["gas"].(hexutil.Uint64); ok {
		gas = given
	} else {
		h.call(tb, &gas, "eth_estimateGas", tx)
		gas += gas / 4
	}
	chain, ok := new(big.Int).SetString(devChainID, 10)
	if !ok {
		tb.Fatal("chain id")
	}
	feeCap := new(big.Int).Lsh(price.ToInt(), 1)
	inner := &types.DynamicFeeTx{
		ChainID: chain, Nonce: uint64(nonce), Gas: uint64(gas), GasTipCap: big.NewInt(strangerTip),
		GasFeeCap: feeCap.Add(feeCap, big.NewInt(strangerTip)),
	}
	switch to := tx["to"].(type) {
	case string:
		inner.To = new(common.HexToAddress(to))
	case common.Address:
		inner.To = &to
	}
	if data, ok := tx["data"].(hexutil.Bytes); ok {
		inner.Data = data
	}
	if value, ok := tx["value"].(*hexutil.Big); ok {
		inner.Value = value.ToInt()
	}
	signed, err := types.SignNewTx(h.key, types.LatestSignerForChainID(chain), inner)
	if err != nil {
		tb.Fatalf("sign: %v", err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		tb.Fatalf("encode: %v", err)
	}
	var hash common.Hash
	err = h.rpc.CallContext(tb.Context(), &hash, "eth_sendRawTransaction", hexutil.Bytes(raw))
	return signed.Hash().Hex(), err
}
