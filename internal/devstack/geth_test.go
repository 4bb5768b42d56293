package devstack

import (
	"path/filepath"
	"testing"
)

func startGeth(t *testing.T, dir string) *Geth {
	t.Helper()
	node, err := StartGeth(t.Context(), GethConfig{
		Bin: bin(t, GethBin), Dir: dir, Port: freePort(t), EnginePort: freePort(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop() })
	return node
}

func (g *Geth) at(t *testing.T, which string) gethBlock {
	t.Helper()
	block, err := g.cfg.block(t.Context(), which)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// TestGethMinesOnRequestAndTakesItsBlocksBackAfterAKill asks for a balance at an
// old block too: the node keeps the state of each.
func TestGethMinesOnRequestAndTakesItsBlocksBackAfterAKill(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "geth")
	node := startGeth(t, dir)
	if err := node.Mine(ctx, finalDepth+3); err != nil {
		t.Fatal(err)
	}
	head, final := node.at(t, "latest"), node.at(t, "finalized")
	if head.Number != hexInt(finalDepth+3) || final.Number != hexInt(3) {
		t.Fatalf("head %+v, finalized %+v", head, final)
	}
	var blocks [][]byte
	for height := range uint64(finalDepth + 3) {
		raw, err := node.cfg.RawBlock(ctx, height+1)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, raw)
	}
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	again := startGeth(t, dir)
	if err := again.cfg.Import(ctx, blocks); err != nil {
		t.Fatal(err)
	}
	if got := again.at(t, "latest"); got != head {
		t.Fatalf("head after the kill: %+v, want %+v", got, head)
	}
	var balance string
	if err := again.Call(ctx, &balance, "eth_getBalance", DevAccounts()[0], "0x2"); err != nil || balance != gethRiches {
		t.Fatalf("balance %s, %v", balance, err)
	}
}

func TestGethReplacesBlocks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	node := startGeth(t, t.TempDir())
	if err := node.Mine(ctx, 5); err != nil {
		t.Fatal(err)
	}
	base, gone := node.at(t, "0x3"), node.at(t, "0x4")
	if err := node.Reorg(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if head := node.at(t, "latest"); head.Number != "0x6" || node.at(t, "0x3") != base || node.at(t, "0x4") == gone {
		t.Fatalf("head %+v, block 3 %+v, block 4 %+v", head, node.at(t, "0x3"), node.at(t, "0x4"))
	}
}
