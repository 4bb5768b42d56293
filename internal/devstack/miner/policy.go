// Package miner makes the blocks of the development chains and keeps them: it
// mines while something waits to be confirmed, and saves each block outside the
// node, for the nodes of development lose their newest blocks when they are
// killed. It never runs against a public network.
package miner

import "time"

// Policy says when to mine. The zero value never mines fast.
type Policy struct {
	// Every is the pace while there is something to confirm.
	Every time.Duration
	// Depth is how many empty blocks follow the last one that carried a
	// transaction, so that deposits and withdrawals reach their confirmations.
	Depth int
	// Heartbeat is the pace of an idle chain.
	Heartbeat time.Duration
	// StuckAfter is how many empty blocks in a row are mined for a pool that does
	// not empty; then the pace falls to Heartbeat.
	StuckAfter int
}

// DefaultPolicy confirms within seconds and idles cheaply.
func DefaultPolicy() Policy {
	return Policy{Every: 500 * time.Millisecond, Depth: 12, Heartbeat: 30 * time.Second, StuckAfter: 120}
}

// View is what the miner sees of a chain.
type View struct {
	Pool       int // transactions that a block could take
	EmptySince int // blocks since the last one that carried a transaction
	LastBlock  time.Time
}

// Due reports whether a block is to be mined now.
func (p Policy) Due(v View, now time.Time) bool {
	pace := p.Heartbeat
	if v.EmptySince < p.Depth || (v.Pool > 0 && v.EmptySince < p.StuckAfter) {
		pace = p.Every
	}
	return now.Sub(v.LastBlock) >= pace
}
