package bitcoin_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
	"strongroom/money"
)

// The node's login and pace in tests.
const (
	nodeUser     = "strongroom"
	nodePassword = "only on loopback"
	nodePatience = time.Minute
	maturity     = 100 // blocks before a mined coin can be spent
	warmUp       = maturity + 60
	strangerFee  = 2_000
)

// btcdHarness is a real btcd on regtest whose miner is the stranger who pays us.
type btcdHarness struct {
	cfg     devstack.BtcdConfig
	node    *devstack.Btcd
	adapter *bitcoin.Adapter
	params  network.Params
	miner   *btcec.PrivateKey
	mature  []minedCoin
	keys    uint32
}

type minedCoin struct {
	outpoint wire.OutPoint
	value    int64
}

func newBtcd(t *testing.T) *btcdHarness {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := devstack.BtcdBin(root)
	if err != nil {
		t.Fatalf("run `make tools`: %v", err)
	}
	port, err := devstack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	params, _ := network.ByName("regtest")
	h := &btcdHarness{params: params, miner: keyOf(1 << 20)}
	h.cfg = devstack.BtcdConfig{
		Bin: bin, Dir: t.TempDir(), Port: port, User: nodeUser, Password: nodePassword, MiningAddress: h.addressOf(t, h.miner),
	}
	h.start(t)
	t.Cleanup(func() { _ = h.node.Stop() })
	h.adapter = h.open(t, h.config())
	h.Mine(t, warmUp)
	h.collectMature(t)
	return h
}

func (h *btcdHarness) start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	node, err := devstack.StartBtcd(ctx, h.cfg)
	if err != nil {
		tb.Fatalf("start btcd: %v", err)
	}
	h.node = node
}

func (h *btcdHarness) config() chainadapters.Config {
	return chainadapters.Config{
		Chain: "bitcoin-regtest", Driver: "bitcoin", URL: h.cfg.RPC().URL, User: nodeUser, Password: nodePassword,
		Expect: h.Identity(), Timeout: 10 * time.Second,
	}
}

func (h *btcdHarness) open(tb testing.TB, cfg chainadapters.Config) *bitcoin.Adapter {
	tb.Helper()
	a, err := bitcoin.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func (h *btcdHarness) call(tb testing.TB, result any, method string, params ...any) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	if err := h.node.Call(ctx, result, method, params...); err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
}

func (h *btcdHarness) Adapter() chainadapters.Adapter { return h.adapter }

func (h *btcdHarness) Identity() chainadapters.Identity {
	return chainadapters.Identity{Network: "regtest", Genesis: devstack.RegtestGenesis}
}

func (h *btcdHarness) Foreign(tb testing.TB) []chainadapters.Adapter {
	tb.Helper()
	network, genesis := h.config(), h.config()
	network.Expect.Network = "testnet4"
	genesis.Expect.Genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	return []chainadapters.Adapter{h.open(tb, network), h.open(tb, genesis)}
}

func (h *btcdHarness) Mine(tb testing.TB, n int) {
	tb.Helper()
	h.call(tb, nil, "generate", n)
}

// DropPool restarts the node, whose pool lives in memory only. btcd may come back
// without its newest blocks, even after an orderly end: it gets them again.
func (h *btcdHarness) DropPool(tb testing.TB) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	blocks := make([]*wire.MsgBlock, top+1)
	for height := range blocks {
		blocks[height] = h.blockAt(tb, height)
	}
	if err := h.node.Stop(); err != nil {
		tb.Fatalf("stop btcd: %v", err)
	}
	h.start(tb)
	var kept int
	h.call(tb, &kept, "getblockcount")
	for _, block := range blocks[kept+1:] {
		h.submit(tb, block)
	}
}

func (h *btcdHarness) submit(tb testing.TB, block *wire.MsgBlock) {
	tb.Helper()
	var refused *string
	h.call(tb, &refused, "submitblock", encodeBlock(block))
	if refused != nil {
		tb.Fatalf("submit block: %s", *refused)
	}
}

func (h *btcdHarness) Plenty() money.Units { return money.FromUint64(100_000_000) }

func (h *btcdHarness) Token() string { return "" }

func (h *btcdHarness) FundToken(tb testing.TB, _ string, _ money.Units) string {
	tb.Helper()
	tb.Fatal("there are no tokens here")
	return ""
}

func (h *btcdHarness) FundFailing(tb testing.TB, _ money.Units) (txid, to string) {
	tb.Helper()
	tb.Fatal("no transaction in a block fails here")
	return "", ""
}

func (h *btcdHarness) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Amount: units}})
}

// FundMany spends one mined coin; its remainder goes back to the miner and is
// forgotten.
func (h *btcdHarness) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	coin := h.mature[0]
	h.mature = h.mature[1:]
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&coin.outpoint, nil, nil))
	rest := coin.value - strangerFee
	for _, p := range payments {
		amount, _ := p.Amount.Uint64()
		rest -= int64(amount)
		tx.AddTxOut(wire.NewTxOut(int64(amount), h.scriptOf(tb, p.To)))
	}
	script := network.KeyScript(h.miner.PubKey().SerializeCompressed())
	tx.AddTxOut(wire.NewTxOut(rest, script))
	signInput(tb, tx, 0, wire.NewTxOut(coin.value, script), h.miner)
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		tb.Fatal(err)
	}
	h.call(tb, nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes()))
	return tx.TxHash().String()
}

// collectMature notes the coins of the miner that are old enough.
func (h *btcdHarness) collectMature(tb testing.TB) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	for height := 1; height <= top-maturity; height++ {
		block := h.blockAt(tb, height)
		base := block.Transactions[0]
		h.mature = append(h.mature, minedCoin{wire.OutPoint{Hash: base.TxHash()}, base.TxOut[0].Value})
	}
}

func (h *btcdHarness) blockAt(tb testing.TB, height int) *wire.MsgBlock {
	tb.Helper()
	var hash, text string
	h.call(tb, &hash, "getblockhash", height)
	h.call(tb, &text, "getblock", hash, 0)
	raw, err := hex.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	var block wire.MsgBlock
	if err := block.Deserialize(bytes.NewReader(raw)); err != nil {
		tb.Fatal(err)
	}
	return &block
}

// Reorg mines empty blocks by hand beside the chain until they are the longer one.
func (h *btcdHarness) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	var times []time.Time
	for height := top - depth - medianBlocks; height <= top-depth; height++ {
		times = append(times, h.blockAt(tb, height).Header.Timestamp)
	}
	parent := h.blockAt(tb, top-depth).BlockHash()
	for i := range depth + 1 {
		times = append(times, nextTime(times))
		block := emptyBlock(tb, parent, times[len(times)-1], int64(top-depth+i+1), h.scriptOf(tb, h.cfg.MiningAddress))
		h.submit(tb, block)
		parent = block.BlockHash()
	}
}

// medianBlocks is how many blocks have a say in the least time of the next.
const medianBlocks = 11

// nextTime is the least time after these that consensus allows and that does not
// go back.
func nextTime(times []time.Time) time.Time {
	recent := slices.Clone(times[len(times)-medianBlocks:])
	slices.SortFunc(recent, time.Time.Compare)
	if least := recent[medianBlocks/2].Add(time.Second); least.After(times[len(times)-1]) {
		return least
	}
	return times[len(times)-1]
}

// emptyBlock makes a block that holds nothing but its coinbase (BIP 34).
func emptyBlock(tb testing.TB, parent chainhash.Hash, at time.Time, height int64, script []byte) *wire.MsgBlock {
	tb.Helper()
	tag, err := txscript.NewScriptBuilder().AddInt64(height).AddData([]byte("other branch")).Script()
	if err != nil {
		tb.Fatal(err)
	}
	base := wire.NewMsgTx(2)
	base.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), tag, nil))
	base.AddTxOut(wire.NewTxOut(1, script))
	block := wire.NewMsgBlock(wire.NewBlockHeader(0x20000000, &parent, new(base.TxHash()), 0x207fffff, 0))
	block.Header.Timestamp = at
	if err := block.AddTransaction(base); err != nil {
		tb.Fatal(err)
	}
	for block.BlockHash()[chainhash.HashSize-1] > 0x7e { // half of all hashes are good enough on regtest
		block.Header.Nonce++
	}
	return block
}
