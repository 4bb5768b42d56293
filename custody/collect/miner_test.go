package collector_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// miner is a stranger with a btcd on regtest, who mines and pays.
type miner struct {
	node    *devstack.Btcd
	params  network.Params
	key     *btcec.PrivateKey
	address string
}

// warmUp is enough for the first mined coin to be spendable.
const warmUp = 101

// strangerFee is about two satoshi per byte: the fee rate is low.
const strangerFee = 13_000

func newMiner(t *testing.T) *miner {
	t.Helper()
	key, err := btcec.NewPrivateKey()
	must(t, err)
	params, _ := network.ByName("regtest")
	m := &miner{params: params, key: key}
	m.address, err = params.KeyAddress(key.PubKey().SerializeCompressed())
	must(t, err)
	bin, err := devstack.BtcdBin(testenv.Root(t))
	if err != nil {
		t.Fatalf("run `make tools`: %v", err)
	}
	port, err := devstack.FreePort()
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m.node, err = devstack.StartBtcd(ctx, devstack.BtcdConfig{
		Bin: bin, Dir: t.TempDir(), Port: port, User: "strongroom", Password: "only on loopback", MiningAddress: m.address,
	})
	must(t, err)
	t.Cleanup(func() { _ = m.node.Stop() })
	m.mine(t, warmUp)
	return m
}

func (m *miner) mine(t *testing.T, n int) {
	t.Helper()
	must(t, m.node.Mine(context.Background(), n))
}

// pay spends the first mined coin in one transaction to all the addresses; what is
// left goes back to the miner.
func (m *miner) pay(t *testing.T, amounts map[string]int64) {
	t.Helper()
	ctx := context.Background()
	var hash, text string
	must(t, m.node.Call(ctx, &hash, "getblockhash", 1))
	must(t, m.node.Call(ctx, &text, "getblock", hash, 0))
	raw, err := hex.DecodeString(text)
	must(t, err)
	var block wire.MsgBlock
	must(t, block.Deserialize(bytes.NewReader(raw)))
	coin, script := block.Transactions[0], network.KeyScript(m.key.PubKey().SerializeCompressed())
	tx, rest := wire.NewMsgTx(2), coin.TxOut[0].Value-strangerFee
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: coin.TxHash()}, nil, nil))
	for address, amount := range amounts {
		to, err := m.params.Script(address)
		must(t, err)
		tx.AddTxOut(wire.NewTxOut(amount, to))
		rest -= amount
	}
	tx.AddTxOut(wire.NewTxOut(rest, script))
	sums := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(script, coin.TxOut[0].Value))
	tx.TxIn[0].Witness, err = txscript.WitnessSignature(tx, sums, 0, coin.TxOut[0].Value, script, txscript.SigHashAll, m.key, true)
	must(t, err)
	var signed bytes.Buffer
	must(t, tx.Serialize(&signed))
	must(t, m.node.Call(ctx, nil, "sendrawtransaction", hex.EncodeToString(signed.Bytes())))
}
