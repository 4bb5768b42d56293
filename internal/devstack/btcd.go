package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// BtcdConfig says how to run btcd on regtest, the Bitcoin node of development.
type BtcdConfig struct {
	Bin      string // as BtcdBin finds it
	Dir      string // chain data
	Port     int    // of the RPC server on 127.0.0.1; the node has no peers
	User     string
	Password string
	// MiningAddress receives what `generate` mines.
	MiningAddress string
	Log           io.Writer // nil: discarded
}

// RegtestGenesis is the hash of Bitcoin's block 0 on regtest.
const RegtestGenesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

// Btcd is a running node.
type Btcd struct {
	*Process
	RPC
}

// BtcdBin returns where `make tools` puts btcd below root.
func BtcdBin(root string) (string, error) {
	bin := filepath.Join(root, ".tools/bin/btcd")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("btcd: %w", ErrMissing)
	}
	return bin, nil
}

// StartBtcd starts the node and waits until it answers.
func StartBtcd(ctx context.Context, cfg BtcdConfig) (*Btcd, error) {
	spec, err := cfg.Spec()
	if err != nil {
		return nil, err
	}
	process, err := Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &Btcd{Process: process, RPC: cfg.RPC()}, nil
}

// RPC returns a client of the node.
func (c BtcdConfig) RPC() RPC {
	return RPC{URL: "http://" + Loopback(c.Port), User: c.User, Password: c.Password}
}

// Spec writes the node's configuration file and describes the node. Its
// password goes into the file: the command line is public.
func (c BtcdConfig) Spec() (Spec, error) {
	if c.User == "" || c.Password == "" {
		return Spec{}, errors.New("btcd: user and password are needed: without them its RPC server stays off")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return Spec{}, fmt.Errorf("make data folder: %w", err)
	}
	conf := filepath.Join(c.Dir, "btcd.conf")
	text := "[Application Options]\nrpcuser=" + c.User + "\nrpcpass=" + c.Password + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return Spec{}, fmt.Errorf("write configuration: %w", err)
	}
	command := []string{
		c.Bin, "--configfile=" + conf, "--regtest", "--txindex", "--addrindex", "--notls",
		"--nolisten", "--nodnsseed", "--nostalldetect", "--nobanning", "--trickleinterval=100ms", "--rejectnonstd",
		"--datadir=" + filepath.Join(c.Dir, "data"), "--logdir=" + filepath.Join(c.Dir, "logs"),
		"--rpclisten=" + Loopback(c.Port), "--rpcmaxclients=200", "--rpcmaxconcurrentreqs=200",
		"--utxocachemaxsize=16",
	}
	if c.MiningAddress != "" {
		command = append(command, "--miningaddr="+c.MiningAddress)
	}
	return Spec{
		Name: "btcd", Command: command, Log: c.Log,
		Ready: func(ctx context.Context) error { return c.RPC().Call(ctx, nil, "getblockcount") },
	}, nil
}

// Mine makes n blocks that pay the mining address.
func (b *Btcd) Mine(ctx context.Context, n int) error { return b.Call(ctx, nil, "generate", n) }
