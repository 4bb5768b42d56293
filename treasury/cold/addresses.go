package cold

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// checkedAddress reads an address of a chain with accounts, which has its checksum
// (EIP-55): a slip of a person is noticed.
func checkedAddress(text string) (common.Address, error) {
	a := common.HexToAddress(text)
	if a.Hex() != text {
		return common.Address{}, fmt.Errorf("%.60q is not an address with its checksum", text)
	}
	return a, nil
}

// namesOf reads addresses with names, each once.
func namesOf(field string, list []Known) (map[common.Address]string, error) {
	names := make(map[common.Address]string, len(list))
	for i, k := range list {
		at, err := checkedAddress(k.Address)
		if err != nil {
			return nil, fmt.Errorf("%s[%d].address: %w", field, i, err)
		}
		if err := checkName(k.Name); err != nil {
			return nil, fmt.Errorf("%s[%d].name: %w", field, i, err)
		}
		if other, twice := names[at]; twice {
			return nil, fmt.Errorf("%s[%d].address: %s is %s already", field, i, at, other)
		}
		names[at] = k.Name
	}
	return names, nil
}

func sortAddresses(list []common.Address) { slices.SortFunc(list, common.Address.Cmp) }

func sortedKeys[T any](m map[common.Address]T) []common.Address {
	keys := slices.Collect(maps.Keys(m))
	sortAddresses(keys)
	return keys
}
