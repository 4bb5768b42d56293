package nodes

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// btcdNode is btcd on Bitcoin's regtest.
type btcdNode struct {
	*devstack.Btcd

	cfg devstack.BtcdConfig
}

// NewBtcd starts btcd on a fresh chain.
func NewBtcd(tb testing.TB) *Coin {
	tb.Helper()
	bin, err := devstack.BtcdBin(testenv.Root(tb))
	if err != nil {
		tb.Fatalf("run `make tools`: %v", err)
	}
	port, err := devstack.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return newCoin(tb, "bitcoin-regtest", "regtest", func(miner string) (devstack.RPC, coinNode) {
		n := &btcdNode{cfg: devstack.BtcdConfig{
			Bin: bin, Dir: tb.TempDir(), Port: port, User: nodeUser, Password: nodePassword, MiningAddress: miner,
		}}
		n.start(tb)
		tb.Cleanup(func() { _ = n.Stop() })
		return n.cfg.RPC(), n
	})
}

func (n *btcdNode) start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	node, err := devstack.StartBtcd(ctx, n.cfg)
	if err != nil {
		tb.Fatalf("start btcd: %v", err)
	}
	n.Btcd = node
}

// restart may cost btcd its newest blocks, even after an orderly end: it gets them
// again.
func (n *btcdNode) restart(tb testing.TB, h *Coin) {
	tb.Helper()
	var top int
	h.call(tb, &top, "getblockcount")
	blocks := make([]*wire.MsgBlock, top+1)
	for height := range blocks {
		blocks[height] = h.blockAt(tb, height)
	}
	if err := n.Stop(); err != nil {
		tb.Fatalf("stop btcd: %v", err)
	}
	n.start(tb)
	var kept int
	h.call(tb, &kept, "getblockcount")
	for _, block := range blocks[kept+1:] {
		submit(tb, h, block)
	}
}

func submit(tb testing.TB, h *Coin, block *wire.MsgBlock) {
	tb.Helper()
	var refused *string
	h.call(tb, &refused, "submitblock", encodeBlock(block))
	if refused != nil {
		tb.Fatalf("submit block: %s", *refused)
	}
}

// reorg mines empty blocks by hand beside the chain until they are the longer one.
func (n *btcdNode) reorg(tb testing.TB, h *Coin, depth int) {
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
		block := emptyBlock(tb, parent, times[len(times)-1], int64(top-depth+i+1), h.scriptOf(tb, n.cfg.MiningAddress))
		submit(tb, h, block)
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
