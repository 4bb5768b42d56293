package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"strongroom/internal/mtls"
)

func ctx() context.Context { return context.Background() }

// network connects nodes of one test and can cut pairs of them apart.
type network struct {
	mu    sync.Mutex
	cut   map[[2]uint64]bool
	conns map[net.Conn][2]uint64
	names map[string]uint64 // node by address
}

func pair(a, b uint64) [2]uint64 { return [2]uint64{min(a, b), max(a, b)} }

func (n *network) dialer(from uint64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, kind, address string) (net.Conn, error) {
		n.mu.Lock()
		between := pair(from, n.names[address])
		apart := n.cut[between]
		n.mu.Unlock()
		if apart {
			return nil, errors.New("cut")
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
		if err == nil {
			n.mu.Lock()
			n.conns[conn] = between
			n.mu.Unlock()
		}
		return conn, err
	}
}

// isolate cuts a node off from all others, or lets it back.
func (n *network) isolate(id uint64, apart bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range n.names {
		n.cut[pair(id, other)] = apart
	}
	for conn, between := range n.conns {
		if n.cut[between] {
			_ = conn.Close()
			delete(n.conns, conn)
		}
	}
}

// cluster is three nodes on loopback.
type cluster struct {
	t     testing.TB
	net   *network
	certs string
	cfgs  map[uint64]Config
	logs  map[uint64]*Log
	lists map[uint64]*list
}

func startCluster(tb testing.TB, change func(*Config)) *cluster {
	tb.Helper()
	c := &cluster{
		t: tb, certs: tb.TempDir(), cfgs: map[uint64]Config{}, logs: map[uint64]*Log{}, lists: map[uint64]*list{},
		net: &network{cut: map[[2]uint64]bool{}, conns: map[net.Conn][2]uint64{}, names: map[string]uint64{}},
	}
	var peers []Peer
	for id := uint64(1); id <= 3; id++ {
		name := fmt.Sprintf("matching-%d", id)
		if err := mtls.EnsureDev(c.certs, name); err != nil {
			tb.Fatal(err)
		}
		listener := listen(tb, "127.0.0.1:0")
		peers = append(peers, Peer{ID: id, Name: name, Address: listener.Addr().String()})
		c.net.names[listener.Addr().String()] = id
		_ = listener.Close()
	}
	for _, p := range peers {
		cfg := alone(folder(tb))
		cfg.Node, cfg.Peers, cfg.Create = p.ID, peers, true
		if change != nil {
			change(&cfg)
		}
		c.cfgs[p.ID] = cfg
		c.start(p.ID)
		cfg.Create = false
		c.cfgs[p.ID] = cfg
	}
	return c
}

func listen(tb testing.TB, address string) net.Listener {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(ctx(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// start opens a node with a new machine.
func (c *cluster) start(id uint64) {
	c.t.Helper()
	cfg, m := c.cfgs[id], &list{}
	for _, p := range cfg.Peers {
		if p.ID == id {
			wire := NewTLSWire(listen(c.t, p.Address), c.certs, p.Name)
			wire.dial = c.net.dialer(id)
			cfg.Wire = wire
		}
	}
	c.lists[id], c.logs[id] = m, open(c.t, cfg, m)
}

// kill stops a node without a word to the others.
func (c *cluster) kill(id uint64) {
	c.t.Helper()
	closeLog(c.t, c.logs[id])
	delete(c.logs, id)
}

// leader waits for a node, other than not, that leads.
func (c *cluster) leader(not uint64) uint64 {
	c.t.Helper()
	found := uint64(0)
	eventually(c.t, "a node leads", func() bool {
		for id, l := range c.logs {
			if id != not && l.Status().Leading {
				found = id
			}
		}
		return found != 0
	})
	return found
}

// agree waits until all running nodes have applied the same, at least want entries.
func (c *cluster) agree(want int) []string {
	c.t.Helper()
	var all []string
	eventually(c.t, "nodes agree", func() bool {
		all = nil
		for id := range c.logs {
			have := c.lists[id].all()
			if len(have) < want || all != nil && !slices.Equal(all, have) {
				return false
			}
			all = have
		}
		return true
	})
	digests := map[uint64]bool{}
	for id := range c.logs {
		digests[c.lists[id].Digest()] = true
	}
	if len(digests) != 1 {
		c.t.Fatalf("digests differ: %v", digests)
	}
	return all
}
