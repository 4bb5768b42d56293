package quorum

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"strongroom/chainadapters"
)

// kind is what nodes are asked for, as far as it matters how a contradiction is
// taken.
type kind string

// The kinds of question.
const (
	identities kind = "identity"
	headers    kind = "header"
	retreats   kind = "head"
	blocks     kind = "block"
	receipts   kind = "receipt"
	sightings  kind = "transaction"
	balances   kind = "balance"
	nonces     kind = "nonce"
	finals     kind = "final block"
)

// maxDoubts is how often in a row a node may be alone with something that time can
// explain, such as a block of a branch that the others have left already.
const maxDoubts = 1

// node is one node and its record. What follows pending is guarded by Adapter.mu.
type node struct {
	name    string
	adapter chainadapters.Adapter
	pending atomic.Int32

	state    chainadapters.NodeState
	since    time.Time
	reason   string
	height   uint64 // of its head, as it told last
	top      uint64 // from which it may not go back while the others stay
	lag      uint64
	agreed   uint64 // ejected: blocks agreed on since
	agreedAt uint64 // the last of them
	doubts   map[kind]int
	told     map[uint64]said
	order    []uint64 // heights of told, oldest answer first
}

// said is what a node said last about a height, and what it said before that.
type said struct{ hash, before string }

// alarm is a contradiction that nobody could decide. While it lasts, the chain
// stands still; it lapses once the nodes agree, or is tried again at a height.
type alarm struct {
	reason string
	until  uint64
}

// Nodes returns how each node is doing, in the order of the configuration.
func (q *Adapter) Nodes() []chainadapters.NodeStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]chainadapters.NodeStatus, len(q.nodes))
	for i, n := range q.nodes {
		list[i] = chainadapters.NodeStatus{
			Name: n.name, State: n.state, Height: n.height, Lag: n.lag, Reason: n.reason, Agreed: n.agreed, Since: n.since,
		}
	}
	return list
}

// Restore takes over ejections that an earlier process knew of.
func (q *Adapter) Restore(known []chainadapters.NodeStatus) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range known {
		i := slices.IndexFunc(q.nodes, func(n *node) bool { return n.name == k.Name })
		if i >= 0 && k.State == chainadapters.NodeEjected && q.nodes[i].state != chainadapters.NodeEjected {
			n := q.nodes[i]
			n.state, n.reason, n.since, n.agreed = k.State, k.Reason, k.Since, k.Agreed
		}
	}
}

// Readmit is an operator's word that a node counts again. It reports whether
// there is an ejected node of this name.
func (q *Adapter) Readmit(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.nodes, func(n *node) bool { return n.name == name })
	if i < 0 || q.nodes[i].state != chainadapters.NodeEjected {
		return false
	}
	q.admit(q.nodes[i], "by an operator")
	return true
}

// seats returns who decides and who is only watched. A node that lags is asked
// for its head and for nothing else.
func (q *Adapter) seats(lagging bool) (voters, watched []*node) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, n := range q.nodes {
		switch {
		case n.state == chainadapters.NodeEjected:
			watched = append(watched, n)
		case n.state != chainadapters.NodeLagging || lagging:
			voters = append(voters, n)
		}
	}
	return voters, watched
}

// eject takes a node's vote, or starts its probation anew. q.mu is held.
func (q *Adapter) eject(n *node, reason string) {
	n.agreed, n.reason = 0, clip(reason)
	if n.state == chainadapters.NodeEjected {
		return
	}
	q.enter(n, chainadapters.NodeEjected)
	q.cfg.Log.Error("node ejected", "chain", q.cfg.Chain, "node", n.name, "reason", n.reason)
}

// admit gives a node its vote back. q.mu is held.
func (q *Adapter) admit(n *node, why string) {
	n.agreed, n.reason = 0, ""
	clear(n.doubts)
	clear(n.told)
	n.order = n.order[:0]
	q.enter(n, chainadapters.NodeOK)
	q.cfg.Log.Info("node counts again", "chain", q.cfg.Chain, "node", n.name, "why", why)
}

func (q *Adapter) enter(n *node, s chainadapters.NodeState) {
	if n.state != s {
		n.state, n.since = s, q.cfg.Clock()
	}
}

// doubt notes that a node was alone with something that time can explain, and
// ejects it where that goes on. q.mu is held.
func (q *Adapter) doubt(n *node, k kind, reason string) {
	n.doubts[k]++
	if n.state == chainadapters.NodeEjected || n.doubts[k] > maxDoubts {
		q.eject(n, reason)
	}
}

// concur notes that a node said what the others said. q.mu is held.
func (q *Adapter) concur(n *node, k kind) { n.doubts[k] = 0 }

// probation counts a block that an ejected node agreed on. q.mu is held.
func (q *Adapter) probation(n *node, at chainadapters.Ref) {
	if n.state != chainadapters.NodeEjected || (n.agreed > 0 && at.Height <= n.agreedAt) {
		return
	}
	n.agreed, n.agreedAt = n.agreed+1, at.Height
	if n.agreed >= q.cfg.Policy.Probation {
		q.admit(n, fmt.Sprintf("it agreed on %d blocks", n.agreed))
	}
}

// remember holds a node to the hash of a height. It reports whether the node went
// back to something that it had taken back before. q.mu is held.
func (n *node) remember(at chainadapters.Ref) (wavered bool) {
	was, known := n.told[at.Height]
	if known && was.hash == at.Hash {
		return false
	}
	n.told[at.Height] = said{at.Hash, was.hash}
	if known {
		return was.before == at.Hash
	}
	if n.order = append(n.order, at.Height); len(n.order) > maxMemory {
		delete(n.told, n.order[0])
		n.order = n.order[1:]
	}
	return false
}

// knows reports whether a node told of a block and never of another there.
func (n *node) knows(at chainadapters.Ref) bool { return n.told[at.Height] == said{hash: at.Hash} }

// raise starts an alarm. q.mu is held.
func (q *Adapter) raise(k kind, reason string) {
	if _, rings := q.alarms[k]; !rings {
		q.cfg.Log.Error("nodes contradict each other", "chain", q.cfg.Chain, "about", string(k), "reason", reason)
	}
	q.alarms[k] = alarm{reason, q.agreed + q.cfg.Policy.Probation}
}

// ringing returns the reason of an alarm that still holds at a height, and takes
// note of the height.
func (q *Adapter) ringing(height uint64) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.agreed = max(q.agreed, height)
	for k, a := range q.alarms {
		if q.agreed < a.until {
			return a.reason
		}
		delete(q.alarms, k)
	}
	return ""
}
