package devstack

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// AnvilConfig says how to run anvil, the Ethereum node of development.
type AnvilConfig struct {
	Bin  string // as AnvilBin finds it
	Port int    // on 127.0.0.1
	// StateFile holds the chain between runs: loaded where it exists, written by
	// SaveState. Empty: the chain lives in memory.
	StateFile string
	// AutoMine puts each transaction into a block at once; otherwise blocks are
	// made on request (evm_mine).
	AutoMine bool
	Log      io.Writer // nil: discarded
}

// The network of development. The mnemonic is public knowledge: its keys hold
// nothing anywhere else and play the outside world here.
const (
	AnvilChainID  = 31337
	AnvilMnemonic = "test test test test test test test test test test test junk" //nolint:dupword // the well-known phrase
	// anvilGenesisTime is the time of block 0: 2025-01-01 00:00:00 UTC.
	anvilGenesisTime = 1_735_689_600
	maxStateBytes    = 4 << 30 // of an unpacked state dump
	// anvilStates is how many blocks' balances the node keeps, in memory and in
	// its file: whoever takes in a block compares balances before and after it.
	anvilStates = 256
)

// Anvil is a running node.
type Anvil struct {
	*Process
	RPC

	cfg AnvilConfig
}

// AnvilBin returns where `make tools` puts anvil below root.
func AnvilBin(root string) (string, error) {
	bin := filepath.Join(root, "tools/npm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("anvil: %w", ErrMissing)
	}
	return bin, nil
}

// StartAnvil starts the node and waits until it answers.
func StartAnvil(ctx context.Context, cfg AnvilConfig) (*Anvil, error) {
	process, err := Start(ctx, cfg.Spec())
	if err != nil {
		return nil, err
	}
	return &Anvil{Process: process, RPC: cfg.RPC(), cfg: cfg}, nil
}

// RPC returns a client of the node.
func (c AnvilConfig) RPC() RPC { return RPC{URL: "http://" + Loopback(c.Port)} }

// Spec describes the node as it would be started now: with the state file, if
// there is one.
func (c AnvilConfig) Spec() Spec {
	command := []string{
		c.Bin, "--host", "127.0.0.1", "--port", strconv.Itoa(c.Port), "--chain-id", strconv.Itoa(AnvilChainID),
		"--mnemonic", AnvilMnemonic, "--no-cors", "--no-request-size-limit",
		// A fresh start makes a block 0 of its own even where it loads another:
		// with a fixed time both are the same block.
		"--timestamp", strconv.Itoa(anvilGenesisTime),
		"--prune-history", strconv.Itoa(anvilStates),
	}
	if !c.AutoMine {
		command = append(command, "--no-mining")
	}
	if c.StateFile != "" {
		if _, err := os.Stat(c.StateFile); err == nil {
			command = append(command, "--load-state", c.StateFile)
		}
	}
	return Spec{
		Name: "anvil", Command: command, Log: c.Log,
		// The node's clock starts at the genesis; this is also its first answer.
		Ready: func(ctx context.Context) error {
			return c.RPC().Call(ctx, nil, "evm_setTime", time.Now().Unix()) //nolint:forbidigo // the node runs on the machine's clock
		},
	}
}

// Mine makes n blocks.
func (a *Anvil) Mine(ctx context.Context, n int) error {
	return a.Call(ctx, nil, "anvil_mine", hexInt(int64(n)))
}

// SaveState writes the chain to the state file.
func (a *Anvil) SaveState(ctx context.Context) error { return a.cfg.SaveState(ctx) }

// SaveState asks the node for its chain and puts it durably in the place of the
// state file: whoever reads the file sees the old chain or the new one. Blocks
// and their hashes survive, and balances at the newest anvilStates of them.
func (c AnvilConfig) SaveState(ctx context.Context) error {
	var dump string
	if err := c.RPC().Call(ctx, &dump, "anvil_dumpState", true); err != nil {
		return wrap("dump state", err)
	}
	packed, err := hex.DecodeString(strings.TrimPrefix(dump, "0x"))
	if err != nil {
		return fmt.Errorf("decode state: %w", err)
	}
	// --load-state reads plain JSON only, the dump is packed.
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack state: %w", err)
	}
	return writeDurably(c.StateFile, io.LimitReader(plain, maxStateBytes))
}

// writeDurably replaces a file so that a crash leaves the old or the new content.
func writeDurably(path string, content io.Reader) error {
	tmp, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	_, err = io.Copy(tmp, content)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", tmp.Name(), err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	return wrap("sync folder", errors.Join(d.Sync(), d.Close()))
}

// hexInt writes a number the way Ethereum's JSON-RPC wants it.
func hexInt(n int64) string { return "0x" + strconv.FormatInt(n, 16) }
