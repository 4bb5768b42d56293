// Package chainadapters is the port through which the platform sees blockchains.
// An adapter translates between a node's RPC and the values below. It holds no
// money rules, no database and no keys: it reads blocks, builds unsigned
// transactions as a pure function, and sends bytes that somebody else signed.
//
// Adding a chain is one folder beside this file and one line in all/.
package chainadapters

import (
	"context"
	"errors"
	"time"

	"strongroom/money"
)

// Errors that adapters wrap. Whatever is none of these is a passing fault of the
// node: the caller stops credits and sends on that chain and asks again.
var (
	// ErrForeign reports a node on another network: chain id or genesis differ.
	ErrForeign = errors.New("node is on another network")
	// ErrIncomplete reports a null, stale or contradictory answer for something
	// that the node itself said exists. It is never read as "nothing there".
	ErrIncomplete = errors.New("node gave an incomplete answer")
	// ErrNotFound reports a height above the node's head.
	ErrNotFound = errors.New("no such block")
	// ErrAddress reports an address that is malformed, lacks or fails its
	// checksum, or belongs to another network.
	ErrAddress = errors.New("address is not valid on this chain")
	// ErrFunds reports coins that do not cover payments and fee.
	ErrFunds = errors.New("not enough coins")
	// ErrPlan reports a plan that no transaction can carry out.
	ErrPlan = errors.New("plan cannot be built")
	// ErrRefused reports that the node's pool refused the transaction and said
	// why. It is not proof that no other node took it.
	ErrRefused = errors.New("node refused the transaction")
	// ErrContract reports that a token's own code did not answer a question as
	// the standard says: it reverted, ran out of gas or gave no number. That is
	// the token's fault, not the node's: the chain stays usable.
	ErrContract = errors.New("token contract does not answer")
	// ErrForged reports content that is not what its own hash says. No passing
	// fault does that: such a node is not to be believed.
	ErrForged = errors.New("content is not what its hash says")
	// ErrNoFinality reports that the node names no final block: its chain has
	// none, or the node lost it.
	ErrNoFinality = errors.New("no block is called final")
)

// ChainID is the platform's name of a chain and network: "bitcoin-regtest".
type ChainID string

// Family tells how a chain keeps value.
type Family uint8

// The families.
const (
	// Account chains order a sender's transactions by nonce (EVM).
	Account Family = iota + 1
	// UTXO chains spend coins (Bitcoin, Litecoin).
	UTXO
)

// Identity is how a network names itself.
type Identity struct {
	Network string // EVM: the decimal chain id; Bitcoin family: the network name
	Genesis string // hash of block 0
}

// Ref points at one block.
type Ref struct {
	Height uint64 `json:"height"`
	Hash   string `json:"hash"`
}

// Header is a block as the parent-hash walk sees it.
type Header struct {
	Ref
	Parent string
	Time   time.Time
	// BaseFee is the price per gas that a transaction of this block had to reach
	// (EIP-1559); zero where the chain has none.
	BaseFee money.Units
}

// Movement is value that one transaction brought to one address.
type Movement struct {
	TxID     string
	Index    uint32 // output number; a token's log counted within its transaction; NativeIndex; from InternalIndex on
	From     string // empty where the chain has no single sender
	To       string // canonical form, as ParseAddress returns it
	Contract string // canonical token contract; empty for the native asset
	Amount   money.Units
}

// NativeIndex is the Movement.Index of the native value that an account-chain
// transaction carries. No log can have it.
const NativeIndex uint32 = 1<<31 - 1

// InternalIndex is the least Movement.Index of native value that contracts moved
// on within an account-chain transaction: the n-th of those movements, counted
// from zero in the order of execution and without what was reverted, has
// InternalIndex + n.
const InternalIndex uint32 = 1 << 31

// Outpoint names a coin.
type Outpoint struct {
	TxID string `json:"txid"`
	Vout uint32 `json:"vout"`
}

// Spend is something consumed by a transaction in a block: a coin, or a nonce.
type Spend struct {
	TxID     string
	Outpoint Outpoint // UTXO chains
	From     string   // account chains, with Nonce
	Nonce    uint64
}

// Block is what custody needs of one block: whatever arrived and whatever was
// consumed, for all addresses. Custody keeps what concerns it.
type Block struct {
	Header
	TxIDs     []string
	Movements []Movement // successful transactions only
	Spends    []Spend    // also of failed transactions: they consume a nonce
	// Untraced tells that contracts ran in this block and that the node could not
	// say which native value they moved on: it is missing in Movements, and only
	// the difference of balances (Holdings at the block and at its parent) shows it.
	Untraced bool
}

// TxState is where a node sees a transaction.
type TxState uint8

// The states of a transaction, as seen by a node.
const (
	// Absent: neither in a block of the node's chain nor in its pool.
	Absent TxState = iota + 1
	// Pooled: waiting in the node's pool.
	Pooled
	// Mined: in a block of the node's current chain.
	Mined
)

// TxStatus is what a node knows of one transaction.
type TxStatus struct {
	TxID    string
	State   TxState
	Block   Ref         // where Mined
	Success bool        // where Mined: it did what it says (EVM receipt status; always true on UTXO chains)
	Fee     money.Units // where Mined on account chains: gas used times effective price; zero on UTXO chains, where the plan knows it
}

// Payment is one thing that a transaction is to do.
type Payment struct {
	To       string      `json:"to"`
	Contract string      `json:"contract,omitempty"` // empty for the native asset
	Amount   money.Units `json:"amount"`
	// Vault is the contract of the house that pays, on account chains, by the call in
	// Plan.Exec; empty where the sender of the transaction pays.
	Vault string `json:"vault,omitempty"`
}

// KeyPath says which key of the house controls an address: BIP 32 path below
// the chain's purpose and coin type. Account 0 holds customers' deposit
// addresses, account 1 the hot wallet; branch 1 is change.
type KeyPath struct {
	Account uint32 `json:"account"`
	Branch  uint32 `json:"branch"`
	Index   uint32 `json:"index"`
}

// The accounts of KeyPath.
const (
	DepositAccount uint32 = 0
	HotAccount     uint32 = 1
	// VaultAccount marks addresses of warm and cold vaults: they are counted and watched
	// as the house's, and no key of the signer is behind them.
	VaultAccount uint32 = 2
)

// Coin is an unspent output of the house.
type Coin struct {
	Outpoint
	Amount  money.Units `json:"amount"`
	Address string      `json:"address"`
	Path    KeyPath     `json:"path"`
	// Height is the block that made the coin; zero where it does not matter. It
	// and Pending serve selection only: a stored plan says nothing of them.
	Height uint64 `json:"-"`
	// Pending is zero for a coin in a block. Otherwise the coin is change of our
	// own, and Pending is how many transactions in the pool it hangs on, the one
	// that makes it included.
	Pending uint32 `json:"-"`
}

// Slot is one place in an account's order of transactions.
type Slot struct {
	From  string  `json:"from"`
	Path  KeyPath `json:"path"`
	Nonce uint64  `json:"nonce"`
}

// Fee is what a transaction may pay. Account chains use the gas fields, UTXO
// chains the rate.
type Fee struct {
	GasLimit  uint64      `json:"gasLimit,omitempty"`
	TipCap    money.Units `json:"tipCap"`              // wei per gas
	FeeCap    money.Units `json:"feeCap"`              // wei per gas
	SatPerKVB uint64      `json:"satPerKvb,omitempty"` // satoshi per 1,000 virtual bytes
}

// Plan is all that a transaction is made of. The same plan gives the same bytes,
// for ever: it is stored before it is signed.
type Plan struct {
	Payments []Payment `json:"payments"`
	Slot     *Slot     `json:"slot,omitempty"`  // account chains
	Coins    []Coin    `json:"coins,omitempty"` // UTXO chains
	ChangeTo string    `json:"changeTo,omitempty"`
	// ChangePath is the key of ChangeTo, so that the signer can recognise it.
	ChangePath KeyPath `json:"changePath"`
	Fee        Fee     `json:"fee"`
	// Exec is the call by which a vault makes the payment, with its owners' signatures:
	// account chains, and where Payment.Vault is given.
	Exec []byte `json:"exec,omitempty"`
}

// Unsigned is a transaction before its signatures.
type Unsigned struct {
	// Bytes: EVM: the EIP-1559 signing payload (0x02 ‖ RLP without signature);
	// Bitcoin family: a PSBT (BIP 174) with witness UTXOs; key paths travel beside it.
	Bytes  []byte
	MaxFee money.Units // the most that it can cost, in the native asset
	Change money.Units // UTXO chains: what comes back to ChangeTo; zero for none
	// Size is the most that it measures once signed, in virtual bytes; zero on
	// account chains.
	Size uint64
}

// Signed is what a raw signed transaction says, decoded.
type Signed struct {
	TxID     string
	Payments []Payment // UTXO chains: every output
	Spends   []Spend
}

// Holdings asks how much of one asset the house has on chain.
type Holdings struct {
	Contract  string   // empty for the native asset
	Addresses []string // account chains
	Coins     []Coin   // UTXO chains: each is verified with the node
	At        Ref      // the block whose state is meant
}

// Adapter is one chain on one network. Every method that takes a context asks
// the node and can fail by its faults; the others are pure. Implementations
// MUST be safe for concurrent use.
type Adapter interface {
	Family() Family
	// Identity says which network the node is on.
	Identity(ctx context.Context) (Identity, error)
	// Head returns the newest block of the node's chain.
	Head(ctx context.Context) (Header, error)
	// HeaderAt returns the header at a height, or ErrNotFound above the head.
	HeaderAt(ctx context.Context, height uint64) (Header, error)
	// Block returns the block with this hash. Token movements are read for the
	// given contracts only. The answer MUST be complete or an error: a receipt
	// or a log that is missing or of another block is ErrIncomplete.
	Block(ctx context.Context, ref Ref, contracts []string) (Block, error)
	// Statuses returns one status per txid, in order.
	Statuses(ctx context.Context, txids []string) ([]TxStatus, error)
	// Quote returns a fee that should confirm the plan soon. Plan.Fee is ignored.
	// For account chains it estimates the gas of this very call.
	Quote(ctx context.Context, plan Plan) (Fee, error)
	// Broadcast hands raw bytes to the node. Nil: the node has it (also where it
	// had it before). Any error leaves the outcome UNKNOWN, ErrRefused included.
	Broadcast(ctx context.Context, raw []byte) error
	// Holdings returns the sum that the node confirms at the block asked for.
	Holdings(ctx context.Context, q Holdings) (money.Units, error)
	// NextNonce returns how many transactions of from are in the chain at head.
	// UTXO chains return 0.
	NextNonce(ctx context.Context, from string) (uint64, error)

	// ParseAddress returns the canonical form of an address or ErrAddress with
	// the reason: length, checksum (compulsory), network.
	ParseAddress(s string) (string, error)
	// DeriveAddress returns the address of a key below an account's extended
	// public key (BIP 32, non-hardened: branch, then index).
	DeriveAddress(xpub string, branch, index uint32) (string, error)
	// SelectCoins picks coins that cover payments and fee; UTXO chains only.
	// The same input gives the same selection. ErrFunds where they do not reach.
	SelectCoins(available []Coin, payments []Payment, fee Fee) ([]Coin, error)
	// Build turns a plan into an unsigned transaction. It is pure. ErrPlan where
	// the plan is contradictory, ErrFunds where coins do not reach.
	Build(plan Plan) (Unsigned, error)
	// Decode reads a signed raw transaction.
	Decode(raw []byte) (Signed, error)
	// Dust is the least amount of the native asset that the chain relays.
	Dust() money.Units
}

// Finalizer is implemented by adapters whose chain names a block that cannot be
// replaced any more.
type Finalizer interface {
	// Finalized returns the newest final block, or ErrNoFinality.
	Finalized(ctx context.Context) (Ref, error)
}

// NodeState is how far a node counts among the nodes of its chain.
type NodeState string

// The states of a node.
const (
	NodeOK      NodeState = "ok"
	NodeLagging NodeState = "lagging" // too far behind the others; left out until it caught up
	NodeDown    NodeState = "down"    // it did not answer when it was asked last
	NodeEjected NodeState = "ejected" // it contradicted the others or itself, and does not count
)

// NodeStatus is how one node of a chain is doing.
type NodeStatus struct {
	Name   string    `json:"name"` // host and port; no credentials
	State  NodeState `json:"state"`
	Height uint64    `json:"height"` // the newest head that it told
	Lag    uint64    `json:"lag"`    // blocks behind the others
	Reason string    `json:"reason,omitempty"`
	Agreed uint64    `json:"agreed,omitempty"` // ejected: blocks that it has agreed on since
	Since  time.Time `json:"since"`            // of State
}

// Config says how to reach a chain and which network it must be.
type Config struct {
	Chain    ChainID
	Driver   string   // name in all/: "evm", "bitcoin"
	URL      string   // HTTP JSON-RPC endpoints, separated by commas; user:password@ in one of them is for it alone
	User     string   // Bitcoin family
	Password string   // Bitcoin family
	Expect   Identity // pinned; an adapter answers ErrForeign for any other
	Timeout  time.Duration
	// Nodes is the policy where URL names more than one node.
	Nodes NodePolicy
}

// NodePolicy says when several nodes of a chain agree. Zero values mean the
// defaults of chainadapters/quorum.
type NodePolicy struct {
	Need      int    // how many must agree: more than half; 0 for more than half of those that answer, and at least two
	MaxLag    uint64 // blocks behind the others before a node is left out
	Probation uint64 // blocks that an ejected node must agree on before it counts again
}
