// Package safechain asks nodes about vaults that are Safe contracts: what their owners,
// threshold, guard, modules, fallback handler and code are now, and what of that is not as
// it is described. For development it also puts Safe's published contracts on a chain and
// creates vaults with them. It holds no owner's key and executes no vault's transaction.
package safechain

import (
	"context"
	"errors"
)

// Node makes JSON-RPC calls. result may be nil.
type Node interface {
	Call(ctx context.Context, result any, method string, params ...any) error
}

// ErrState reports answers of a node that make no sense for a vault, such as no code at its
// address.
var ErrState = errors.New("state of a vault")

// ErrDrift reports a vault that is not what it is described as.
var ErrDrift = errors.New("a vault is not as it is described")

// ErrDeploy reports that contracts could not be put on a chain.
var ErrDeploy = errors.New("deploy contracts of vaults")
