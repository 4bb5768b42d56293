// Package all is the one list of chain drivers. A new chain family adds one line
// here and nowhere else. It decides nothing and contacts no node.
package all

import (
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/chainadapters/evm"
)

// ErrDriver reports a driver name that is not in the list.
var ErrDriver = errors.New("unknown chain driver")

// driver opens adapters under one name.
type driver struct {
	name string
	open func(chainadapters.Config) (chainadapters.Adapter, error)
}

// drivers is the list.
func drivers() []driver {
	return []driver{
		{"bitcoin", func(cfg chainadapters.Config) (chainadapters.Adapter, error) { return bitcoin.New(cfg) }},
		{"evm", func(cfg chainadapters.Config) (chainadapters.Adapter, error) { return evm.New(cfg) }},
	}
}

// Open returns the adapter of cfg.Driver. It does not contact the node. Errors
// wrap ErrDriver, or are the driver's own about the configuration.
func Open(cfg chainadapters.Config) (chainadapters.Adapter, error) {
	list := drivers()
	i := slices.IndexFunc(list, func(d driver) bool { return d.name == cfg.Driver })
	if i < 0 {
		return nil, fmt.Errorf("open chain %s: %w %q, known are %v", cfg.Chain, ErrDriver, cfg.Driver, Names())
	}
	adapter, err := list[i].open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open chain %s: %w", cfg.Chain, err)
	}
	return adapter, nil
}

// Names returns the names of all drivers, in order.
func Names() []string {
	var names []string
	for _, d := range drivers() {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return names
}
