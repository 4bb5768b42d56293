package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/mtls"
	"strongroom/internal/obs"
	"strongroom/matching/engine"
	"strongroom/matching/journal"
	"strongroom/matching/node"
	"strongroom/matching/server"
)

// serverName is in the certificate that clients are shown, the same on all nodes.
const serverName = "matching"

var (
	errPeer   = errors.New("a peer is NUMBER=NAME@HOST:PORT")
	errRights = errors.New("rights are an object of certificate names")
)

// nodeFlags say which node of which shard it is. Bounds must be the same on all nodes
// and for ever.
type nodeFlags struct {
	Dir     string   `help:"Folder of the node." env:"STRONGROOM_MATCHING_DIR" default:".strongroom/matching"`
	Cluster string   `help:"Name of the platform that the shard belongs to." env:"STRONGROOM_MATCHING_CLUSTER" default:"strongroom"`
	Shard   string   `help:"Name of the shard." env:"STRONGROOM_MATCHING_SHARD" default:"1"`
	Node    uint64   `help:"Number of this node, from 1." env:"STRONGROOM_MATCHING_NODE" default:"1"`
	Peers   []string `help:"All nodes of the shard, this one too, as NUMBER=NAME@HOST:PORT; none for a node alone." env:"STRONGROOM_MATCHING_PEERS" placeholder:"PEER"`
	Certs   string   `help:"Folder with the certificates." env:"STRONGROOM_MATCHING_CERTS" required:"" placeholder:"DIR"`

	Orders    uint32        `help:"Most orders that may wait." default:"1048576"`
	Pages     uint32        `help:"Most pages of 128 neighbouring prices that books and stops take, 2 KiB each." default:"65536"`
	Accounts  uint32        `help:"Most accounts." default:"65536"`
	Assets    uint16        `help:"Most assets." default:"32"`
	Markets   uint16        `help:"Most markets." default:"256"`
	Keys      uint32        `help:"Most client order ids that are remembered." default:"2097152"`
	Retention time.Duration `help:"How long client order ids are remembered at most." default:"24h"`
	Transfers uint32        `help:"Most transfers into and out of the engine that are remembered." default:"4194304"`
	Snapshot  uint64        `help:"Entries of the journal between two snapshots." default:"262144"`
	History   int64         `help:"Bytes of events that are kept." default:"68719476736"`
}

func (f *nodeFlags) config(e *env) (node.Config, error) {
	peers, err := parsePeers(f.Peers)
	if err != nil {
		return node.Config{}, err
	}
	tls, err := mtls.ServerConfig(f.Certs, serverName)
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		Dir:          f.Dir,
		Journal:      journal.Config{Cluster: f.Cluster, Shard: f.Shard, Node: f.Node, Peers: peers, SnapshotEntries: f.Snapshot},
		HistoryBytes: f.History, TLS: tls, Log: e.log, Clock: e.clock, Metrics: prometheus.NewRegistry(),
		Engine: engine.Config{
			Orders: f.Orders, Pages: f.Pages, Accounts: f.Accounts, Assets: f.Assets, Markets: f.Markets, Keys: f.Keys,
			Retention: f.Retention.Nanoseconds(), Transfers: f.Transfers,
		},
	}, nil
}

// wire listens for the other nodes where there are any.
func (f *nodeFlags) wire(ctx context.Context, cfg *journal.Config) error {
	if len(cfg.Peers) < 2 {
		return nil
	}
	for _, p := range cfg.Peers {
		if p.ID != f.Node {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Address)
		if err != nil {
			return fmt.Errorf("listen for the other nodes: %w", err)
		}
		cfg.Wire = journal.NewTLSWire(l, f.Certs, p.Name)
		return nil
	}
	return fmt.Errorf("%w: number %d is not among them", errPeer, f.Node)
}

// parsePeers reads peers as the flag gives them.
func parsePeers(given []string) ([]journal.Peer, error) {
	peers := make([]journal.Peer, 0, len(given))
	for _, text := range given {
		number, rest, ok := strings.Cut(text, "=")
		name, address, both := strings.Cut(rest, "@")
		id, err := strconv.ParseUint(number, 10, 64)
		_, _, bad := net.SplitHostPort(address)
		if !ok || !both || err != nil || bad != nil || name == "" {
			return nil, fmt.Errorf("%w: %q", errPeer, text)
		}
		peers = append(peers, journal.Peer{ID: id, Name: name, Address: address})
	}
	return peers, nil
}

type initCommand struct {
	nodeFlags
}

// Run creates a node.
func (c *initCommand) Run(e *env) error {
	cfg, err := c.config(e)
	if err != nil {
		return err
	}
	if err := create(e, c.nodeFlags, cfg); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, "node %d of shard %s is in %s\n", c.Node, c.Shard, c.Dir); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

func create(e *env, f nodeFlags, cfg node.Config) error {
	cfg.Journal.Create = true
	cfg.Metrics = prometheus.NewRegistry()
	if err := f.wire(e.ctx, &cfg.Journal); err != nil {
		return err
	}
	n, err := node.Open(cfg)
	if err != nil {
		return err
	}
	return n.Close()
}

type serveCommand struct {
	nodeFlags

	Listen  string        `help:"Address of the gRPC service." env:"STRONGROOM_MATCHING_LISTEN" default:"127.0.0.1:7543"`
	Observe string        `help:"Address for /metrics and /healthz; empty for none." env:"STRONGROOM_MATCHING_OBSERVE" placeholder:"HOST:PORT"`
	Rights  string        `help:"JSON file that says what callers may do, by the names in their certificates." env:"STRONGROOM_MATCHING_RIGHTS" required:"" placeholder:"FILE"`
	Grace   time.Duration `help:"How long a session may be without a connection before it ends." default:"5s"`
	Create  bool          `help:"Create the node where its folder is missing (development)." env:"STRONGROOM_MATCHING_CREATE"`
}

// gcPercent is how much may be allocated between two collections, as a part of what is
// in use. That is mostly tables without a pointer in them, so a collection is cheap;
// new memory is not, where the system has to give it page by page.
const gcPercent = 5

// Run serves until the process is told to stop or the node halts.
func (c *serveCommand) Run(e *env) error {
	if _, given := os.LookupEnv("GOGC"); !given {
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := c.config(e)
	if err != nil {
		return err
	}
	if cfg.Peers, err = readRights(c.Rights); err != nil {
		return err
	}
	if c.Create && !node.Exists(c.Dir) {
		if err := create(e, c.nodeFlags, cfg); err != nil {
			return err
		}
	}
	registry := obs.NewRegistry("matching")
	cfg.Metrics, cfg.Grace = registry, c.Grace
	l, err := new(net.ListenConfig).Listen(e.ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := c.wire(e.ctx, &cfg.Journal); err != nil {
		return errors.Join(err, l.Close())
	}
	n, err := node.Open(cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return c.serve(e, n, l, registry)
}

func (c *serveCommand) serve(e *env, n *node.Node, l net.Listener, registry *prometheus.Registry) error {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	observed := make(chan error, 1)
	if c.Observe == "" {
		observed <- nil
	} else {
		o, err := obs.NewServer(ctx, obs.ServerConfig{Addr: c.Observe, Registry: registry, Log: e.log})
		if err != nil {
			return errors.Join(err, l.Close(), n.Close())
		}
		go func() { observed <- o.Run(ctx) }()
	}
	e.log.InfoContext(ctx, "matching ready", slog.String("address", l.Addr().String()), slog.Uint64("node", c.Node))
	err := n.Serve(ctx, l)
	cancel()
	return errors.Join(err, <-observed)
}

// rightsOf is what a caller may do, as the file says it.
type rightsOf struct {
	Any      bool               `json:"any"`
	Accounts []engine.AccountID `json:"accounts"`
	Operate  bool               `json:"operate"`
	Events   bool               `json:"events"`
}

func readRights(file string) (map[string]server.Rights, error) {
	raw, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read rights: %w", err)
	}
	defer func() { _ = raw.Close() }() // it was only read
	var given map[string]rightsOf
	d := json.NewDecoder(raw)
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errRights, file, err)
	}
	rights := make(map[string]server.Rights, len(given))
	for name, r := range given {
		rights[name] = server.Rights{Any: r.Any, Accounts: r.Accounts, Operate: r.Operate, Events: r.Events}
	}
	return rights, nil
}
