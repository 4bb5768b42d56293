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
	Ethereum devstack.RPC
}

// Faucet pays. It is safe for concurrent use; two faucets on one node get into
// each other's way now and then, and say so.
type Faucet struct {
	cfg      Config
	payer    *ecdsa.PrivateKey
	deployer *ecdsa.PrivateKey
	btcKey   *btcec.PrivateKey
	btcSite  site

	evm    sync.Mutex // one nonce at a time
	wallet wallet
}

// Sent is a payment that was handed to a node.
type Sent struct {
	Chain string // "bitcoin-regtest" or "ethereum-dev"
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
	ethereumChain = "ethereum-dev"

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
	key, err := derive(hardened+84, hardened+1, hardened, 0, 0)
	if err != nil {
		return nil, err
	}
	place, err := siteOf(key)
	if err != nil {
		return nil, err
	}
	return &Faucet{cfg: cfg, payer: payer, deployer: deployer, btcKey: key, btcSite: place, wallet: newWallet()}, nil
}

// MiningAddress is the faucet's Bitcoin address: development mines to it.
func MiningAddress() (string, error) {
	key, err := derive(hardened+84, hardened+1, hardened, 0, 0)
	if err != nil {
		return "", err
	}
	place, err := siteOf(key)
	return place.address, err
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
	if s.Chain == bitcoinChain {
		return f.bitcoinMined(ctx, s)
	}
	return f.ethereumMined(ctx, s)
}

// resend hands the same bytes over again. That the node has them, or has mined
// them meanwhile, is no failure: the next look decides.
func (f *Faucet) resend(ctx context.Context, s Sent) error {
	call := f.cfg.Ethereum.Call
	method := "eth_sendRawTransaction"
	if s.Chain == bitcoinChain {
		call, method = f.cfg.Bitcoin.Call, "sendrawtransaction"
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
