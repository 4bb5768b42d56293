package safe

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Version is the only version of the contracts that is understood.
const Version = "1.4.1"

// Bounds of a vault: one person never moves it alone.
const (
	MinOwners = 2
	MaxOwners = 16
)

// Vault is what is believed of a Safe: it comes out of trusted configuration, and what
// comes with a transaction must equal it.
type Vault struct {
	ChainID   uint64
	Address   common.Address
	Version   string           // "1.4.1"
	Owners    []common.Address // ascending, none twice
	Threshold int              // how many of them it takes
}

// Check says what is wrong with a vault. Errors wrap ErrVault.
func (v Vault) Check() error {
	sentinel := common.BigToAddress(big.NewInt(1)) // of the contract's own lists
	switch {
	case v.ChainID == 0:
		return fmt.Errorf("%w: chain id is 0", ErrVault)
	case v.Version != Version:
		return fmt.Errorf("%w: version %.20q, and only %s is known", ErrVault, v.Version, Version)
	case len(v.Owners) > MaxOwners:
		return fmt.Errorf("%w: %d owners, at most %d", ErrVault, len(v.Owners), MaxOwners)
	case v.Threshold < MinOwners || v.Threshold > len(v.Owners):
		return fmt.Errorf("%w: %d of %d owners, and it takes at least %d of them", ErrVault, v.Threshold, len(v.Owners), MinOwners)
	case !ascending(v.Owners):
		return fmt.Errorf("%w: owners are not ascending, each once", ErrVault)
	case v.Address == (common.Address{}) || slices.Contains(v.Owners, v.Address):
		return fmt.Errorf("%w: it is nowhere, or owns itself", ErrVault)
	case slices.Contains(v.Owners, common.Address{}) || slices.Contains(v.Owners, sentinel):
		return fmt.Errorf("%w: an owner is nobody", ErrVault)
	}
	return nil
}

// ascending reports whether each address is greater than the one before.
func ascending(owners []common.Address) bool {
	for i := 1; i < len(owners); i++ {
		if owners[i].Cmp(owners[i-1]) <= 0 {
			return false
		}
	}
	return true
}

// Equal reports whether two vaults are the same in everything.
func (v Vault) Equal(other Vault) bool {
	return v.ChainID == other.ChainID && v.Address == other.Address && v.Version == other.Version &&
		v.Threshold == other.Threshold && slices.Equal(v.Owners, other.Owners)
}

// Code hashes (keccak-256 of the code on the chain) of version 1.4.1, as published in npm
// @safe-global/safe-deployments 1.37.63, dist/assets/v1.4.1; ProxyCode, which is not in
// there, is that of npm @safe-global/safe-contracts 1.4.1.
const (
	SingletonCode       = "0x1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4"
	FactoryCode         = "0x50c3cdc4074750a7a974204a716c999edd37482f907608d960b2b025ee0b3317"
	FallbackHandlerCode = "0x7c6007a5d711cea8dfd5d91f5940ec29c7f200fe511eb1fc1397b367af3c42f9"
	MultiSendCode       = "0xecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939"
	ProxyCode           = "0xd7d408ebcd99b2b70be43e20253d6d92a8ea8fab29bd3be7f55b10032331fb4c"
)

// Hashes of the code that creates them, from npm @safe-global/safe-contracts 1.4.1. A
// contract that a deployer made by CREATE2 from such code can have no other code.
const (
	singletonCreation       = "0xbdd9e3833a8bdf0f6b4312e07bc851afc298d53690a00a28cade5de8b6ac0f36"
	factoryCreation         = "0x596f87ec561ad5ea1c13253af5c91247a713253499b74a5d594537cae42eaaa9"
	fallbackHandlerCreation = "0x5a63128db658d8601220c014848acd6c27b855a0427f0181eb3ba8c25e2d3e95"
	multiSendCreation       = "0xa7934433f19155c708af2674b14c6c8b591fedbed7b01ce8cf64014f307468a0"
)

// canonicalDeployer deploys Safe's contracts on public chains (Safe singleton factory).
const canonicalDeployer = "0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7"

// Set is where the contracts are that vaults are made of and with.
type Set struct {
	Deployer        common.Address // makes contracts by CREATE2
	Singleton       common.Address // the code of every vault
	Factory         common.Address // creates vaults
	FallbackHandler common.Address
	MultiSend       common.Address // MultiSendCallOnly: several calls as one
}

// Canonical is the set of public chains.
func Canonical() Set { return SetOf(common.HexToAddress(canonicalDeployer)) }

// SetOf is the set that a deployer makes with salt 0. Its addresses bind the code:
// somebody without network knows what code is there, if there is any.
func SetOf(deployer common.Address) Set {
	at := func(creation string) common.Address {
		return crypto.CreateAddress2(deployer, [32]byte{}, common.HexToHash(creation).Bytes())
	}
	return Set{
		Deployer: deployer, Singleton: at(singletonCreation), Factory: at(factoryCreation),
		FallbackHandler: at(fallbackHandlerCreation), MultiSend: at(multiSendCreation),
	}
}

// has reports whether an address is one of the set's: money sent there is lost.
func (s Set) has(a common.Address) bool {
	return a == s.Deployer || a == s.Singleton || a == s.Factory || a == s.FallbackHandler || a == s.MultiSend
}
