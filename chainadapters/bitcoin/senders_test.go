package bitcoin_test

import (
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/money"
)

// TestSendersOfADeposit: a payment names the stranger who made it, whether the
// node gives earlier transactions or not; mined coins come from nobody.
func TestSendersOfADeposit(t *testing.T) {
	h := newBtcd(t)
	ctx := t.Context()
	miner := h.addressOf(t, h.miner)
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	txid := h.Fund(t, h.addressOf(t, key), money.FromUint64(70_000))
	h.Mine(t, 1)
	head, err := h.adapter.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	proxy := chaintest.NewProxy(t, h.config().URL)
	proxy.Answer("getrawtransaction", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		return chaintest.Reply{Error: json.RawMessage(`{"code":-5,"message":"No such mempool transaction. Use -txindex"}`)}
	})
	pruned := h.config()
	pruned.URL = proxy.URL()
	for name, reader := range map[string]chainadapters.SenderReader{"indexed": h.adapter, "without an index": h.open(t, pruned)} {
		got, err := reader.Senders(ctx, txid, head.Ref)
		if err != nil || len(got.Addresses) != 1 || got.Addresses[0] != miner || got.Unknown != 0 {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, miner)
		}
		block, err := h.adapter.Block(ctx, head.Ref, nil)
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
