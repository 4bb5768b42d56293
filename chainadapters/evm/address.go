package evm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters"
)

// addressText is the length of an address with its 0x prefix.
const addressText = 2 + 2*common.AddressLength

// ErrKey reports text that is no extended public key, or a key path below it
// that does not exist.
var ErrKey = errors.New("extended public key cannot be derived from")

// ParseAddress returns s itself where it is an address in EIP-55 mixed-case form
// with a 0x prefix. Everything else is ErrAddress: a checksum is compulsory.
func (a *Adapter) ParseAddress(s string) (string, error) {
	address, err := parseAddress(s)
	if err != nil {
		return "", err
	}
	return address.Hex(), nil
}

func parseAddress(s string) (common.Address, error) {
	switch {
	case len(s) != addressText:
		return common.Address{}, fmt.Errorf("%w: %d characters, wanted %d", chainadapters.ErrAddress, len(s), addressText)
	case !strings.HasPrefix(s, "0x"):
		return common.Address{}, fmt.Errorf("%w: no 0x prefix", chainadapters.ErrAddress)
	case !common.IsHexAddress(s):
		return common.Address{}, fmt.Errorf("%w: not hexadecimal", chainadapters.ErrAddress)
	}
	address := common.HexToAddress(s)
	if address.Hex() != s {
		return common.Address{}, fmt.Errorf("%w: EIP-55 checksum is missing or wrong", chainadapters.ErrAddress)
	}
	return address, nil
}

// DeriveAddress returns the address of key branch/index below an account's
// extended public key (BIP 32, BIP 44). Private keys are refused. Errors wrap
// ErrKey.
func (a *Adapter) DeriveAddress(xpub string, branch, index uint32) (string, error) {
	key, err := hdkeychain.NewKeyFromString(xpub)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if key.IsPrivate() {
		return "", fmt.Errorf("%w: it is a private key", ErrKey)
	}
	for _, child := range []uint32{branch, index} {
		if child >= hdkeychain.HardenedKeyStart {
			return "", fmt.Errorf("%w: index %d is hardened", ErrKey, child)
		}
		if key, err = key.Derive(child); err != nil {
			return "", fmt.Errorf("%w: child %d: %w", ErrKey, child, err)
		}
	}
	public, err := key.ECPubKey()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return crypto.PubkeyToAddress(*public.ToECDSA()).Hex(), nil
}
