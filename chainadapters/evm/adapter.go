// Package evm is the chain adapter for Ethereum and chains that speak its
// JSON-RPC: the native asset and ERC-20 tokens, EIP-1559 transactions. It reads
// by block hash wherever the node lets it, cross-checks what belongs together,
// and reports any gap as an error, never as an empty block. It holds no key,
// keeps no nonce of its own and follows no subscription.
package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
	"strongroom/money"
)

var _ chainadapters.Adapter = (*Adapter)(nil)

// ErrConfig reports a Config that cannot work.
var ErrConfig = errors.New("evm adapter configuration")

// Adapter is one EVM network seen through one node. It is safe for concurrent
// use.
type Adapter struct {
	rpc     *client
	chainID *big.Int
	expect  chainadapters.Identity
	genesis common.Hash

	mu       sync.Mutex // guards what follows
	pinned   bool
	pinnedAt uint64 // number of connections made when the identity was checked
	top      uint64 // greatest height that the node has shown
	mute     bool   // the node that was seen to be ours has no tracer
}

// New returns an adapter that works only with the network of cfg.Expect: the
// decimal chain id and the genesis hash. It does not contact the node. A zero
// Timeout means ten seconds for each request. Errors wrap ErrConfig.
func New(cfg chainadapters.Config) (*Adapter, error) {
	endpoint, err := url.Parse(cfg.URL)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "http" && endpoint.Scheme != "https") {
		return nil, fmt.Errorf("%w: URL of %s is not http or https", ErrConfig, cfg.Chain)
	}
	id, err := money.ParseUnits(cfg.Expect.Network)
	if err != nil || id.IsZero() {
		return nil, fmt.Errorf("%w: network of %s is not a decimal chain id: %.40q", ErrConfig, cfg.Chain, cfg.Expect.Network)
	}
	genesis, err := parseHash(cfg.Expect.Genesis)
	if err != nil {
		return nil, fmt.Errorf("%w: genesis of %s: %w", ErrConfig, cfg.Chain, err)
	}
	return &Adapter{
		rpc:     newClient(cfg.URL, cfg.Timeout),
		chainID: id.Big(),
		expect:  chainadapters.Identity{Network: cfg.Expect.Network, Genesis: hashText(genesis)},
		genesis: genesis,
	}, nil
}

// Family returns Account.
func (a *Adapter) Family() chainadapters.Family { return chainadapters.Account }

// Dust returns one wei: an EVM chain relays any amount.
func (a *Adapter) Dust() money.Units { return money.FromUint64(1) }

// SelectCoins always fails with ErrPlan: an account chain has no coins.
func (a *Adapter) SelectCoins([]chainadapters.Coin, []chainadapters.Payment, chainadapters.Fee) ([]chainadapters.Coin, error) {
	return nil, fmt.Errorf("%w: an account chain has no coins", chainadapters.ErrPlan)
}

// Identity asks the node which network it is on. Where that is not the expected
// one, it returns what it found together with ErrForeign.
func (a *Adapter) Identity(ctx context.Context) (chainadapters.Identity, error) {
	made := a.rpc.connections.Load()
	chain, err := ask[hexutil.Big](ctx, a.rpc, "eth_chainId")
	if err != nil {
		return chainadapters.Identity{}, fmt.Errorf("read chain id: %w", err)
	}
	if chain == nil {
		return chainadapters.Identity{}, fmt.Errorf("read chain id: %w: null", chainadapters.ErrIncomplete)
	}
	block, err := a.headerByNumber(ctx, hexutil.EncodeUint64(0))
	if err != nil {
		return chainadapters.Identity{}, fmt.Errorf("read genesis: %w", err)
	}
	found := chainadapters.Identity{Network: chain.ToInt().String(), Genesis: block.Hash}
	if found != a.expect || block.Height != 0 {
		a.unpin()
		return found, fmt.Errorf("%w: expected chain id %s with genesis %s, found %s with %s",
			chainadapters.ErrForeign, a.expect.Network, a.expect.Genesis, found.Network, found.Genesis)
	}
	a.pin(made)
	return found, nil
}

// pin remembers that the node was seen to be ours. The check itself may have
// made one connection; any further one was made by somebody else meanwhile and
// is to be checked again.
func (a *Adapter) pin(madeBefore uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pinned, a.pinnedAt = true, min(madeBefore+1, a.rpc.connections.Load())
	a.mute = false // it may be another node: it is asked again
}

func (a *Adapter) unpin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pinned = false
}

func (a *Adapter) isPinned() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pinned && a.pinnedAt == a.rpc.connections.Load()
}

// ensure checks the identity where it has not been checked over the connections
// that are in use.
func (a *Adapter) ensure(ctx context.Context) error {
	if a.isPinned() {
		return nil
	}
	_, err := a.Identity(ctx)
	return err
}

// onOurs runs read against the node of the expected network. Where a connection
// was made meanwhile, what was read counts only if the network is still ours.
func onOurs[T any](ctx context.Context, a *Adapter, read func() (T, error)) (T, error) {
	var none T
	if err := a.ensure(ctx); err != nil {
		return none, err
	}
	value, err := read()
	if err != nil {
		return none, err
	}
	if err := a.ensure(ctx); err != nil {
		return none, err
	}
	return value, nil
}

// parseHash reads 32 bytes in 0x-prefixed hexadecimal.
func parseHash(s string) (common.Hash, error) {
	data, err := hexutil.Decode(s)
	if err != nil || len(data) != common.HashLength {
		return common.Hash{}, fmt.Errorf("not a 32-byte hash: %.80q", s)
	}
	return common.BytesToHash(data), nil
}

// hashText is the form in which hashes leave this package.
func hashText(h common.Hash) string { return strings.ToLower(h.Hex()) }
