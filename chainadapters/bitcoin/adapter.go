// Package bitcoin is the chain adapter for Bitcoin and its family: native
// segregated witness keys (BIP 84), PSBTs (BIP 174), replaceable transactions
// (BIP 125). It speaks the JSON-RPC of Bitcoin Core and of btcd, both with a
// transaction index. Blocks are read raw and checked against their hash and
// Merkle root, so that a node cannot leave anything out. It holds no keys and
// keeps no wallet in the node.
package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

var _ chainadapters.Adapter = (*Adapter)(nil)

// ErrConfig reports a Config that cannot work.
var ErrConfig = errors.New("bitcoin adapter is not configured")

// Adapter is one network seen through one node. It is safe for concurrent use.
type Adapter struct {
	rpc    *client
	params network.Params
	expect chainadapters.Identity
	pinned atomic.Bool // the node was seen on the expected network
}

// New returns an adapter for the network that cfg.Expect names, as Bitcoin Core
// or btcd names it ("main", "regtest"). An empty genesis is filled in from the
// network's parameters; another one than theirs is taken as told, and no node of
// that network will match. New does not contact the node. Errors wrap ErrConfig.
func New(cfg chainadapters.Config) (*Adapter, error) {
	endpoint, err := url.Parse(cfg.URL)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "http" && endpoint.Scheme != "https") {
		return nil, fmt.Errorf("%w: URL of %s is not http or https", ErrConfig, cfg.Chain)
	}
	params, known := network.ByName(cfg.Expect.Network)
	if !known {
		return nil, fmt.Errorf("%w: network %.40q of %s is unknown", ErrConfig, cfg.Expect.Network, cfg.Chain)
	}
	genesis := cfg.Expect.Genesis
	if genesis == "" {
		genesis = params.Genesis
	}
	if _, err := parseHash(genesis); err != nil {
		return nil, fmt.Errorf("%w: genesis of %s: %w", ErrConfig, cfg.Chain, err)
	}
	return &Adapter{
		rpc: newClient(cfg), params: params,
		expect: chainadapters.Identity{Network: params.Name, Genesis: genesis},
	}, nil
}

// Family returns UTXO.
func (a *Adapter) Family() chainadapters.Family { return chainadapters.UTXO }

// NextNonce returns 0: coins order themselves.
func (a *Adapter) NextNonce(context.Context, string) (uint64, error) { return 0, nil }

// Dust returns what the costliest standard output needs to be relayed.
func (a *Adapter) Dust() money.Units { return money.FromUint64(a.params.Dust) }

// ParseAddress implements the port for P2PKH, P2SH, P2WPKH, P2WSH and P2TR.
// Witness versions without rules are refused: any miner could take what is sent
// there.
func (a *Adapter) ParseAddress(s string) (string, error) {
	canonical, err := a.params.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", chainadapters.ErrAddress, err)
	}
	return canonical, nil
}

// DeriveAddress returns the P2WPKH address of branch and index below an account
// key (BIP 84).
func (a *Adapter) DeriveAddress(xpub string, branch, index uint32) (string, error) {
	address, err := a.params.Derive(xpub, branch, index)
	if err != nil {
		return "", fmt.Errorf("derive address: %w", err)
	}
	return address, nil
}

// Identity asks the node which network it is on. Where that is not the expected
// one, it returns what it found together with ErrForeign.
func (a *Adapter) Identity(ctx context.Context) (chainadapters.Identity, error) {
	info, err := must[struct {
		Chain string `json:"chain"`
	}](ctx, a.rpc, "getblockchaininfo")
	if err != nil {
		return chainadapters.Identity{}, fmt.Errorf("read network: %w", err)
	}
	genesis, err := must[string](ctx, a.rpc, "getblockhash", 0)
	if err != nil {
		return chainadapters.Identity{}, fmt.Errorf("read genesis: %w", err)
	}
	found := chainadapters.Identity{Network: info.Chain, Genesis: genesis}
	if info.Chain == a.params.Alias {
		found.Network = a.params.Name
	}
	if found != a.expect {
		a.pinned.Store(false)
		return found, fmt.Errorf("%w: expected %s with genesis %s, found %s with %s", chainadapters.ErrForeign,
			a.expect.Network, a.expect.Genesis, found.Network, found.Genesis)
	}
	a.pinned.Store(true)
	return found, nil
}

// ensure makes sure that the node was once seen on the expected network. Head,
// which every follower of the chain asks first, looks again each time.
func (a *Adapter) ensure(ctx context.Context) error {
	if a.pinned.Load() {
		return nil
	}
	_, err := a.Identity(ctx)
	return err
}

func parseHash(s string) (chainhash.Hash, error) {
	if len(s) != chainhash.MaxHashStringSize {
		return chainhash.Hash{}, fmt.Errorf("%w: not a hash of 64 digits: %.70q", errHash, s)
	}
	h, err := chainhash.NewHashFromStr(s)
	if err != nil || h.String() != s {
		return chainhash.Hash{}, fmt.Errorf("%w: not a hash in lower case: %.70q", errHash, s)
	}
	return *h, nil
}

var (
	errHash  = errors.New("malformed hash")
	errTx    = errors.New("malformed transaction")
	errBlock = fmt.Errorf("block: %w", chainadapters.ErrForged)
)
