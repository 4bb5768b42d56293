// Package quorum makes one chain adapter of several nodes of the same chain. What
// a caller learns was told alike by more than half of the nodes that answered,
// and by at least two. A node that contradicts the others is ejected with a
// reason and counts again only after it agreed for a number of blocks, or by an
// operator's word. Where no majority decides, nobody is told anything: the chain
// stands still until the nodes agree. The package holds no money rule and no
// database, and it never believes a single node.
package quorum

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/chainadapters"
	"strongroom/money"
)

var (
	_ chainadapters.Adapter   = (*Adapter)(nil)
	_ chainadapters.Finalizer = (*Adapter)(nil)
)

// Errors of several nodes. Both stop a chain until the nodes agree again.
var (
	// ErrConfig reports a Config that cannot work.
	ErrConfig = errors.New("quorum configuration")
	// ErrSplit reports nodes that contradict each other where no majority decides.
	ErrSplit = errors.New("nodes contradict each other")
	// ErrTooFew reports that fewer nodes than needed answered alike.
	ErrTooFew = errors.New("too few nodes agree")
)

// Bounds and defaults.
const (
	least = 2 // nodes that must agree, whatever else is configured
	// maxNodes bounds the nodes of one chain.
	maxNodes = 16
	// maxPending bounds the questions that one node may owe an answer to.
	maxPending = 256
	// maxMemory bounds for how many heights a node is held to what it said.
	maxMemory = 256
	// maxReason bounds how much of an answer is repeated to people, in bytes.
	maxReason = 400

	defaultMaxLag    = 3
	defaultProbation = 6
	defaultTimeout   = 10 * time.Second
	defaultGrace     = 200 * time.Millisecond
)

// Node is one node and what reaches it.
type Node struct {
	Name    string // for people: host and port, no credentials
	Adapter chainadapters.Adapter
}

// Config says which nodes there are and when they agree.
type Config struct {
	Chain  chainadapters.ChainID
	Nodes  []Node // 2 to 16, of one family
	Policy chainadapters.NodePolicy
	// Timeout bounds one question to one node; zero for ten seconds.
	Timeout time.Duration
	// Grace is how long the other nodes are waited for where enough told their
	// head or a quote, or one took a transaction; zero for 200 milliseconds.
	Grace time.Duration
	Clock func() time.Time // nil for the system's clock
	Log   *slog.Logger     // nil for none
}

// Adapter is a chain seen through several nodes. It is safe for concurrent use.
type Adapter struct {
	cfg   Config
	nodes []*node
	under sync.WaitGroup // answers that come after their question was decided

	mu     sync.Mutex // guards the state of nodes and what follows
	agreed uint64     // greatest height that the nodes agreed on
	alarms map[kind]alarm
}

// New returns an adapter over cfg.Nodes. It does not contact them. Errors wrap
// ErrConfig.
func New(cfg Config) (*Adapter, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	if cfg.Policy.MaxLag == 0 {
		cfg.Policy.MaxLag = defaultMaxLag
	}
	if cfg.Policy.Probation == 0 {
		cfg.Policy.Probation = defaultProbation
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Grace <= 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of what is injected
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	q := &Adapter{cfg: cfg, alarms: make(map[kind]alarm)}
	for _, n := range cfg.Nodes {
		q.nodes = append(q.nodes, &node{
			name: n.Name, adapter: n.Adapter, state: chainadapters.NodeOK, since: cfg.Clock(),
			told: map[uint64]said{}, doubts: make(map[kind]int),
		})
	}
	return q, nil
}

func check(cfg Config) error {
	n, need := len(cfg.Nodes), cfg.Policy.Need
	switch {
	case n < least || n > maxNodes:
		return fmt.Errorf("%w: %d nodes of %s", ErrConfig, n, cfg.Chain)
	case need != 0 && (need < least || need > n || need <= n/2):
		return fmt.Errorf("%w: %d of %d nodes of %s is no majority", ErrConfig, need, n, cfg.Chain)
	}
	for i, a := range cfg.Nodes {
		twin := slices.ContainsFunc(cfg.Nodes[:i], func(b Node) bool { return b.Name == a.Name })
		if a.Adapter == nil || a.Name == "" || twin || a.Adapter.Family() != cfg.Nodes[0].Adapter.Family() {
			return fmt.Errorf("%w: node %d of %s has no name or adapter of its own, or another family", ErrConfig, i+1, cfg.Chain)
		}
	}
	return nil
}

// need is how many nodes must say the same, of those that can.
func (q *Adapter) need(of int) int {
	if q.cfg.Policy.Need != 0 {
		return q.cfg.Policy.Need
	}
	return max(least, of/2+1)
}

// clip bounds a text for people.
func clip(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

// pure is the adapter that answers what no node is asked for: all are alike.
func (q *Adapter) pure() chainadapters.Adapter { return q.nodes[0].adapter }

// Family implements chainadapters.Adapter.
func (q *Adapter) Family() chainadapters.Family { return q.pure().Family() }

// ParseAddress implements chainadapters.Adapter.
func (q *Adapter) ParseAddress(s string) (string, error) { return q.pure().ParseAddress(s) }

// DeriveAddress implements chainadapters.Adapter.
func (q *Adapter) DeriveAddress(xpub string, branch, index uint32) (string, error) {
	return q.pure().DeriveAddress(xpub, branch, index)
}

// SelectCoins implements chainadapters.Adapter.
func (q *Adapter) SelectCoins(available []chainadapters.Coin, payments []chainadapters.Payment, fee chainadapters.Fee) ([]chainadapters.Coin, error) {
	return q.pure().SelectCoins(available, payments, fee)
}

// Build implements chainadapters.Adapter.
func (q *Adapter) Build(plan chainadapters.Plan) (chainadapters.Unsigned, error) {
	return q.pure().Build(plan)
}

// Decode implements chainadapters.Adapter.
func (q *Adapter) Decode(raw []byte) (chainadapters.Signed, error) { return q.pure().Decode(raw) }

// Dust implements chainadapters.Adapter.
func (q *Adapter) Dust() money.Units { return q.pure().Dust() }
