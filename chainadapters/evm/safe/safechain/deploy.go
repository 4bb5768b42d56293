package safechain

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/contracts"
)

// deployerCode creates a contract that makes others by CREATE2 out of calldata: 32 bytes of
// salt, then the code that creates. It gives back the address, and fails where nothing was
// made. 11 bytes put the 37 behind them on the chain.
const deployerCode = "0x602580600b6000396000f3" +
	"602036038060206000376000359060006000f5801560205760005260206000f35b600080fd"

// developmentSeed makes the key of the deployer of development. Everybody knows it: it makes
// one contract, on each fresh chain the same one, and has nothing else to say.
const developmentSeed = "strongroom: deployer of vaults on development chains"

// deployerFunds is what its one transaction may cost, in wei.
const deployerFunds = 10_000_000_000_000_000

func developmentKey() (*ecdsa.PrivateKey, error) {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(developmentSeed)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeploy, err)
	}
	return key, nil
}

// Development is the set of development chains, where nobody has deployed the canonical
// one: other addresses, which bind the same code.
func Development() safe.Set {
	key, _ := developmentKey() // of a constant: TestDevelopment
	return safe.SetOf(crypto.CreateAddress(crypto.PubkeyToAddress(key.PublicKey), 0))
}

// part is a contract of a set: where it is, what it is in npm, and the hash of its code.
type part struct {
	at         common.Address
	name, code string
}

func parts(set safe.Set) []part {
	return []part{
		{set.Singleton, "Safe", safe.SingletonCode},
		{set.Factory, "SafeProxyFactory", safe.FactoryCode},
		{set.FallbackHandler, "CompatibilityFallbackHandler", safe.FallbackHandlerCode},
		{set.MultiSend, "MultiSendCallOnly", safe.MultiSendCode},
	}
}

// DeployCanonical puts Safe's published contracts on a development chain by transactions of
// key, which has some ether, and waits for them; what is there already is left. The set is
// Development, and its code was compared with what was published. Somebody makes blocks
// meanwhile. Errors: ErrDeploy, ErrState, else the node's.
func DeployCanonical(ctx context.Context, node Node, key *ecdsa.PrivateKey) (safe.Set, error) {
	set := Development()
	s, err := newSender(ctx, node, key)
	if err != nil {
		return safe.Set{}, err
	}
	if err := s.deployer(set.Deployer); err != nil {
		return safe.Set{}, err
	}
	for _, p := range parts(set) {
		there, err := s.hasCode(p.at)
		if err != nil {
			return safe.Set{}, err
		}
		if there {
			continue
		}
		artifact, err := contracts.Safe(p.name)
		if err != nil {
			return safe.Set{}, fmt.Errorf("%w: %w", ErrDeploy, err)
		}
		if err := s.send(&set.Deployer, nil, append(make([]byte, wordBytes), artifact.Code...)); err != nil {
			return safe.Set{}, fmt.Errorf("deploy %s: %w", p.name, err)
		}
	}
	if err := s.wait(); err != nil {
		return safe.Set{}, err
	}
	return set, CheckSet(ctx, node, set)
}

// deployer makes sure that there is the contract that makes the others.
func (s *sender) deployer(at common.Address) error {
	there, err := s.hasCode(at)
	if err != nil || there {
		return err
	}
	key, err := developmentKey()
	if err != nil {
		return err
	}
	from := crypto.PubkeyToAddress(key.PublicKey)
	if err := s.sendAndWait(&from, big.NewInt(deployerFunds), nil); err != nil {
		return err
	}
	first, err := newSender(s.ctx, s.node, key)
	if err != nil {
		return err
	}
	return first.sendAndWait(nil, nil, common.FromHex(deployerCode))
}
