// Package all is the one list of chain drivers. A new chain family adds one line
// here and nowhere else. It decides nothing and contacts no node.
package all

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/chainadapters/evm"
	"strongroom/chainadapters/quorum"
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

// Open returns the adapter of cfg.Driver; where cfg.URL names several nodes, a
// quorum of one adapter for each. It contacts no node. Errors wrap ErrDriver, or
// are the driver's or quorum's own about the configuration.
func Open(cfg chainadapters.Config) (chainadapters.Adapter, error) {
	list := drivers()
	i := slices.IndexFunc(list, func(d driver) bool { return d.name == cfg.Driver })
	if i < 0 {
		return nil, fmt.Errorf("open chain %s: %w %q, known are %v", cfg.Chain, ErrDriver, cfg.Driver, Names())
	}
	adapter, err := openNodes(cfg, list[i].open)
	if err != nil {
		return nil, fmt.Errorf("open chain %s: %w", cfg.Chain, err)
	}
	return adapter, nil
}

// Nodes returns one adapter for each node that cfg.URL names, for what is asked of every
// one of them. Errors as of Open.
func Nodes(cfg chainadapters.Config) ([]chainadapters.Adapter, error) {
	var nodes []chainadapters.Adapter
	for one := range strings.SplitSeq(cfg.URL, ",") {
		node, err := Open(own(cfg, strings.TrimSpace(one)))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// openNodes opens one adapter for each node that cfg.URL names, and a quorum over
// them where there are several.
func openNodes(cfg chainadapters.Config, open func(chainadapters.Config) (chainadapters.Adapter, error)) (chainadapters.Adapter, error) {
	urls := strings.Split(cfg.URL, ",")
	if len(urls) == 1 {
		return open(own(cfg, cfg.URL))
	}
	nodes := make([]quorum.Node, 0, len(urls))
	names := map[string]int{}
	for _, one := range urls {
		one = strings.TrimSpace(one)
		adapter, err := open(own(cfg, one))
		if err != nil {
			return nil, err
		}
		name := nameOf(one)
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, names[name])
		}
		nodes = append(nodes, quorum.Node{Name: name, Adapter: adapter})
	}
	return quorum.New(quorum.Config{Chain: cfg.Chain, Nodes: nodes, Policy: cfg.Nodes, Timeout: cfg.Timeout})
}

// own is cfg for one node: what its URL says of user and password goes before
// what is said for all.
func own(cfg chainadapters.Config, one string) chainadapters.Config {
	cfg.URL = one
	if at, err := url.Parse(one); err == nil && at.User != nil {
		cfg.User = at.User.Username()
		cfg.Password, _ = at.User.Password()
	}
	return cfg
}

// nameOf is what people call a node: host and port. Paths and users of a URL are
// often secrets.
func nameOf(one string) string {
	at, err := url.Parse(one)
	if err != nil || at.Host == "" {
		return "node"
	}
	return at.Host
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
