package vaultsafe

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Version is the one version of the contracts that is supported.
const Version = "1.4.1"

// Bounds of a vault.
const (
	MinOwners = 2
	MaxOwners = 16
)

const (
	prefix = "safe("
	suffix = ")"
	before = 4 // fields before the owners
)

// ErrDescription reports a text that describes no vault, with what would be right.
var ErrDescription = errors.New("vault description is not valid")

// Vault is a Safe: the contract, and the owners who move what it holds together.
type Vault struct {
	ChainID   uint64
	Version   string
	Address   common.Address
	Threshold int
	Owners    []common.Address // sorted, none twice
}

// Is reports whether a vault's description is that of a Safe.
func Is(description string) bool { return strings.HasPrefix(description, prefix) }

// String is the description of a vault: "safe(1,1.4.1,0x…,2,0x…,0x…,0x…)", that is chain id,
// version, address, how many owners it takes, and the owners, sorted; addresses with their
// checksums (EIP-55).
func (v Vault) String() string {
	fields := []string{strconv.FormatUint(v.ChainID, 10), v.Version, v.Address.Hex(), strconv.Itoa(v.Threshold)}
	for _, owner := range v.Owners {
		fields = append(fields, owner.Hex())
	}
	return prefix + strings.Join(fields, ",") + suffix
}

// Parse reads a description, in the one form that String has. Errors: ErrDescription.
func Parse(description string) (Vault, error) {
	inner, is := strings.CutPrefix(description, prefix)
	inner, ends := strings.CutSuffix(inner, suffix)
	fields := strings.Split(inner, ",")
	if !is || !ends || len(fields) <= before || len(fields) > before+MaxOwners {
		return Vault{}, fmt.Errorf("%w: %.80q: write safe(chain id,version,address,threshold,owners…)", ErrDescription, description)
	}
	chain, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return Vault{}, fmt.Errorf("%w: chain id %.30q", ErrDescription, fields[0])
	}
	threshold, err := strconv.Atoi(fields[3])
	if err != nil {
		return Vault{}, fmt.Errorf("%w: threshold %.30q", ErrDescription, fields[3])
	}
	v := Vault{ChainID: chain, Version: fields[1], Address: common.HexToAddress(fields[2]), Threshold: threshold}
	for _, owner := range fields[before:] {
		v.Owners = append(v.Owners, common.HexToAddress(owner))
	}
	if err := v.check(); err != nil {
		return Vault{}, err
	}
	if v.String() != description {
		return Vault{}, fmt.Errorf("%w: %.80q: write it as %s", ErrDescription, description, v)
	}
	return v, nil
}

func (v Vault) check() error {
	distinct := slices.IsSortedFunc(v.Owners, func(a, b common.Address) int {
		if a == b {
			return -1 // equal is out of order too
		}
		return a.Cmp(b)
	})
	switch {
	case v.ChainID == 0:
		return fmt.Errorf("%w: chain id is 0", ErrDescription)
	case v.Version != Version:
		return fmt.Errorf("%w: version %.20q, and only %s is known", ErrDescription, v.Version, Version)
	case len(v.Owners) < MinOwners || v.Threshold < MinOwners || v.Threshold > len(v.Owners):
		return fmt.Errorf("%w: %d of %d owners: no one person moves a vault", ErrDescription, v.Threshold, len(v.Owners))
	case !distinct:
		return fmt.Errorf("%w: sort the owners, each once", ErrDescription)
	case v.Address == (common.Address{}) || v.Owners[0] == (common.Address{}) || slices.Contains(v.Owners, v.Address):
		return fmt.Errorf("%w: the vault is nowhere, or an owner is nobody or the vault itself", ErrDescription)
	}
	return nil
}
