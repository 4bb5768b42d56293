package vaultsafe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
)

// ErrNodes reports that not enough nodes of a chain say what a vault is.
var ErrNodes = errors.New("more than half of the chain's nodes have to tell")

// Nodes reads vaults off all nodes of their chains. It is immutable and safe for concurrent
// use where its nodes are.
type Nodes map[chainadapters.ChainID][]safechain.Node

var _ Chain = Nodes{}

// Nonce implements Chain: where nodes differ, what the middle one says, so that a few that
// lie or lag do not decide.
func (n Nodes) Nonce(ctx context.Context, chain chainadapters.ChainID, v safe.Vault) (uint64, error) {
	states, err := n.states(ctx, chain, v)
	if err != nil {
		return 0, err
	}
	var counts []uint64
	for i := range states {
		counts = append(counts, states[i].Nonce)
	}
	slices.Sort(counts)
	return counts[(len(counts)-1)/2], nil
}

// Sound says what of a vault is not as it is described, by the word of any one node: owners,
// threshold, code, guard, modules, fallback handler. Errors: safechain.ErrDrift, ErrNodes.
func (n Nodes) Sound(ctx context.Context, chain chainadapters.ChainID, v safe.Vault, set safe.Set) error {
	states, err := n.states(ctx, chain, v)
	if err != nil {
		return err
	}
	for i := range states {
		if err := safechain.Compare(v, states[i], set); err != nil {
			return fmt.Errorf("block %d: %w", states[i].Block, err)
		}
	}
	return nil
}

// states are what the nodes say that a vault is; of more than half of them, or ErrNodes.
func (n Nodes) states(ctx context.Context, chain chainadapters.ChainID, v safe.Vault) ([]safechain.State, error) {
	var states []safechain.State
	var failed error
	for _, node := range n[chain] {
		s, err := safechain.Read(ctx, node, v)
		if errors.Is(err, safechain.ErrState) { // it answers, and there is no such vault
			return nil, fmt.Errorf("look at vault: %w", err)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		states = append(states, s)
	}
	if 2*len(states) <= len(n[chain]) {
		return nil, fmt.Errorf("%w: %d of %d on %s do: %w", ErrNodes, len(states), len(n[chain]), chain, failed)
	}
	return states, nil
}
