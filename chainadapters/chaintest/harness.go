// Package chaintest is the conformance suite of the chain port. Every adapter
// runs Run from a test file of a few lines, against a real node of its chain or
// against the fake; custody relies on exactly what is asserted here. The suite
// knows no chain: what a chain does differently comes through Harness. It never
// runs in production.
package chaintest

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Harness is one chain under test together with the powers of its miner. Its
// methods end the test with t.Fatal where the node does not obey. A harness
// belongs to one Run; no method is called concurrently.
type Harness interface {
	// Adapter returns the adapter under test on the healthy node.
	Adapter() chainadapters.Adapter
	// Faulty returns a fresh adapter that sees the same node through a fault.
	// Hang needs a Config.Timeout of at most a second.
	Faulty(tb testing.TB, fault Fault) chainadapters.Adapter
	// Foreign returns fresh adapters on the healthy node, each pinned to an
	// identity that is not the node's: one other network, one other genesis.
	Foreign(tb testing.TB) []chainadapters.Adapter
	// Identity returns what the healthy node is.
	Identity() chainadapters.Identity

	// Mine adds n blocks. The first takes all of the pool.
	Mine(tb testing.TB, n int)
	// Reorg replaces the newest depth blocks by depth+1 blocks that hold none of
	// their transactions. Those may be back in the pool afterwards.
	Reorg(tb testing.TB, depth int)
	// DropPool makes the node forget whatever waits in its pool.
	DropPool(tb testing.TB)

	// Plenty returns an amount of the native asset that covers a payment of a
	// third of it with any sane fee: one BTC, one ETH.
	Plenty() money.Units
	// Fund sends native units to an address, from a stranger. On return the
	// transaction is in the pool.
	Fund(tb testing.TB, address string, units money.Units) (txid string)
	// Token returns the canonical contract of a token, empty where the chain has
	// none: FundToken, FundMany of tokens and FundFailing are then not called
	// for it.
	Token() string
	// FundToken is Fund for Token.
	FundToken(tb testing.TB, address string, units money.Units) (txid string)
	// FundMany makes all payments by one transaction, from a stranger. UTXO
	// chains are asked for native payments, others for payments of Token.
	FundMany(tb testing.TB, payments []chainadapters.Payment) (txid string)
	// FundFailing sends a transaction that carries native value, will be mined,
	// and fails there. It is called on account chains only.
	FundFailing(tb testing.TB, units money.Units) (txid, to string)

	// NewWallet returns a key that has not been used before.
	NewWallet(tb testing.TB) Wallet
	// Addresses returns the address grammar of this chain by example.
	Addresses() AddressCases
}

// Wallet is one key of the house with its address in canonical form.
type Wallet struct {
	Address string
	Path    chainadapters.KeyPath
	// Sign signs Unsigned.Bytes, all inputs of which are of this wallet, and
	// returns the raw transaction.
	Sign func(tb testing.TB, unsigned []byte) []byte
}

// AddressCases holds examples of a chain's addresses and key derivation.
type AddressCases struct {
	Valid   map[string]string // text → canonical form
	Invalid []string          // each is refused with ErrAddress
	Derived []Derived
}

// Derived is one known answer of DeriveAddress.
type Derived struct {
	XPub          string
	Branch, Index uint32
	Address       string
}

// Fault is one way in which a node misbehaves.
type Fault uint8

// The faults. Nothing that a faulty node says may read as "nothing there".
const (
	// Down: nothing answers. Every call fails.
	Down Fault = iota + 1
	// Hang: requests are taken and never answered. Every call fails in time.
	Hang
	// Truncated: each answer ends half way. Every call fails.
	Truncated
	// WrongID: each answer carries the id of another request. Every call fails.
	WrongID
	// NullBlock: null in place of a block, for any block asked for by hash.
	// Block is ErrIncomplete.
	NullBlock
	// PartialBlock: the last transaction of each block, or its receipt, is
	// missing. Block is ErrIncomplete.
	PartialBlock
	// OtherBlock: the content of a block is that of its parent. Block is
	// ErrIncomplete.
	OtherBlock
	// Lagging: the node ends two blocks before the healthy node and knows
	// nothing of what follows. HeaderAt above its head is ErrNotFound, Block of
	// one that it lacks is ErrIncomplete.
	Lagging
	// LostReply: everything works, but the answer to a broadcast is lost after
	// the node took the transaction. Broadcast fails.
	LostReply
)

// String names the fault for the names of subtests.
func (f Fault) String() string {
	names := [...]string{
		Down: "down", Hang: "hang", Truncated: "truncated", WrongID: "wrong id",
		NullBlock: "null block", PartialBlock: "partial block", OtherBlock: "other block",
		Lagging: "lagging", LostReply: "lost reply",
	}
	if int(f) >= len(names) || f == 0 {
		return "unknown fault"
	}
	return names[f]
}
