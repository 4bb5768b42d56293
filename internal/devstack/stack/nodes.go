package stack

import (
	"context"
	"fmt"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/faucet"
	"strongroom/internal/devstack/miner"
)

// chooseEVM settles which node carries the Ethereum chain. A chain stays with the
// node that made it.
func (s *Stack) chooseEVM() error {
	made := s.settings.EVM
	if made == "" && s.settings.Genesis != "" {
		made = EVMAnvil // a folder of before there was a choice
	}
	want := s.cfg.EVM
	if want == "" {
		want = made
	}
	if want == "" {
		want = EVMAnvil
	}
	if want != EVMAnvil && want != EVMGeth {
		return fmt.Errorf("%w: no node %q for Ethereum", ErrConfig, want)
	}
	if made != "" && made != want {
		return fmt.Errorf("the Ethereum chain in %s was made by %s: start with --reset to have %s make one", s.cfg.Layout.Dir, made, want)
	}
	s.settings.EVM = want
	return nil
}

// ethereum starts the Ethereum node, pins its genesis and begins to mine.
func (s *Stack) ethereum(ctx context.Context) (string, error) {
	start := s.anvil
	if s.settings.EVM == EVMGeth {
		start = s.geth
	}
	chain, err := start(ctx)
	if err != nil {
		return "", err
	}
	var genesis struct{ Hash string }
	if err := s.ethRPC.Call(ctx, &genesis, "eth_getBlockByNumber", "0x0", false); err != nil {
		return "", fmt.Errorf("ask for genesis: %w", err)
	}
	if s.settings.Genesis != "" && s.settings.Genesis != genesis.Hash {
		return "", fmt.Errorf("%s is on another chain: genesis %s, this folder's is %s", s.settings.EVM, genesis.Hash, s.settings.Genesis)
	}
	// The chain is saved before the genesis is pinned: a kill between the two leaves
	// a folder that still starts.
	if err := chain.Save(ctx); err != nil {
		return "", fmt.Errorf("save first state: %w", err)
	}
	s.settings.Genesis = genesis.Hash
	if err := s.cfg.Layout.writeSettings(s.settings); err != nil {
		return "", err
	}
	return s.ethRPC.URL, s.mine(ctx, "ethereum-dev", chain)
}

func (s *Stack) anvil(ctx context.Context) (miner.Chain, error) {
	bin, err := devstack.AnvilBin(s.cfg.Root)
	if err != nil {
		return nil, err
	}
	cfg := devstack.AnvilConfig{Bin: bin, Port: s.settings.Ports[portAnvil], StateFile: s.cfg.Layout.path("anvil", "state.json")}
	s.ethRPC = cfg.RPC()
	return &miner.EVM{Node: cfg}, s.run(ctx, devstack.Service{
		Name: EVMAnvil, Endpoint: s.ethRPC.URL,
		Spec: func(context.Context) (devstack.Spec, error) { return cfg.Spec(), nil },
	})
}

func (s *Stack) geth(ctx context.Context) (miner.Chain, error) {
	bin, err := devstack.GethBin(s.cfg.Root)
	if err != nil {
		return nil, err
	}
	log, err := s.blockLog("geth")
	if err != nil {
		return nil, err
	}
	cfg := devstack.GethConfig{
		Bin: bin, Dir: s.cfg.Layout.path("geth"), Port: s.settings.Ports[portGeth], EnginePort: s.settings.Ports[portGethEngine],
	}
	chain := &miner.Geth{Node: cfg, Log: log}
	s.ethRPC = cfg.RPC()
	return chain, s.run(ctx, devstack.Service{Name: EVMGeth, Endpoint: s.ethRPC.URL, Restore: chain.Restore, Spec: cfg.Spec})
}

// btcd starts the Bitcoin node, gives it its blocks back and begins to mine.
func (s *Stack) btcd(ctx context.Context) (string, error) {
	bin, err := devstack.BtcdBin(s.cfg.Root)
	if err != nil {
		return "", err
	}
	address, err := faucet.MiningAddress()
	if err != nil {
		return "", fmt.Errorf("derive mining address: %w", err)
	}
	log, err := s.blockLog("btcd")
	if err != nil {
		return "", err
	}
	cfg := devstack.BtcdConfig{
		Bin: bin, Dir: s.cfg.Layout.path("btcd"), Port: s.settings.Ports[portBtcd],
		User: nodeUser, Password: s.secrets.btcd, MiningAddress: address,
	}
	s.bitcoin = &miner.Bitcoin{RPC: cfg.RPC(), Log: log, Genesis: devstack.RegtestGenesis}
	return s.coins(ctx, "bitcoin-regtest", s.bitcoin, devstack.Service{
		Name: "btcd", Spec: func(context.Context) (devstack.Spec, error) { return cfg.Spec() },
	})
}

// litecoind is btcd for Litecoin.
func (s *Stack) litecoind(ctx context.Context) (string, error) {
	bin, err := devstack.LitecoindBin(s.cfg.Root)
	if err != nil {
		return "", err
	}
	address, err := faucet.LitecoinMiningAddress()
	if err != nil {
		return "", fmt.Errorf("derive mining address: %w", err)
	}
	log, err := s.blockLog("litecoind")
	if err != nil {
		return "", err
	}
	cfg := devstack.LitecoindConfig{
		Bin: bin, Dir: s.cfg.Layout.path("litecoind"), Port: s.settings.Ports[portLitecoin],
		User: nodeUser, Password: s.secrets.litecoin, MiningAddress: address,
	}
	s.litecoin = &miner.Bitcoin{RPC: cfg.RPC(), Log: log, Genesis: devstack.LitecoinGenesis, Address: address}
	return s.coins(ctx, "litecoin-regtest", s.litecoin, devstack.Service{
		Name: "litecoind", Spec: func(context.Context) (devstack.Spec, error) { return cfg.Spec() },
	})
}

// coins runs a node of the Bitcoin family and mines it.
func (s *Stack) coins(ctx context.Context, chain string, node *miner.Bitcoin, service devstack.Service) (string, error) {
	service.Endpoint, service.Restore = node.RPC.URL, node.Restore
	if err := s.run(ctx, service); err != nil {
		return "", err
	}
	if err := node.Grow(ctx, firstBlocks); err != nil {
		return "", fmt.Errorf("mine first blocks: %w", err)
	}
	if err := node.Save(ctx); err != nil {
		return "", fmt.Errorf("save blocks: %w", err)
	}
	return service.Endpoint, s.mine(ctx, chain, node)
}

// blockLog opens what keeps a node's blocks, until Down.
func (s *Stack) blockLog(node string) (*miner.BlockLog, error) {
	log, err := miner.OpenBlockLog(s.cfg.Layout.path(node + "-blocks.log"))
	if err != nil {
		return nil, fmt.Errorf("open block log: %w", err)
	}
	s.logs = append(s.logs, log)
	return log, nil
}
