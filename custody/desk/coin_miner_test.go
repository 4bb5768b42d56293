package desk_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// coinNode is a node of the Bitcoin family that mines on request.
type coinNode interface {
	Call(ctx context.Context, result any, method string, params ...any) error
	Mine(ctx context.Context, n int) error
}

// coinMiner is a stranger who mines, pays, and takes no transaction that pays too
// little.
type coinMiner struct {
	t       *testing.T
	node    coinNode
	url     devstack.RPC
	chain   chainadapters.ChainID
	network string
	params  network.Params
	key     *btcec.PrivateKey
	address string
	// empty makes a block of nothing but its coinbase.
	empty func(m *coinMiner)
}

// warmUp is enough for the first mined coin to be spendable.
const warmUp = 101

func newCoinMiner(t *testing.T, chain chainadapters.ChainID, net string) *coinMiner {
	t.Helper()
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	params, _ := network.ByName(net)
	address, err := params.KeyAddress(key.PubKey().SerializeCompressed())
	if err != nil {
		t.Fatal(err)
	}
	return &coinMiner{t: t, chain: chain, network: net, params: params, key: key, address: address}
}

func onBtcd(t *testing.T) *coinMiner {
	t.Helper()
	m := newCoinMiner(t, "bitcoin-regtest", "regtest")
	bin, err := devstack.BtcdBin(testenv.Root(t))
	if err != nil {
		t.Fatalf("run `make tools`: %v", err)
	}
	port, err := devstack.FreePort()
	m.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node, err := devstack.StartBtcd(ctx, devstack.BtcdConfig{
		Bin: bin, Dir: t.TempDir(), Port: port, User: "strongroom", Password: "only on loopback", MiningAddress: m.address,
	})
	m.must(err)
	t.Cleanup(func() { _ = node.Stop() })
	m.node, m.url, m.empty = node, node.RPC, (*coinMiner).emptyByHand
	m.must(node.Mine(t.Context(), warmUp))
	return m
}

func onLitecoind(t *testing.T) *coinMiner {
	t.Helper()
	m := newCoinMiner(t, "litecoin-regtest", "litecoin-regtest")
	node := testenv.Litecoind(t, devstack.LitecoindConfig{MiningAddress: m.address})
	m.node, m.url = node, node.RPC
	m.empty = func(m *coinMiner) { m.call(nil, "generateblock", m.address, []string{}) }
	m.must(node.Mine(t.Context(), warmUp))
	return m
}

func (m *coinMiner) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *coinMiner) call(into any, method string, params ...any) {
	m.t.Helper()
	if err := m.node.Call(m.t.Context(), into, method, params...); err != nil {
		m.t.Fatalf("%s: %v", method, err)
	}
}

// pool returns what waits in the node.
func (m *coinMiner) pool() []string {
	m.t.Helper()
	var txids []string
	m.call(&txids, "getrawmempool")
	return txids
}

// takes mines n blocks as miners do who want a rate in satoshi per 1,000 virtual
// bytes, from each transaction with all that it hangs on: all of the pool, or none.
func (m *coinMiner) takes(n int, rate int64, value func(wire.OutPoint) int64) {
	m.t.Helper()
	for range n {
		var fee, size int64
		for _, txid := range m.pool() {
			tx := m.transaction(txid)
			for _, in := range tx.TxIn {
				fee += value(in.PreviousOutPoint)
			}
			for _, out := range tx.TxOut {
				fee -= out.Value
			}
			size += int64(tx.SerializeSizeStripped()*3+tx.SerializeSize()+3) / 4
		}
		if size > 0 && fee*1000 < rate*size {
			m.empty(m)
			continue
		}
		m.must(m.node.Mine(m.t.Context(), 1))
	}
}

func (m *coinMiner) transaction(txid string) *wire.MsgTx {
	m.t.Helper()
	var text string
	m.call(&text, "getrawtransaction", txid, 0)
	raw, err := hex.DecodeString(text)
	m.must(err)
	var tx wire.MsgTx
	m.must(tx.Deserialize(bytes.NewReader(raw)))
	return &tx
}

func (m *coinMiner) block(height int64) *wire.MsgBlock {
	m.t.Helper()
	var hash, text string
	m.call(&hash, "getblockhash", height)
	m.call(&text, "getblock", hash, 0)
	raw, err := hex.DecodeString(text)
	m.must(err)
	var block wire.MsgBlock
	m.must(block.Deserialize(bytes.NewReader(raw)))
	return &block
}

// payFrom spends the coin that a block made to all the addresses.
func (m *coinMiner) payFrom(height int64, amounts map[string]int64) {
	m.t.Helper()
	const fee = 10_000
	base := m.block(height).Transactions[0]
	script := network.KeyScript(m.key.PubKey().SerializeCompressed())
	tx, rest := wire.NewMsgTx(2), base.TxOut[0].Value-fee
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: base.TxHash()}, nil, nil))
	for address, amount := range amounts {
		to, err := m.params.Script(address)
		m.must(err)
		tx.AddTxOut(wire.NewTxOut(amount, to))
		rest -= amount
	}
	tx.AddTxOut(wire.NewTxOut(rest, script))
	sums := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(script, base.TxOut[0].Value))
	var err error
	tx.TxIn[0].Witness, err = txscript.WitnessSignature(tx, sums, 0, base.TxOut[0].Value, script, txscript.SigHashAll, m.key, true)
	m.must(err)
	var signed bytes.Buffer
	m.must(tx.Serialize(&signed))
	m.call(nil, "sendrawtransaction", hex.EncodeToString(signed.Bytes()))
	m.must(m.node.Mine(m.t.Context(), 1))
}

// medianBlocks is how many blocks have a say in the least time of the next.
const medianBlocks = 11

// emptyByHand makes a block that holds nothing but its coinbase (BIP 34).
func (m *coinMiner) emptyByHand() {
	m.t.Helper()
	var top int64
	m.call(&top, "getblockcount")
	times := make([]time.Time, 0, medianBlocks)
	for height := top - medianBlocks + 1; height <= top; height++ {
		times = append(times, m.block(height).Header.Timestamp)
	}
	newest := times[len(times)-1]
	slices.SortFunc(times, time.Time.Compare)
	if least := times[medianBlocks/2].Add(time.Second); least.After(newest) {
		newest = least
	}
	tag, err := txscript.NewScriptBuilder().AddInt64(top + 1).AddData([]byte("nothing")).Script()
	m.must(err)
	base := wire.NewMsgTx(2)
	base.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), tag, nil))
	base.AddTxOut(wire.NewTxOut(1, network.KeyScript(m.key.PubKey().SerializeCompressed())))
	parent := m.block(top).BlockHash()
	block := wire.NewMsgBlock(wire.NewBlockHeader(0x20000000, &parent, new(base.TxHash()), 0x207fffff, 0))
	block.Header.Timestamp = newest
	m.must(block.AddTransaction(base))
	for block.BlockHash()[chainhash.HashSize-1] > 0x7e { // half of all hashes are good enough on regtest
		block.Header.Nonce++
	}
	var raw bytes.Buffer
	m.must(block.Serialize(&raw))
	var refused *string
	m.call(&refused, "submitblock", hex.EncodeToString(raw.Bytes()))
	if refused != nil {
		m.t.Fatalf("submit block: %s", *refused)
	}
}
