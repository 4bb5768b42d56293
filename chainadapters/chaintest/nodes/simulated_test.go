package nodes

import (
	"maps"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // callTracer
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"

	"strongroom/internal/devstack"
	"strongroom/money"
)

// newSimulated starts go-ethereum inside the test, put together from the parts of
// its simulated backend, which itself serves nobody over HTTP. It is here and not
// beside the other nodes so that nothing but this test links a whole node.
func newSimulated(tb testing.TB) *EVM {
	tb.Helper()
	config := node.DefaultConfig
	config.DataDir, config.P2P = "", p2p.Config{NoDiscovery: true}
	config.HTTPHost, config.HTTPPort, config.HTTPModules = "127.0.0.1", 0, []string{"eth", "debug"}
	stack, err := node.New(&config)
	if err != nil {
		tb.Fatalf("make node: %v", err)
	}
	chain := ethconfig.Defaults
	chain.Genesis, chain.SyncMode = simulatedGenesis(tb), ethconfig.FullSync
	chain.TxPool.NoLocals, chain.LogNoHistory = true, true
	ethereum, err := eth.New(stack, &chain)
	if err != nil {
		tb.Fatalf("make chain: %v", err)
	}
	stack.RegisterAPIs(tracers.APIs(ethereum.APIBackend))
	stack.RegisterAPIs([]rpc.API{{
		Namespace: "eth", Service: filters.NewFilterAPI(filters.NewFilterSystem(ethereum.APIBackend, filters.Config{})),
	}})
	if err := stack.Start(); err != nil {
		tb.Fatalf("start node: %v", err)
	}
	tb.Cleanup(func() { _ = stack.Close() })
	beacon, err := catalyst.NewSimulatedBeacon(0, common.Address{}, ethereum)
	if err != nil {
		tb.Fatalf("start consensus: %v", err)
	}
	tb.Cleanup(func() { _ = beacon.Stop() })
	power := simulatedPower{ethereum, beacon}
	power.fork(tb, 0)
	h := newEVM(tb, stack.HTTPEndpoint())
	h.power = power
	h.deploy(tb)
	return h
}

// simulatedGenesis makes the accounts of development rich, under the rules of the
// public network: without the forks that it does not have yet.
func simulatedGenesis(tb testing.TB) *core.Genesis {
	tb.Helper()
	id, ok := new(big.Int).SetString(devChainID, 10)
	if !ok {
		tb.Fatal("chain id")
	}
	rules := *params.AllDevChainProtocolChanges
	rules.ChainID, rules.AmsterdamTime, rules.BogotaTime = id, nil, nil
	riches := types.GenesisAlloc{}
	maps.Copy(riches, core.SystemContractAllocs())
	for _, account := range devstack.DevAccounts() {
		riches[common.HexToAddress(account)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(10_000), big.NewInt(params.Ether))}
	}
	return &core.Genesis{Config: &rules, GasLimit: 30_000_000, BaseFee: big.NewInt(params.GWei), Difficulty: new(big.Int), Alloc: riches}
}

// simulatedPower makes blocks as the simulated backend does.
type simulatedPower struct {
	chain  *eth.Ethereum
	beacon *catalyst.SimulatedBeacon
}

func (p simulatedPower) mine(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		before := p.chain.BlockChain().CurrentBlock().Hash()
		if p.beacon.Commit() == before {
			tb.Fatal("no block was made")
		}
	}
}

// reorg leaves the chain depth blocks before its head. What was in those blocks
// comes back into the pool, and is dropped there.
func (p simulatedPower) reorg(tb testing.TB, depth int) {
	tb.Helper()
	p.dropPool(tb)
	p.fork(tb, p.chain.BlockChain().CurrentBlock().Number.Uint64()-uint64(depth))
	p.dropPool(tb)
	p.mine(tb, depth+1)
}

func (p simulatedPower) fork(tb testing.TB, height uint64) {
	tb.Helper()
	if err := p.beacon.Fork(p.chain.BlockChain().GetCanonicalHash(height)); err != nil {
		tb.Fatalf("fork at %d: %v", height, err)
	}
}

func (p simulatedPower) dropPool(testing.TB) { p.beacon.Rollback() }

// TestForkTakesEventsBack: a node that leaves a block announces its events again, as
// removed. The adapter needs no announcement: asked for the block of that height, it
// finds another one, without them.
func TestForkTakesEventsBack(t *testing.T) {
	h := newSimulated(t)
	var filter string
	h.call(t, &filter, "eth_newFilter", map[string]any{"address": h.Token()})
	w := h.NewWallet(t)
	h.FundToken(t, w.Address, money.FromUint64(5))
	h.Mine(t, 1)
	left, err := h.Adapter().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := h.Adapter().Block(t.Context(), left.Ref, []string{h.Token()}); err != nil || len(b.Movements) != 1 {
		t.Fatalf("before: %+v, %v", b.Movements, err)
	}
	h.Reorg(t, 1)
	var announced []types.Log
	for len(announced) < 2 && t.Context().Err() == nil {
		var more []types.Log
		h.call(t, &more, "eth_getFilterChanges", filter)
		announced = append(announced, more...)
	}
	if announced[0].Removed || !announced[1].Removed || announced[1].BlockHash != announced[0].BlockHash {
		t.Fatalf("announced: %+v", announced)
	}
	now, err := h.Adapter().HeaderAt(t.Context(), left.Height)
	if err != nil || now.Hash == left.Hash {
		t.Fatalf("block %d is still %s, %v", now.Height, now.Hash, err)
	}
	if b, err := h.Adapter().Block(t.Context(), now.Ref, []string{h.Token()}); err != nil || len(b.Movements) != 0 {
		t.Fatalf("after: %+v, %v", b.Movements, err)
	}
}
