package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters"
	"strongroom/chainadapters/all"
	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
	custodydesk "strongroom/custody/desk"
	"strongroom/treasury/setup"
	"strongroom/treasury/vault"
	"strongroom/treasury/vaultsafe"
)

// safesOf are the vaults of a configuration that are Safes.
func safesOf(f *setup.File) (vaultsafe.Vaults, error) {
	descriptions := map[string]string{}
	for _, v := range f.Vaults {
		if vaultsafe.Is(v.Descriptor) {
			descriptions[v.ID] = v.Descriptor
		}
	}
	vaults, err := vaultsafe.Open(descriptions)
	if err != nil {
		return nil, fmt.Errorf("--treasury-file: %w", err)
	}
	return vaults, nil
}

// safeNodes are all nodes of the chains that can have Safes.
func safeNodes(chains []chainadapters.Config) (vaultsafe.Nodes, error) {
	nodes := vaultsafe.Nodes{}
	for _, chain := range chains {
		adapters, err := all.Nodes(chain)
		if err != nil {
			return nil, err
		}
		for _, a := range adapters {
			if node, can := a.(safechain.Node); can {
				nodes[chain.Chain] = append(nodes[chain.Chain], node)
			}
		}
	}
	return nodes, nil
}

// safes opens the vaults that are Safes.
func (t *treasuryHouse) openSafes(chains []chainadapters.Config) (err error) {
	if t.safes, err = safesOf(t.file); err != nil {
		return err
	}
	t.nodes, err = safeNodes(chains)
	return err
}

// owners asks the owners of Safes; nil where there are none.
func (t *treasuryHouse) owners() (custodydesk.Vaults, error) {
	if t == nil || len(t.safes) == 0 {
		return nil, nil //nolint:nilnil // a house without such vaults
	}
	return vaultsafe.NewOwners(t.safes, t.desk, t.gate, t.nodes)
}

// sound says what of a vault on its chain is not as the configuration has it.
func (t *treasuryHouse) sound(ctx context.Context, v vault.Vault) error {
	is, known := t.safes[v.ID]
	if !known {
		return nil
	}
	return t.nodes.Sound(ctx, chainadapters.ChainID(v.Chain), is, setOf(t.file, v.Chain))
}

// setOf are the contracts that Safes of a chain are made of.
func setOf(f *setup.File, chain string) safe.Set {
	if deployer, other := f.Deployers[chain]; other {
		return safe.SetOf(common.HexToAddress(deployer))
	}
	return safe.Canonical()
}

// drifted says of each Safe of a configuration that is not as described what differs.
func drifted(ctx context.Context, path string, chains []chainadapters.Config) (lines []string, err error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator says which
	if err != nil {
		return nil, fmt.Errorf("--treasury-file: %w", err)
	}
	t := &treasuryHouse{}
	if t.file, err = setup.Parse(text); err != nil {
		return nil, fmt.Errorf("--treasury-file %s: %w", path, err)
	}
	if err := t.openSafes(chains); err != nil {
		return nil, err
	}
	for _, v := range t.file.Vaults {
		err := t.sound(ctx, v)
		switch {
		case errors.Is(err, safechain.ErrDrift), errors.Is(err, safechain.ErrState):
			lines = append(lines, fmt.Sprintf("vaults are as described: %s: %v", v.ID, err))
		case err != nil:
			return lines, err
		}
	}
	return lines, nil
}
