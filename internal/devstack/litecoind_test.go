package devstack

import (
	"testing"
)

// TestLitecoindMinesPastItsExtensionBlocks goes beyond height 432, where a node
// that is started without care stops.
func TestLitecoindMinesPastItsExtensionBlocks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	node, err := StartLitecoind(ctx, LitecoindConfig{
		Bin: bin(t, LitecoindBin), Dir: t.TempDir(), Port: freePort(t), User: "u", Password: "p",
		MiningAddress: "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop() })
	if err := node.Mine(ctx, 440); err != nil {
		t.Fatal(err)
	}
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	var height int
	var genesis string
	if err := node.Call(ctx, &height, "getblockcount"); err != nil || height != 440 {
		t.Fatalf("height %d, %v", height, err)
	}
	if err := node.Call(ctx, &genesis, "getblockhash", 0); err != nil || genesis != LitecoinGenesis {
		t.Fatalf("genesis %s, %v", genesis, err)
	}
}
