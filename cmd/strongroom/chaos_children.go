//go:build chaos

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"strconv"

	"strongroom/chainadapters"
	"strongroom/internal/chaos"
	"strongroom/internal/crash"
	"strongroom/internal/devstack"
	"strongroom/internal/devstack/stack"
)

// children are those of `up`, and a second worker, each told its part of the plan.
// Workers reach nodes and signer over links that can go bad.
func (r *chaosRun) children(layout stack.Layout, at stack.Ports) []stack.Child {
	list := children(at)
	signer, err := r.link(at.Signer)
	if err != nil {
		r.err = err
		return nil
	}
	chains, err := r.linkChains(layout)
	if err != nil {
		r.err = err
		return nil
	}
	port, err := devstack.FreePort()
	if err != nil {
		r.err = err
		return nil
	}
	var out []stack.Child
	for _, child := range list {
		out = append(out, r.told(child))
		if child.Name != chaos.Worker {
			continue
		}
		maps.Copy(out[len(out)-1].Env, map[string]string{
			"STRONGROOM_SIGNER_ADDRESS": signer, "STRONGROOM_CHAINS_FILE": chains,
			// What waits for a sleeping worker must not hold up all others; and a round of
			// collections a minute is enough to see them die.
			"STRONGROOM_OUTSTANDING": "128", "STRONGROOM_COLLECT_EVERY": "1m",
		})
		second := child
		second.Env = maps.Clone(out[len(out)-1].Env)
		second.Name, second.Endpoint = chaos.Worker2, devstack.Loopback(port)
		second.Env["STRONGROOM_WORKER_OBSERVE"] = second.Endpoint
		second.ReadyURL = "http://" + second.Endpoint + "/readyz"
		out = append(out, r.told(second))
	}
	return out
}

// told adds a process's part of the plan to its environment.
func (r *chaosRun) told(child stack.Child) stack.Child {
	vars := map[string]string{crash.PlanVariable: r.plan.Crashes[child.Name].String(), crash.HitsVariable: r.file(child.Name + ".hits")}
	all := maps.Clone(child.Env)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, vars)
	child.Env = all
	return child
}

func (r *chaosRun) link(upstream string) (string, error) {
	l, err := chaos.NewLink(upstream)
	if err != nil {
		return "", err
	}
	r.links = append(r.links, l)
	return l.Address(), nil
}

// linkChains writes the file of chains anew, with links in the nodes' places.
func (r *chaosRun) linkChains(layout stack.Layout) (string, error) {
	list, err := readChains(layout.Dir + "/chains.json")
	if err != nil {
		return "", err
	}
	for i := range list {
		if list[i].URL, err = r.linkURL(list[i]); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(list) //nolint:gosec,musttag // a file of ours, like the one that was read
	if err != nil {
		return "", fmt.Errorf("encode chains: %w", err)
	}
	name := r.file("chains.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", fmt.Errorf("write chains: %w", err)
	}
	return name, nil
}

func (r *chaosRun) linkURL(c chainadapters.Config) (string, error) {
	at, err := url.Parse(c.URL)
	if err != nil {
		return "", fmt.Errorf("read URL of %s: %w", c.Chain, err)
	}
	at.Host, err = r.link(at.Host)
	return at.String(), err
}

// otherMiners returns another address each time: paid to the same one within a second,
// litecoind would make a block again that was just taken away, and refuse it.
func otherMiners(world chaos.Outside) func() string {
	n := 0
	return func() string {
		n++
		address, err := world.Address("LTC", "another miner "+strconv.Itoa(n))
		if err != nil {
			return err.Error() // which the node refuses
		}
		return address
	}
}

// reachedNodes returns how the nodes are reached without a link.
func reachedNodes(file string, world chaos.Outside) (coins map[string]chaos.CoinNode, ethereum devstack.RPC, err error) {
	list, err := readChains(file)
	if err != nil {
		return nil, ethereum, err
	}
	coins = map[string]chaos.CoinNode{}
	for _, c := range list {
		rpc := devstack.RPC{URL: c.URL, User: c.User, Password: c.Password}
		switch c.Chain {
		case chaos.Bitcoin:
			coins[chaos.Bitcoin] = chaos.CoinNode{RPC: rpc}
		case chaos.Litecoin:
			coins[chaos.Litecoin] = chaos.CoinNode{RPC: rpc, Address: otherMiners(world)}
		case chaos.Ethereum:
			ethereum = rpc
		}
	}
	return coins, ethereum, nil
}
