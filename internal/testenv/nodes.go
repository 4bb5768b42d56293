package testenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/internal/devstack"
)

// nodePatience bounds the start of a node.
const nodePatience = time.Minute

// Geth returns a fresh geth that makes blocks on request only and ends with the
// test. Bin, Dir, Log and ports of the configuration are filled in where they are
// empty.
func Geth(tb testing.TB, cfg devstack.GethConfig) *devstack.Geth {
	tb.Helper()
	var errs [3]error
	if cfg.Bin == "" {
		cfg.Bin, errs[0] = devstack.GethBin(Root(tb))
	}
	if cfg.Port == 0 {
		cfg.Port, errs[1] = devstack.FreePort()
	}
	if cfg.EnginePort == 0 {
		cfg.EnginePort, errs[2] = devstack.FreePort()
	}
	check(tb, errs[:]...)
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(tb.TempDir(), "geth")
	}
	ctx, cancel := context.WithTimeout(tb.Context(), nodePatience)
	defer cancel()
	node, err := devstack.StartGeth(ctx, cfg)
	check(tb, err)
	tb.Cleanup(func() { _ = node.Stop() })
	return node
}

// Login of the Bitcoin family's nodes in tests.
const (
	nodeUser     = "strongroom"
	nodePassword = "only on loopback"
)

// Litecoind returns a fresh litecoind on regtest that mines on request only and
// ends with the test. Bin, Dir, Log, port and login of the configuration are filled
// in where they are empty.
func Litecoind(tb testing.TB, cfg devstack.LitecoindConfig) *devstack.Litecoind {
	tb.Helper()
	var errs [2]error
	if cfg.Bin == "" {
		cfg.Bin, errs[0] = devstack.LitecoindBin(Root(tb))
	}
	if cfg.Port == 0 {
		cfg.Port, errs[1] = devstack.FreePort()
	}
	check(tb, errs[:]...)
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(tb.TempDir(), "litecoind")
	}
	if cfg.User == "" {
		cfg.User, cfg.Password = nodeUser, nodePassword
	}
	ctx, cancel := context.WithTimeout(tb.Context(), nodePatience)
	defer cancel()
	node, err := devstack.StartLitecoind(ctx, cfg)
	check(tb, err)
	tb.Cleanup(func() { _ = node.Stop() })
	return node
}

// check fails the test where a server is missing or does not start.
func check(tb testing.TB, errs ...error) {
	tb.Helper()
	err := errors.Join(errs...)
	if errors.Is(err, devstack.ErrMissing) || errors.Is(err, os.ErrNotExist) {
		tb.Fatalf("run `make tools`: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
