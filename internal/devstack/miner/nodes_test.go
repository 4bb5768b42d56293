package miner_test

import (
	"path/filepath"
	"testing"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/faucet"
	"strongroom/internal/devstack/miner"
)

func find(t *testing.T, what func(string) (string, error)) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := what(root)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func port(t *testing.T) int {
	t.Helper()
	p, err := devstack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBtcdGetsItsBlocksBack kills btcd, which forgets its chain, and expects the
// same chain after Restore, and no mining before.
func TestBtcdGetsItsBlocksBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address, err := faucet.MiningAddress()
	check(t, err)
	cfg := devstack.BtcdConfig{
		Bin: find(t, devstack.BtcdBin), Dir: t.TempDir(), Port: port(t), User: "u", Password: "p", MiningAddress: address,
	}
	log, err := miner.OpenBlockLog(filepath.Join(t.TempDir(), "blocks.log"))
	check(t, err)
	chain := &miner.Bitcoin{RPC: cfg.RPC(), Log: log, Genesis: devstack.RegtestGenesis}
	node, err := devstack.StartBtcd(ctx, cfg)
	check(t, err)
	check(t, node.Mine(ctx, 130), chain.Save(ctx)) // not all by the miner: Save takes what is there
	for range 3 {
		if _, err := chain.Mine(ctx); err != nil {
			t.Fatal(err)
		}
		check(t, chain.Save(ctx))
	}
	var before, after string
	check(t, node.Call(ctx, &before, "getbestblockhash"), node.Kill())

	node, err = devstack.StartBtcd(ctx, cfg)
	check(t, err)
	t.Cleanup(func() { _ = node.Stop() })
	check(t, node.Call(ctx, &after, "getbestblockhash"))
	if before != after { // the node did lose blocks: mining now would fork the chain
		if _, err := chain.Mine(ctx); err == nil {
			t.Fatal("mined on a node that lacks its blocks")
		}
	}
	check(t, chain.Restore(ctx), chain.Restore(ctx))
	check(t, node.Call(ctx, &after, "getbestblockhash"))
	if before != after {
		t.Fatalf("head is %s after the restart, was %s", after, before)
	}
	var height int
	check(t, node.Call(ctx, &height, "getblockcount"))
	if height != 133 {
		t.Fatalf("height %d, want 133", height)
	}
	if _, err := chain.Mine(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, chain.Save(ctx))
	// The block that was logged last leaves the chain: the node has it still.
	check(t, node.Call(ctx, &before, "getbestblockhash"), node.Call(ctx, nil, "invalidateblock", before))
	check(t, node.Call(ctx, nil, "generate", 2), node.Call(ctx, nil, "reconsiderblock", before))
	if _, err := chain.Mine(ctx); err != nil {
		t.Fatalf("mine after a reorganisation: %v", err)
	}
}

// TestLitecoindNeedNotTakeBackWhatItWasToldIsInvalid lets it forget the blocks above
// one that it has taken for invalid by order: nothing is lost, and mining goes on.
func TestLitecoindNeedNotTakeBackWhatItWasToldIsInvalid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address, err := faucet.LitecoinMiningAddress()
	check(t, err)
	cfg := devstack.LitecoindConfig{
		Bin: find(t, devstack.LitecoindBin), Dir: t.TempDir(), Port: port(t), User: "u", Password: "p", MiningAddress: address,
	}
	log, err := miner.OpenBlockLog(filepath.Join(t.TempDir(), "blocks.log"))
	check(t, err)
	chain := &miner.Bitcoin{RPC: cfg.RPC(), Log: log, Genesis: devstack.LitecoinGenesis, Address: address}
	node, err := devstack.StartLitecoind(ctx, cfg)
	check(t, err)
	t.Cleanup(func() { _ = node.Stop() })
	var below string
	check(t, node.Mine(ctx, 3), chain.Save(ctx), node.Call(ctx, &below, "getbestblockhash"), node.Restart(ctx))
	check(t, node.Mine(ctx, 1), chain.Save(ctx), node.Kill())
	node, err = devstack.StartLitecoind(ctx, cfg) // without the last block
	check(t, err)
	check(t, node.Call(ctx, nil, "invalidateblock", below), chain.Restore(ctx))
	if _, err := chain.Mine(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestAnvilComesBackWithWhatWasMined kills anvil after a step of the miner.
func TestAnvilComesBackWithWhatWasMined(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := devstack.AnvilConfig{
		Bin: find(t, devstack.AnvilBin), Port: port(t), StateFile: filepath.Join(t.TempDir(), "state.json"),
	}
	chain := &miner.EVM{Node: cfg}
	node, err := devstack.StartAnvil(ctx, cfg)
	check(t, err)
	var hash string
	check(t, node.Call(ctx, &hash, "eth_sendTransaction", map[string]string{
		"from": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "to": "0x000000000000000000000000000000000000dEaD", "value": "0x7",
	}))
	if n, err := chain.Pool(ctx); err != nil || n != 1 {
		t.Fatalf("pool %d, %v", n, err)
	}
	if n, err := chain.Mine(ctx); err != nil || n != 1 {
		t.Fatalf("mined %d transactions, %v", n, err)
	}
	check(t, chain.Save(ctx), node.Kill())
	node, err = devstack.StartAnvil(ctx, cfg)
	check(t, err)
	t.Cleanup(func() { _ = node.Stop() })
	var receipt struct{ BlockNumber, Status string }
	check(t, node.Call(ctx, &receipt, "eth_getTransactionReceipt", hash))
	if receipt.BlockNumber != "0x1" || receipt.Status != "0x1" {
		t.Fatalf("receipt after kill -9: %+v", receipt)
	}
}

// TestGethComesBackWithWhatWasMined kills geth after a reorganisation: it gets the
// branch back that was the newest.
func TestGethComesBackWithWhatWasMined(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	log, err := miner.OpenBlockLog(filepath.Join(t.TempDir(), "blocks.log"))
	check(t, err)
	cfg := devstack.GethConfig{Bin: find(t, devstack.GethBin), Dir: t.TempDir(), Port: port(t), EnginePort: port(t)}
	chain := &miner.Geth{Node: cfg, Log: log}
	node, err := devstack.StartGeth(ctx, cfg)
	check(t, err)
	for range 4 {
		_, err := chain.Mine(ctx)
		check(t, err, chain.Save(ctx))
	}
	check(t, node.Reorg(ctx, 2), chain.Save(ctx))
	var before, after struct{ Hash, Number string }
	check(t, node.Call(ctx, &before, "eth_getBlockByNumber", "latest", false), node.Kill())
	if before.Number != "0x5" {
		t.Fatalf("head %+v", before)
	}
	node, err = devstack.StartGeth(ctx, cfg)
	check(t, err)
	t.Cleanup(func() { _ = node.Stop() })
	check(t, chain.Restore(ctx), chain.Restore(ctx), node.Call(ctx, &after, "eth_getBlockByNumber", "latest", false))
	if before != after {
		t.Fatalf("head is %+v after the restart, was %+v", after, before)
	}
	if _, err := chain.Mine(ctx); err != nil {
		t.Fatal(err)
	}
}
