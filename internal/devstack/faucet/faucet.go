// Package faucet plays the outside world on the development chains: it holds
// coins and pays them to whoever asks. Its keys are derived from a phrase that
// everybody knows; they exist on no other network.
package faucet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/tyler-smith/go-bip39"

	"strongroom/internal/devstack"
)

// Config says which nodes the faucet pays through.
type Config struct {
	Bitcoin  devstack.RPC
	Litecoin devstack.RPC
	Ethereum devstack.RPC
}

// Faucet pays. It is safe for concurrent use; two faucets on one node get into
// each other's way now and then, and say so.
type Faucet struct {
	cfg      Config
	payer    *ecdsa.PrivateKey
	deployer *ecdsa.PrivateKey
	bitcoin  *purse
	litecoin *purse

	evm sync.Mutex // one nonce at a time
}

// Sent is a payment that was handed to a node.
type Sent struct {
	Chain string // "bitcoin-regtest", "litecoin-regtest" or "ethereum-dev"
	TxID  string

	raw string
}

// Errors of the faucet.
var (
	// ErrDry reports that the faucet has not enough mature coins.
	ErrDry = errors.New("faucet is dry")
	// ErrFailed reports a transaction that was mined and did nothing.
	ErrFailed = errors.New("transaction failed on chain")
)

// The keys' places: Ethereum's are the node's own development accounts, Bitcoin's
// is the first BIP 84 address of the same phrase.
const (
	bitcoinChain  = "bitcoin-regtest"
	litecoinChain = "litecoin-regtest"
	ethereumChain = "ethereum-dev"

	bitcoinNetwork  = "regtest"
	litecoinNetwork = "litecoin-regtest"

	hardened      = hdkeychain.HardenedKeyStart
	payerIndex    = 0
	deployerIndex = 9

	resendEvery = 400 * time.Millisecond
)

// New derives the keys.
func New(cfg Config) (*Faucet, error) {
	payer, err := ethereumKey(payerIndex)
	if err != nil {
		return nil, err
	}
	deployer, err := ethereumKey(deployerIndex)
	if err != nil {
		return nil, err
	}
	coins, err := newPurse(bitcoinChain, bitcoinNetwork, cfg.Bitcoin)
	if err != nil {
		return nil, err
	}
	lite, err := newPurse(litecoinChain, litecoinNetwork, cfg.Litecoin)
	if err != nil {
		return nil, err
	}
	return &Faucet{cfg: cfg, payer: payer, deployer: deployer, bitcoin: coins, litecoin: lite}, nil
}

// MiningAddress is the faucet's Bitcoin address: development mines to it.
func MiningAddress() (string, error) { return miningAddress(bitcoinChain, bitcoinNetwork) }

// LitecoinMiningAddress is the same on Litecoin.
func LitecoinMiningAddress() (string, error) { return miningAddress(litecoinChain, litecoinNetwork) }

func miningAddress(chain, name string) (string, error) {
	p, err := newPurse(chain, name, devstack.RPC{})
	if err != nil {
		return "", err
	}
	return p.site.address, nil
}

// Await returns when the payment is in a block, handing it to the node again as
// long as it is not: a node that was killed forgets its pool.
func (f *Faucet) Await(ctx context.Context, s Sent) error {
	for {
		mined, err := f.mined(ctx, s)
		if err == nil && mined {
			return nil
		}
		if errors.Is(err, ErrFailed) {
			return err
		}
		if err == nil {
			err = f.resend(ctx, s)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", s.TxID, errors.Join(ctx.Err(), err))
		case <-time.After(resendEvery): //nolint:forbidigo // waits for another process
		}
	}
}

func (f *Faucet) mined(ctx context.Context, s Sent) (bool, error) {
	if p := f.purse(s.Chain); p != nil {
		return p.mined(ctx, s)
	}
	return f.ethereumMined(ctx, s)
}

// purse returns the purse on a chain of the Bitcoin family; nil for another chain.
func (f *Faucet) purse(chain string) *purse {
	for _, p := range []*purse{f.bitcoin, f.litecoin} {
		if p.chain == chain {
			return p
		}
	}
	return nil
}

// resend hands the same bytes over again. That the node has them, or has mined
// them meanwhile, is no failure: the next look decides.
func (f *Faucet) resend(ctx context.Context, s Sent) error {
	call := f.cfg.Ethereum.Call
	method := "eth_sendRawTransaction"
	if p := f.purse(s.Chain); p != nil {
		call, method = p.rpc.Call, "sendrawtransaction"
	}
	err := call(ctx, nil, method, s.raw)
	if _, ok := errors.AsType[*devstack.RPCError](err); ok {
		return nil
	}
	if err != nil {
		return fmt.Errorf("resend: %w", err)
	}
	return nil
}

func ethereumKey(index uint32) (*ecdsa.PrivateKey, error) {
	key, err := derive(hardened+44, hardened+60, hardened, 0, index)
	if err != nil {
		return nil, err
	}
	return key.ToECDSA(), nil
}

// derive returns a key of the development phrase.
func derive(path ...uint32) (*btcec.PrivateKey, error) {
	seed := bip39.NewSeed(devstack.AnvilMnemonic, "")
	key, err := hdkeychain.NewMaster(seed, &chaincfg.RegressionNetParams)
	if err != nil {
		return nil, fmt.Errorf("derive master key: %w", err)
	}
	for _, child := range path {
		if key, err = key.Derive(child); err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
	}
	private, err := key.ECPrivKey()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	return private, nil
}
