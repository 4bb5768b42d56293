package vaultsafe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
)

const (
	prefix = "safe("
	suffix = ")"
	before = 4 // fields before the owners
)

// ErrDescription reports a text that describes no vault, with what would be right.
var ErrDescription = errors.New("vault description is not valid")

// Is reports whether a vault's description is that of a Safe.
func Is(description string) bool { return strings.HasPrefix(description, prefix) }

// Describe is the description of a vault: "safe(1,1.4.1,0x…,2,0x…,0x…,0x…)", that is chain
// id, version, address, how many owners it takes, and the owners, ascending; addresses with
// their checksums (EIP-55).
func Describe(v safe.Vault) string {
	fields := []string{strconv.FormatUint(v.ChainID, 10), v.Version, v.Address.Hex(), strconv.Itoa(v.Threshold)}
	for _, owner := range v.Owners {
		fields = append(fields, owner.Hex())
	}
	return prefix + strings.Join(fields, ",") + suffix
}

// Parse reads a description, in the one form that Describe gives. Errors: ErrDescription.
func Parse(description string) (safe.Vault, error) {
	inner, is := strings.CutPrefix(description, prefix)
	inner, ends := strings.CutSuffix(inner, suffix)
	fields := strings.Split(inner, ",")
	if !is || !ends || len(fields) <= before || len(fields) > before+safe.MaxOwners {
		return safe.Vault{}, fmt.Errorf("%w: %.80q: write safe(chain id,version,address,threshold,owners…)", ErrDescription, description)
	}
	chain, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return safe.Vault{}, fmt.Errorf("%w: chain id %.30q", ErrDescription, fields[0])
	}
	threshold, err := strconv.Atoi(fields[3])
	if err != nil {
		return safe.Vault{}, fmt.Errorf("%w: threshold %.30q", ErrDescription, fields[3])
	}
	v := safe.Vault{ChainID: chain, Version: fields[1], Address: common.HexToAddress(fields[2]), Threshold: threshold}
	for _, owner := range fields[before:] {
		v.Owners = append(v.Owners, common.HexToAddress(owner))
	}
	if err := v.Check(); err != nil {
		return safe.Vault{}, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	if again := Describe(v); again != description {
		return safe.Vault{}, fmt.Errorf("%w: %.80q: write it as %s", ErrDescription, description, again)
	}
	return v, nil
}
