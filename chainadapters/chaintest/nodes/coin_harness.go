package nodes

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
	"strongroom/money"
)

// The nodes' login and pace in tests.
const (
	nodeUser     = "strongroom"
	nodePassword = "only on loopback"
	nodePatience = time.Minute
	maturity     = 100 // blocks before a mined coin can be spent
	warmUp       = maturity + 60
	strangerFee  = 20_000
)

// coinNode is a node of the family with its miner.
type coinNode interface {
	// Mine makes n blocks; the first takes the pool.
	Mine(ctx context.Context, n int) error
	// reorg replaces the newest depth blocks by depth+1 empty ones.
	reorg(tb testing.TB, h *Coin, depth int)
	// restart empties the pool, which lives in memory only.
	restart(tb testing.TB, h *Coin)
}

// Coin is the bitcoin adapter on a real node on regtest whose miner is the stranger who pays us.
type Coin struct {
	chain   chainadapters.ChainID
	rpc     devstack.RPC
	node    coinNode
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

// newCoin knows the network; start gives it a node that pays to an address.
func newCoin(tb testing.TB, chain chainadapters.ChainID, name string, start func(miner string) (devstack.RPC, coinNode)) *Coin {
	tb.Helper()
	params, known := network.ByName(name)
	if !known {
		tb.Fatalf("network %s is unknown", name)
	}
	h := &Coin{chain: chain, params: params, miner: keyOf(1 << 20)}
	h.rpc, h.node = start(h.addressOf(tb, h.miner))
	h.adapter = h.Open(tb, h.Config())
	h.Mine(tb, warmUp)
	h.collectMature(tb)
	return h
}

// Config returns how to reach the healthy node.
func (h *Coin) Config() chainadapters.Config {
	return chainadapters.Config{
		Chain: h.chain, Driver: "bitcoin", URL: h.rpc.URL, User: nodeUser, Password: nodePassword,
		Expect: h.Identity(), Timeout: 10 * time.Second,
	}
}

// Open returns an adapter or ends the test.
func (h *Coin) Open(tb testing.TB, cfg chainadapters.Config) *bitcoin.Adapter {
	tb.Helper()
	a, err := bitcoin.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func (h *Coin) call(tb testing.TB, result any, method string, params ...any) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	if err := h.rpc.Call(ctx, result, method, params...); err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
}

// Adapter implements chaintest.Harness.
func (h *Coin) Adapter() chainadapters.Adapter { return h.adapter }

// Identity implements chaintest.Harness.
func (h *Coin) Identity() chainadapters.Identity {
	return chainadapters.Identity{Network: h.params.Name, Genesis: h.params.Genesis}
}

// Foreign implements chaintest.Harness.
func (h *Coin) Foreign(tb testing.TB) []chainadapters.Adapter {
	tb.Helper()
	other, genesis := h.Config(), h.Config()
	other.Expect.Network = "testnet4"
	genesis.Expect.Genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	return []chainadapters.Adapter{h.Open(tb, other), h.Open(tb, genesis)}
}

// Mine implements chaintest.Harness.
func (h *Coin) Mine(tb testing.TB, n int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	if err := h.node.Mine(ctx, n); err != nil {
		tb.Fatalf("mine: %v", err)
	}
}

// Reorg implements chaintest.Harness.
func (h *Coin) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	h.node.reorg(tb, h, depth)
}

// DropPool implements chaintest.Harness.
func (h *Coin) DropPool(tb testing.TB) {
	tb.Helper()
	h.node.restart(tb, h)
}

// Plenty implements chaintest.Harness.
func (h *Coin) Plenty() money.Units { return money.FromUint64(100_000_000) }

// Token implements chaintest.Harness.
func (h *Coin) Token() string { return "" }

// FundToken implements chaintest.Harness.
func (h *Coin) FundToken(tb testing.TB, _ string, _ money.Units) string {
	tb.Helper()
	tb.Fatal("there are no tokens here")
	return ""
}

// FundFailing implements chaintest.Harness.
func (h *Coin) FundFailing(tb testing.TB, _ money.Units) (txid, to string) {
	tb.Helper()
	tb.Fatal("no transaction in a block fails here")
	return "", ""
}

// Fund implements chaintest.Harness.
func (h *Coin) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Amount: units}})
}

// FundMany spends one mined coin; its remainder goes back to the miner and is
// forgotten.
func (h *Coin) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	coin := h.mature[0]
	h.mature = h.mature[1:]
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&coin.outpoint, nil, nil))
	rest := coin.value - strangerFee
	for _, p := range payments {
		amount := p.Amount.Big().Int64()
		rest -= amount
		tx.AddTxOut(wire.NewTxOut(amount, h.scriptOf(tb, p.To)))
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
func (h *Coin) collectMature(tb testing.TB) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	for height := 1; height <= top-maturity; height++ {
		block := h.blockAt(tb, height)
		base := block.Transactions[0]
		h.mature = append(h.mature, minedCoin{wire.OutPoint{Hash: base.TxHash()}, base.TxOut[0].Value})
	}
}

func (h *Coin) blockAt(tb testing.TB, height int) *wire.MsgBlock {
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

// MinerAddress returns the address of the stranger who pays.
func (h *Coin) MinerAddress(tb testing.TB) string {
	tb.Helper()
	return h.addressOf(tb, h.miner)
}

// UTXO returns the adapter as what it is.
func (h *Coin) UTXO() *bitcoin.Adapter { return h.adapter }
