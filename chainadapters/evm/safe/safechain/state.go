package safechain

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
)

// Where the contract keeps what has no function to ask for it: slot 0 has the singleton,
// the others are keccak-256 of "guard_manager.guard.address" and
// "fallback_manager.handler.address".
const (
	singletonSlot = "0x0"
	guardSlot     = "0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8"
	fallbackSlot  = "0x6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5"
)

const (
	wordBytes  = 32
	maxModules = 10 // none is right: some are enough to say so
)

// State is what a vault is on the chain, all at one block.
type State struct {
	Block         uint64
	BlockHash     common.Hash
	ChainID       uint64
	Nonce         uint64 // of the vault's next transaction
	Threshold     uint64
	Owners        []common.Address // ascending
	Guard         common.Address   // zero: none
	Fallback      common.Address   // zero: none
	Modules       []common.Address // at most 10
	ProxyCode     common.Hash      // keccak-256 of the vault's own code
	Singleton     common.Address
	SingletonCode common.Hash // keccak-256 of the code that the vault runs
}

// Read reads what a vault is, at the newest block. Errors: ErrState where there is no vault
// of the version that is understood (its code is compared first: a foreign contract could
// answer anything), else the node's.
func Read(ctx context.Context, node Node, v safe.Vault) (State, error) {
	r, err := newReader(ctx, node, v.Address)
	if err != nil {
		return State{}, err
	}
	s := State{Block: uint64(r.head.Number), BlockHash: r.head.Hash}
	var chain hexutil.Uint64
	r.ask(&chain, "eth_chainId")
	s.ChainID = uint64(chain)
	s.ProxyCode, s.Singleton = r.code(v.Address), r.slot(singletonSlot)
	s.SingletonCode = r.code(s.Singleton)
	if r.err == nil && (s.ProxyCode != common.HexToHash(safe.ProxyCode) || s.SingletonCode != common.HexToHash(safe.SingletonCode)) {
		return s, fmt.Errorf("%w: %s is no Safe %s: its code is %s, and that of singleton %s is %s",
			ErrState, v.Address, safe.Version, s.ProxyCode, s.Singleton, s.SingletonCode)
	}
	s.Guard, s.Fallback = r.slot(guardSlot), r.slot(fallbackSlot)
	s.Nonce, s.Threshold = r.count("nonce()"), r.count("getThreshold()")
	s.Owners = r.list("getOwners()", nil, safe.MaxOwners*4)
	s.Modules = r.list("getModulesPaginated(address,uint256)",
		append(common.LeftPadBytes([]byte{1}, wordBytes), common.LeftPadBytes([]byte{maxModules}, wordBytes)...), maxModules)
	slices.SortFunc(s.Owners, common.Address.Cmp)
	return s, r.err
}

// Compare says what of a vault is not as described: chain, owners, threshold, guard (none
// is right), modules (none is right), fallback handler (the set's, or none). Errors:
// ErrDrift, with all that differs.
func Compare(v safe.Vault, s State, set safe.Set) error {
	var wrong []string
	differs := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	differs(s.ChainID != v.ChainID, "the chain is %d and not %d", s.ChainID, v.ChainID)
	differs(s.ProxyCode != common.HexToHash(safe.ProxyCode), "its own code is %s", s.ProxyCode)
	differs(s.SingletonCode != common.HexToHash(safe.SingletonCode), "the code of its singleton %s is %s", s.Singleton, s.SingletonCode)
	differs(s.Singleton != set.Singleton, "its singleton is %s and not %s", s.Singleton, set.Singleton)
	differs(!slices.Equal(s.Owners, v.Owners), "owners are %v and not %v", s.Owners, v.Owners)
	differs(s.Threshold != uint64(v.Threshold), "it takes %d owners and not %d", s.Threshold, v.Threshold) //nolint:gosec // small
	differs(s.Guard != common.Address{}, "it has guard %s", s.Guard)
	differs(len(s.Modules) != 0, "it has modules %v", s.Modules)
	differs(s.Fallback != common.Address{} && s.Fallback != set.FallbackHandler, "its fallback handler is %s", s.Fallback)
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: %s", ErrDrift, v.Address, joined(wrong))
}

func joined(parts []string) string {
	var b bytes.Buffer
	for i, part := range parts {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// CheckSet makes sure that the contracts of a set are on the chain, with the code that was
// published. Errors: ErrState, else the node's.
func CheckSet(ctx context.Context, node Node, set safe.Set) error {
	r, err := newReader(ctx, node, set.Singleton)
	if err != nil {
		return err
	}
	for _, c := range parts(set) {
		if code := r.code(c.at); r.err == nil && code != common.HexToHash(c.code) {
			return fmt.Errorf("%w: code of %s at %s is %s and not %s", ErrState, c.name, c.at, code, c.code)
		}
	}
	return r.err
}

// reader asks about one contract at one block, until something fails.
type reader struct {
	ctx  context.Context //nolint:containedctx // lives for one Read
	node Node
	at   common.Address
	head struct {
		Number hexutil.Uint64 `json:"number"`
		Hash   common.Hash    `json:"hash"`
	}
	err error
}

func newReader(ctx context.Context, node Node, at common.Address) (*reader, error) {
	r := &reader{ctx: ctx, node: node, at: at}
	r.ask(&r.head, "eth_getBlockByNumber", "latest", false)
	if r.err == nil && r.head.Hash == (common.Hash{}) {
		r.err = fmt.Errorf("%w: the node has no newest block", ErrState)
	}
	return r, r.err
}

func (r *reader) ask(result any, method string, params ...any) {
	if r.err != nil {
		return
	}
	if err := r.node.Call(r.ctx, result, method, params...); err != nil {
		r.err = fmt.Errorf("ask node about vault %s: %w", r.at, err)
	}
}

// block names the one block (EIP-1898).
func (r *reader) block() map[string]any { return map[string]any{"blockHash": r.head.Hash} }

// code is the hash of the code at an address; of nothing where there is none.
func (r *reader) code(at common.Address) common.Hash {
	var code hexutil.Bytes
	r.ask(&code, "eth_getCode", at, r.block())
	return crypto.Keccak256Hash(code)
}

func (r *reader) slot(slot string) common.Address {
	var word common.Hash
	r.ask(&word, "eth_getStorageAt", r.at, slot, r.block())
	return common.BytesToAddress(word[:])
}

func (r *reader) call(signature string, args []byte) []byte {
	var answer hexutil.Bytes
	data := join(selector(signature), args)
	r.ask(&answer, "eth_call", map[string]any{"to": r.at, "data": hexutil.Bytes(data)}, r.block())
	return answer
}

func (r *reader) count(signature string) uint64 {
	answer := r.call(signature, nil)
	n := new(big.Int).SetBytes(answer)
	if r.err == nil && (len(answer) != wordBytes || !n.IsUint64()) {
		r.err = fmt.Errorf("%w: %s: %s answers %d bytes", ErrState, r.at, signature, len(answer))
	}
	return n.Uint64()
}

// list reads an array of addresses that the first word of the answer points at.
func (r *reader) list(signature string, args []byte, most int) []common.Address {
	answer := r.call(signature, args)
	number := func(at int) (int, bool) {
		if at < 0 || at+wordBytes > len(answer) {
			return 0, false
		}
		n := new(big.Int).SetBytes(answer[at : at+wordBytes])
		return int(n.Int64()), n.IsInt64() && n.Int64() <= int64(len(answer))
	}
	if r.err != nil {
		return nil
	}
	start, ok := number(0)
	length, counted := number(start)
	if !ok || !counted || length > most || start+wordBytes+length*wordBytes > len(answer) {
		r.err = fmt.Errorf("%w: %s: %s answers no list", ErrState, r.at, signature)
		return nil
	}
	var all []common.Address
	for i := range length {
		word := answer[start+wordBytes+i*wordBytes:][:wordBytes]
		all = append(all, common.BytesToAddress(word))
	}
	return all
}
