package people

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
	"strongroom/money"
	"strongroom/treasury/cold"
	"strongroom/treasury/setup"
	"strongroom/treasury/vault"
	"strongroom/treasury/vaultsafe"
)

// account is an asset on a chain of accounts. All of them have one vault.
type account struct {
	asset, large              string // from here on a withdrawal takes people
	cap, target, floor, least string // of the hot wallet, and what is worth a move
	fee                       string // of one move, where the asset pays it
}

// accountChain is the one that they are on.
const (
	accountChain   = "ethereum-dev"
	accountChainID = 31337
)

func accounts() []account {
	const ether, gwei, usdc = "000000000000000000", "000000000", "000000"
	return []account{
		{"ETH", "25" + ether, "40" + ether, "30" + ether, "5" + ether, "1" + ether, "10000000" + gwei},
		{"USDC", "50000" + usdc, "150000" + usdc, "100000" + usdc, "10000" + usdc, "1000" + usdc, "0"},
	}
}

// Owners are the addresses of the people's cold keys on chains with accounts, sorted: the
// owners of the vault there. Keys that are missing are drawn.
func (c *Config) Owners() ([]string, error) {
	var owners []string
	for _, p := range persons() {
		key, err := c.coldKey(p.id)
		if err != nil {
			return nil, err
		}
		owner, err := key.Owner()
		if err != nil {
			return nil, fmt.Errorf("key of %s: %w", p.id, err)
		}
		owners = append(owners, owner)
	}
	slices.SortFunc(owners, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return owners, nil
}

// Threshold is how many owners move what is in a vault.
const Threshold = k

// safe adds the vault of the chain with accounts, where there is one.
func (c *Config) safe(house *setup.File, signer *signerFile) error {
	if c.Safe == "" {
		return nil
	}
	owners, err := c.Owners()
	if err != nil {
		return err
	}
	is := safe.Vault{ChainID: accountChainID, Address: common.HexToAddress(c.Safe), Version: safe.Version, Threshold: Threshold}
	for _, owner := range owners {
		is.Owners = append(is.Owners, common.HexToAddress(owner))
	}
	if err := is.Check(); err != nil {
		return fmt.Errorf("vault of %s: %w", accountChain, err)
	}
	if err := c.describeSafe(&is); err != nil {
		return err
	}
	house.Deployers = map[string]string{accountChain: c.SafeDeployer}
	signer.Vaults = append(signer.Vaults, place{accountChain, is.Address.Hex(), true})
	for _, a := range accounts() {
		var u [5]money.Units
		for i, text := range []string{a.cap, a.target, a.floor, a.least, a.fee} {
			if u[i], err = money.ParseUnits(text); err != nil {
				return fmt.Errorf("levels of %s: %w", a.asset, err)
			}
		}
		house.Moves[a.asset] = setup.Moves{Fee: u[4], FeeShare: feeShare, Least: u[3]}
		house.Vaults = append(house.Vaults,
			vault.Vault{
				ID: "hot-" + strings.ToLower(a.asset), Asset: a.asset, Chain: accountChain, Tier: vault.Hot, Address: "signer",
				Cap: u[0], Target: u[1], Floor: u[2], ProofDays: 30,
			},
			vault.Vault{ID: "cold-" + strings.ToLower(a.asset), Asset: a.asset, Chain: accountChain, Tier: vault.Cold, Descriptor: vaultsafe.Describe(is), ProofDays: 90})
	}
	return nil
}

// describeSafe writes what its owners know of the vault on machines without network.
func (c *Config) describeSafe(is *safe.Vault) error {
	d := cold.Description{Kind: cold.KindSafe, Name: "cold-eth", Safe: &cold.Safe{
		ChainID: is.ChainID, Address: is.Address.Hex(), Version: is.Version, Threshold: is.Threshold, Deployer: c.SafeDeployer,
	}}
	if c.Token != "" {
		d.Safe.Tokens = []cold.Token{{Symbol: "USDC", Address: c.Token, Decimals: 6}}
	}
	for _, p := range persons() {
		key, err := c.coldKey(p.id)
		if err != nil {
			return err
		}
		owner, err := key.Owner()
		if err != nil {
			return fmt.Errorf("key of %s: %w", p.id, err)
		}
		d.Safe.Owners = append(d.Safe.Owners, cold.Known{Name: p.id, Address: owner})
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("describe vault: %w", err)
	}
	return write(VaultFile(c.Dir, "ETH"), append(text, '\n'))
}
