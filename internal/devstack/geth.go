package devstack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// GethConfig says how to run geth, the second Ethereum node of development. It
// has the chain id, the rich accounts and the genesis time of anvil, and the pool
// rules of a node on a public network.
type GethConfig struct {
	Bin        string // as GethBin finds it
	Dir        string // chain data; a chain is made where there is none
	Port       int    // of the RPC server on 127.0.0.1
	EnginePort int    // of the consensus side's API on 127.0.0.1
	// GasLimit is that of the first block; 0: 30 million. A small one makes full
	// blocks, and with them a rising base fee, cheap.
	GasLimit uint64
	// BaseFee is that of the first block, in wei; 0: 1 gwei.
	BaseFee uint64
	Log     io.Writer // nil: discarded
}

// Geth is a running node. Blocks are made on request only.
type Geth struct {
	*Process
	RPC

	cfg GethConfig
}

// Defaults of the first block.
const (
	gethGasLimit = 30_000_000
	gethBaseFee  = 1_000_000_000
	// gethRiches is what each development account holds, in wei: 10,000 ether.
	gethRiches   = "0x21e19e0c9bab2400000"
	gethCacheMiB = "64"
	// gethStopWithin is long: an end in order keeps the newest blocks, a kill does not.
	gethStopWithin = time.Minute
	jwtBytes       = 32
)

// DevAccounts returns the accounts of AnvilMnemonic that every Ethereum node of
// development makes rich: the first ten of m/44'/60'/0'/0.
func DevAccounts() []string {
	return []string{
		"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
		"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
		"0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
		"0x976EA74026E726554dB657fA54763abd0C3a0aa9", "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
		"0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f", "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
	}
}

// GethBin returns where `make tools` puts geth below root.
func GethBin(root string) (string, error) {
	bin := filepath.Join(root, ".tools/bin/geth")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("geth: %w", ErrMissing)
	}
	return bin, nil
}

// StartGeth starts the node and waits until it answers.
func StartGeth(ctx context.Context, cfg GethConfig) (*Geth, error) {
	spec, err := cfg.Spec(ctx)
	if err != nil {
		return nil, err
	}
	process, err := Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &Geth{Process: process, RPC: cfg.RPC(), cfg: cfg}, nil
}

// Restart stops the node and starts it again on the same chain. Its pool lives in
// memory only and is empty afterwards.
func (g *Geth) Restart(ctx context.Context) error {
	if err := g.Stop(); err != nil {
		return err
	}
	again, err := StartGeth(ctx, g.cfg)
	if err != nil {
		return err
	}
	g.Process = again.Process
	return nil
}

// RPC returns a client of the node.
func (c GethConfig) RPC() RPC { return RPC{URL: "http://" + Loopback(c.Port)} }

// Spec makes the chain where there is none and describes the node. It keeps the
// state of every block and no pool. A kill costs it its newest blocks: Import gives
// them back.
func (c GethConfig) Spec(ctx context.Context) (Spec, error) {
	if err := c.create(ctx); err != nil {
		return Spec{}, err
	}
	return Spec{
		Name: "geth", Log: c.Log,
		Command: []string{
			c.Bin, "--datadir", c.Dir, "--config", c.file("geth.toml"), "--networkid", strconv.Itoa(AnvilChainID),
			"--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash", "--cache", gethCacheMiB,
			"--txpool.nolocals", "--txpool.journal", "", "--rpc.txfeecap", "0", "--ipcdisable", "--nodiscover", "--maxpeers", "0",
			"--http", "--http.addr", "127.0.0.1", "--http.port", strconv.Itoa(c.Port),
			"--http.api", "eth,net,web3,txpool,debug,admin,testing",
			"--authrpc.addr", "127.0.0.1", "--authrpc.port", strconv.Itoa(c.EnginePort), "--authrpc.jwtsecret", c.file("jwt.hex"),
			"--verbosity", "2",
		},
		Ready:      func(ctx context.Context) error { return c.RPC().Call(ctx, nil, "eth_blockNumber") },
		StopWithin: gethStopWithin,
	}, nil
}

func (c GethConfig) file(name string) string { return filepath.Join(c.Dir, name) }

// create makes data folder, secret, configuration and block 0, each once.
func (c GethConfig) create(ctx context.Context) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	// No peers: the flags can only move the port, the file can close it.
	if err := os.WriteFile(c.file("geth.toml"), []byte("[Node.P2P]\nListenAddr = \"\"\nNoDial = true\n"), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if _, err := os.Stat(c.file("genesis.json")); err == nil {
		return nil
	}
	secret := make([]byte, jwtBytes)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("draw secret: %w", err)
	}
	if err := os.WriteFile(c.file("jwt.hex"), []byte(hex.EncodeToString(secret)), 0o600); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	genesis, err := c.genesis(ctx)
	if err != nil {
		return err
	}
	draft := c.file("genesis.draft.json")
	if err := os.WriteFile(draft, genesis, 0o600); err != nil {
		return fmt.Errorf("write genesis: %w", err)
	}
	out, err := c.command(ctx, "init", "--datadir", c.Dir, "--state.scheme", "hash", draft).CombinedOutput()
	if err != nil {
		return fmt.Errorf("geth init: %w: %s", err, out)
	}
	// Its final name says that block 0 is in the database.
	if err := os.Rename(draft, c.file("genesis.json")); err != nil {
		return fmt.Errorf("keep genesis: %w", err)
	}
	return nil
}

// genesis is what geth offers to developers, without the forks that no public
// network has: under them the same transaction needs other gas.
func (c GethConfig) genesis(ctx context.Context) ([]byte, error) {
	dump, err := c.command(ctx, "--dev", "dumpgenesis").Output()
	if err != nil {
		return nil, fmt.Errorf("geth dumpgenesis: %w", err)
	}
	var genesis map[string]any
	if err := json.Unmarshal(dump, &genesis); err != nil {
		return nil, fmt.Errorf("read genesis: %w", err)
	}
	config, okConfig := genesis["config"].(map[string]any)
	alloc, okAlloc := genesis["alloc"].(map[string]any)
	if !okConfig || !okAlloc {
		return nil, errors.New("read genesis: no config or no alloc")
	}
	delete(config, "bogotaTime")
	delete(config, "amsterdamTime")
	config["chainId"] = AnvilChainID
	for _, account := range DevAccounts() {
		alloc[account[2:]] = map[string]string{"balance": gethRiches}
	}
	genesis["timestamp"] = hexInt(anvilGenesisTime)
	genesis["gasLimit"] = "0x" + strconv.FormatUint(orElse(c.GasLimit, gethGasLimit), 16)
	genesis["baseFeePerGas"] = "0x" + strconv.FormatUint(orElse(c.BaseFee, gethBaseFee), 16)
	text, err := json.Marshal(genesis)
	return text, wrap("encode genesis", err)
}

func (c GethConfig) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Bin, args...) //nolint:gosec // the pinned binary
	cmd.Env = baseEnv()
	return cmd
}

func orElse(n, other uint64) uint64 {
	if n == 0 {
		return other
	}
	return n
}
