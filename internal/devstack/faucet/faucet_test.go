package faucet

import (
	"context"
	"errors"
	"math/big"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/internal/devstack"
	"strongroom/money"
)

const (
	btcTarget = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"
	ethTarget = "0x000000000000000000000000000000000000dEaD"
)

// world is both nodes and a faucet.
type world struct {
	*Faucet

	anvil devstack.AnvilConfig
	node  *devstack.Anvil
	btcd  *devstack.Btcd
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root, err := filepath.Abs("../../..")
	check(t, err)
	anvil, err := devstack.AnvilBin(root)
	check(t, err)
	btcd, err := devstack.BtcdBin(root)
	check(t, err)
	address, err := MiningAddress()
	check(t, err)
	w := &world{anvil: devstack.AnvilConfig{Bin: anvil, Port: port(t), StateFile: filepath.Join(t.TempDir(), "state.json")}}
	w.node, err = devstack.StartAnvil(t.Context(), w.anvil)
	check(t, err)
	t.Cleanup(func() { _ = w.node.Stop() })
	w.btcd, err = devstack.StartBtcd(t.Context(), devstack.BtcdConfig{
		Bin: btcd, Dir: t.TempDir(), Port: port(t), User: "u", Password: "p", MiningAddress: address,
	})
	check(t, err)
	t.Cleanup(func() { _ = w.btcd.Stop() })
	w.Faucet, err = New(Config{Bitcoin: w.btcd.RPC, Ethereum: w.node.RPC})
	check(t, err)
	return w
}

func port(t *testing.T) int {
	t.Helper()
	p, err := devstack.FreePort()
	check(t, err)
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

// mining makes blocks on both chains until the test ends.
func (w *world) mining(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			_ = w.node.Mine(ctx, 1)
			_ = w.btcd.Mine(ctx, 1)
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the pace of real nodes
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func TestBitcoinPaysAgainAndAgainFromItsChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	if _, err := w.SendBTC(ctx, btcTarget, 5_000_000); !errors.Is(err, ErrDry) {
		t.Fatalf("without mature coins the error is %v", err)
	}
	check(t, w.btcd.Mine(ctx, 101)) // one mature coin
	var all []Sent
	for range 5 { // the second and later ones spend change that no block holds yet
		sent, err := w.SendBTC(ctx, btcTarget, 5_000_000)
		check(t, err)
		all = append(all, sent)
	}
	w.mining(t)
	for _, sent := range all {
		check(t, w.Await(ctx, sent))
	}
	var tx struct{ Vout []struct{ Value float64 } }
	check(t, w.btcd.Call(ctx, &tx, "getrawtransaction", all[0].TxID, 1))
	if tx.Vout[0].Value != 0.05 {
		t.Fatalf("paid %v", tx.Vout[0].Value)
	}
	if _, err := w.SendBTC(ctx, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", 5_000_000); err == nil {
		t.Fatal("paid to another network")
	}
	if _, err := w.SendBTC(ctx, btcTarget, 10); err == nil {
		t.Fatal("paid dust")
	}
}

func TestASecondFaucetDoesNotSpendTheSameCoins(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	check(t, w.btcd.Mine(ctx, 103))
	other, err := New(w.cfg)
	check(t, err)
	first, err := w.SendBTC(ctx, btcTarget, 1_000_000)
	check(t, err)
	second, err := other.SendBTC(ctx, btcTarget, 1_000_000)
	check(t, err)
	if first.TxID == second.TxID {
		t.Fatal("one transaction twice")
	}
	var pool []string
	check(t, w.btcd.Call(ctx, &pool, "getrawmempool"))
	if len(pool) != 2 {
		t.Fatalf("pool holds %d transactions, want 2", len(pool))
	}
}

func TestEtherAndTokenArrive(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	w.mining(t)
	token, err := w.DeployToken(ctx)
	check(t, err)
	again, err := w.DeployToken(ctx)
	check(t, err)
	if want, err := TokenAddress(); err != nil || token != want || again != want {
		t.Fatalf("token at %s and %s, want %s (%v)", token, again, want, err)
	}
	before := w.ether(t)
	for range 3 {
		sent, err := w.SendETH(ctx, ethTarget, money.FromUint64(7))
		check(t, err)
		check(t, w.Await(ctx, sent))
	}
	if got := new(big.Int).Sub(w.ether(t), before); got.Int64() != 21 {
		t.Fatalf("%s wei arrived, want 21", got)
	}
	sent, err := w.SendToken(ctx, token, ethTarget, money.FromUint64(2_500_000))
	check(t, err)
	check(t, w.Await(ctx, sent))
	var balance string
	check(t, w.node.Call(ctx, &balance, "eth_call", map[string]string{
		"to": token, "data": "0x70a08231000000000000000000000000" + ethTarget[2:],
	}, "latest"))
	if n, ok := new(big.Int).SetString(balance[2:], 16); !ok || n.Int64() != 2_500_000 {
		t.Fatalf("token balance %s", balance)
	}
}

func (w *world) ether(t *testing.T) *big.Int {
	t.Helper()
	var balance string
	check(t, w.node.Call(t.Context(), &balance, "eth_getBalance", ethTarget, "latest"))
	n, ok := new(big.Int).SetString(balance[2:], 16)
	if !ok {
		t.Fatalf("balance %q", balance)
	}
	return n
}

// TestAPaymentOutlivesTheNodesPool kills anvil while the payment waits: the pool
// is gone, the payment is not.
func TestAPaymentOutlivesTheNodesPool(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	check(t, w.node.SaveState(ctx))
	sent, err := w.SendETH(ctx, ethTarget, money.FromUint64(1))
	check(t, err)
	check(t, w.node.Kill())
	w.node, err = devstack.StartAnvil(ctx, w.anvil)
	check(t, err)
	w.mining(t)
	check(t, w.Await(ctx, sent))
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	sent, err := w.SendETH(ctx, ethTarget, money.FromUint64(1))
	check(t, err)
	if err := w.Await(ctx, sent); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
}

func TestImmatureCoinsWait(t *testing.T) {
	t.Parallel()
	w := newWallet(devstack.RegtestGenesis)
	old := wire.OutPoint{Index: 1}
	w.height = 150
	w.coins[old] = coin{sats: 1, height: 50, coinbase: true}
	w.coins[wire.OutPoint{Index: 2}] = coin{sats: 1, height: 51, coinbase: true}
	w.coins[wire.OutPoint{Index: 3}] = coin{sats: 1, height: 10}
	w.spent[wire.OutPoint{Index: 3}] = true
	if got := w.usable(); len(got) != 1 || got[0] != old {
		t.Fatalf("usable: %v", got)
	}
}
