package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// LitecoindConfig says how to run litecoind on regtest: a second chain of the
// Bitcoin family, and the implementation that Bitcoin Core is.
type LitecoindConfig struct {
	Bin      string // as LitecoindBin finds it
	Dir      string // chain data
	Port     int    // of the RPC server on 127.0.0.1; the node has no peers
	User     string
	Password string
	// MiningAddress receives what Mine makes.
	MiningAddress string
	Log           io.Writer // nil: discarded
}

// LitecoinGenesis is the hash of Litecoin's block 0 on regtest.
const LitecoinGenesis = "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"

// Litecoind is a running node.
type Litecoind struct {
	*Process
	RPC

	cfg LitecoindConfig
}

// LitecoindBin returns where `make tools` puts litecoind below root; its libraries
// lie beside it.
func LitecoindBin(root string) (string, error) {
	bin := filepath.Join(root, ".tools/litecoin/litecoind")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("litecoind: %w", ErrMissing)
	}
	return bin, nil
}

// LitecoindEnv is what the binary needs in its environment to find its libraries.
func LitecoindEnv(bin string) []string {
	return []string{"LD_LIBRARY_PATH=" + filepath.Join(filepath.Dir(bin), "lib")}
}

// StartLitecoind starts the node and waits until it answers.
func StartLitecoind(ctx context.Context, cfg LitecoindConfig) (*Litecoind, error) {
	spec, err := cfg.Spec()
	if err != nil {
		return nil, err
	}
	process, err := Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &Litecoind{Process: process, RPC: cfg.RPC(), cfg: cfg}, nil
}

// RPC returns a client of the node.
func (c LitecoindConfig) RPC() RPC {
	return RPC{URL: "http://" + Loopback(c.Port), User: c.User, Password: c.Password}
}

// Spec writes the node's configuration file and describes the node. Its password
// goes into the file: the command line is public. The pool lives in memory only,
// like btcd's.
func (c LitecoindConfig) Spec() (Spec, error) {
	if c.User == "" || c.Password == "" {
		return Spec{}, errors.New("litecoind: user and password are needed")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return Spec{}, fmt.Errorf("make data folder: %w", err)
	}
	conf := filepath.Join(c.Dir, "litecoin.conf")
	text := "regtest=1\n[regtest]\nrpcuser=" + c.User + "\nrpcpassword=" + c.Password + "\nrpcport=" + strconv.Itoa(c.Port) + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return Spec{}, fmt.Errorf("write configuration: %w", err)
	}
	return Spec{
		Name: "litecoind", Log: c.Log,
		Env: LitecoindEnv(c.Bin),
		Command: []string{
			c.Bin, "-datadir=" + c.Dir, "-conf=" + conf, "-server", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1",
			// It ends only when idle connections have: that is their patience, in seconds.
			"-rpcservertimeout=3", "-rpcthreads=8", "-rpcworkqueue=256", "-txindex", "-disablewallet", "-listen=0", "-connect=0", "-dnsseed=0",
			// What the pools of public networks do: standard transactions only. A higher
			// fee replaces here, though Litecoin's nodes have that off by default.
			"-acceptnonstdtxn=0", "-mempoolreplacement=1", "-persistmempool=0",
			// Blocks with Litecoin's extension blocks want a wallet that pegs in: their
			// activation is moved out of sight, else mining ends at height 432.
			"-vbparams=mweb:4000000000:4100000000",
			// Blocks and transactions are asked for without those extensions.
			"-rpcserialversion=1",
			"-dbcache=16", "-maxmempool=50", "-printtoconsole=1", "-debuglogfile=0",
		},
		Ready: func(ctx context.Context) error { return c.RPC().Call(ctx, nil, "getblockcount") },
	}, nil
}

// Mine makes n blocks that pay the mining address. The first takes the pool.
func (l *Litecoind) Mine(ctx context.Context, n int) error {
	return l.Call(ctx, nil, "generatetoaddress", n, l.cfg.MiningAddress)
}

// Restart stops the node and starts it again on the same chain, with an empty pool.
func (l *Litecoind) Restart(ctx context.Context) error {
	if err := l.Stop(); err != nil {
		return err
	}
	again, err := StartLitecoind(ctx, l.cfg)
	if err != nil {
		return err
	}
	l.Process = again.Process
	return nil
}
