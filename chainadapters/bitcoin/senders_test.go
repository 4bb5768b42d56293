package bitcoin_test

import (
	"encoding/json"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/money"
)

// TestSendersOfADeposit: a payment names the stranger who made it, whether the
// node gives earlier transactions or not; mined coins come from nobody.
func TestSendersOfADeposit(t *testing.T) {
	h := nodes.NewBtcd(t)
	ctx := t.Context()
	miner := h.MinerAddress(t)
	txid := h.Fund(t, h.NewWallet(t).Address, money.FromUint64(70_000))
	h.Mine(t, 1)
	head, err := h.UTXO().Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	proxy := chaintest.NewProxy(t, h.Config().URL)
	proxy.Answer("getrawtransaction", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		return chaintest.Reply{Error: json.RawMessage(`{"code":-5,"message":"No such mempool transaction. Use -txindex"}`)}
	})
	pruned := h.Config()
	pruned.URL = proxy.URL()
	for name, reader := range map[string]chainadapters.SenderReader{"indexed": h.UTXO(), "without an index": h.Open(t, pruned)} {
		got, err := reader.Senders(ctx, txid, head.Ref)
		if err != nil || len(got.Addresses) != 1 || got.Addresses[0] != miner || got.Unknown != 0 {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, miner)
		}
		block, err := h.UTXO().Block(ctx, head.Ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader.Senders(ctx, block.TxIDs[0], head.Ref); err != nil || len(got.Addresses) != 0 || got.Unknown != 0 {
			t.Errorf("%s: mined coins: %+v, %v", name, got, err)
		}
		parent := chainadapters.Ref{Height: head.Height - 1, Hash: head.Parent}
		if got, err := reader.Senders(ctx, txid, parent); err == nil {
			t.Errorf("%s: found in a block that does not hold it: %+v", name, got)
		}
	}
}
