package people

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/money"
	"strongroom/treasury/cold"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/setup"
	"strongroom/treasury/vault"
)

// The files of the folder.
const (
	rosterFile = "roster.json"
	policyFile = "policy.json"
	// HouseFile is what the platform's processes read, SignerFile what the signer does.
	HouseFile  = "treasury.json"
	SignerFile = "signer.json"
)

// coin is a chain of coins with a vault of its own.
type coin struct {
	asset, chain, network string
	large                 uint64 // from here on a withdrawal takes people
	cap, target, floor    uint64 // of the hot wallet
	fee                   uint64
}

func coins() []coin {
	const whole = 100_000_000
	return []coin{
		{"BTC", "bitcoin-regtest", "regtest", whole * 15 / 100, 4 * whole, 3 * whole, whole / 2, 5_000_000},
		{"LTC", "litecoin-regtest", "litecoin-regtest", 500 * whole, 400 * whole, 300 * whole, 50 * whole, 5_000_000},
	}
}

// feeShare is how much of a move its fee may be, in basis points.
const feeShare = 100

// workFactor is enough for passphrases as long as the key: stretching adds nothing.
const workFactor = 10

// VaultFile describes a vault for `strongroom cold`; ColdKey and ColdPassphrase are a
// person's key of all vaults.
func VaultFile(dir, asset string) string {
	return filepath.Join(dir, "vaults", "cold-"+strings.ToLower(asset)+".json")
}

// ColdKey is the file of a person's seed.
func ColdKey(dir, person string) string { return filepath.Join(dir, person, "cold.age") }

// ColdPassphrase is the file of what opens it.
func ColdPassphrase(dir, person string) string { return filepath.Join(dir, person, "cold.pass") }

// vaults makes the cold vaults: two of the three people move what is in them.
func (c *Config) vaults() error {
	for _, coin := range coins() {
		_, err := once(VaultFile(c.Dir, coin.asset), func() ([]byte, error) {
			v := multisig.Vault{Network: coin.network, K: k}
			for _, p := range persons() {
				key, err := c.coldKey(p.id)
				if err != nil {
					return nil, err
				}
				cosigner, err := key.Cosigner(coin.network)
				if err != nil {
					return nil, fmt.Errorf("key of %s: %w", p.id, err)
				}
				cosigner.Name = p.id
				v.Keys = append(v.Keys, cosigner)
			}
			text, err := json.MarshalIndent(cold.Description{
				Kind: cold.KindMultisig, Name: "cold-" + strings.ToLower(coin.asset), Multisig: &v, MaxFee: money.FromUint64(coin.fee),
			}, "", "  ")
			if err != nil {
				return nil, fmt.Errorf("describe vault: %w", err)
			}
			return text, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) coldKey(person string) (*cold.Key, error) {
	pass, err := once(ColdPassphrase(c.Dir, person), func() ([]byte, error) {
		drawn := make([]byte, 32)
		if _, err := rand.Read(drawn); err != nil {
			return nil, fmt.Errorf("draw passphrase: %w", err)
		}
		return []byte(hex.EncodeToString(drawn)), nil
	})
	if err != nil {
		return nil, err
	}
	sealed, err := once(ColdKey(c.Dir, person), func() ([]byte, error) {
		_, sealed, err := cold.NewKey(rand.Reader, string(pass), workFactor)
		return sealed, err
	})
	if err != nil {
		return nil, err
	}
	key, err := cold.OpenKey(sealed, string(pass))
	if err != nil {
		return nil, fmt.Errorf("open key of %s: %w", person, err)
	}
	return key, nil
}

// policy writes the first policy: what stays in the house passes, small withdrawals too,
// all else takes people.
func (c *Config) policy() error {
	_, err := once(filepath.Join(c.Dir, policyFile), func() ([]byte, error) {
		return firstPolicy(c.Environment, c.Clock().Add(-time.Minute)).Canonical()
	})
	return err
}

// smallOnes is how many withdrawals may pass a day that are as large as one that needs
// people, together.
const smallOnes = 100

func firstPolicy(environment string, from time.Time) *policy.Policy {
	two := consent.Requirement{Group: "treasury", Count: 2}
	withOfficer := consent.Requirement{All: []consent.Requirement{two, {Group: consent.OfficersGroup, Count: 1}}}
	day := policy.Span(24 * time.Hour)
	quorum := func(name string, r consent.Requirement, actions ...intent.Action) policy.Rule {
		return policy.Rule{Name: name, When: policy.Condition{Actions: actions}, Outcome: policy.Quorum, Requirement: &r, Lives: day}
	}
	rules := []policy.Rule{{
		Name: "within-the-house", Note: "Sweeps pay the house's own addresses, as the signer is configured with them.",
		When:    policy.Condition{Actions: []intent.Action{intent.Sweep}, Destinations: []policy.Class{policy.Own}},
		Outcome: policy.Allow,
	}}
	large := map[string]string{}
	for _, account := range accounts() {
		large[account.asset] = account.large
	}
	for _, coin := range coins() {
		large[coin.asset] = money.FromUint64(coin.large).String()
	}
	for _, asset := range []string{"BTC", "ETH", "LTC", "USDC"} {
		below, err := money.ParseUnits(large[asset])
		together, tooMuch := below.Mul(smallOnes)
		if err != nil || tooMuch != nil {
			continue // written above
		}
		rules = append(rules, policy.Rule{
			Name: "small-" + strings.ToLower(asset), Outcome: policy.Allow,
			When: policy.Condition{
				Actions: []intent.Action{intent.Withdrawal}, Assets: []string{asset}, Amount: policy.Range{Below: below},
				Sums: []policy.Sum{{Per: policy.House, Window: day, Range: policy.Range{Below: together}}},
			},
		})
	}
	rules = append(rules,
		quorum("large", two, intent.Withdrawal),
		quorum("out-of-vaults", withOfficer, intent.ColdSpend, intent.Refill),
		quorum("addresses", consent.Requirement{Group: "treasury", Count: 1}, intent.Allow),
		quorum("drills", consent.Requirement{Group: "treasury", Count: 1}, intent.KeyDrill),
		quorum("rules", withOfficer, intent.Policy, intent.Roster))
	return &policy.Policy{Environment: environment, Version: 1, NotBefore: from.Unix(), Layers: []policy.Layer{{Name: "base", Rules: rules}}}
}

// place is a vault as the signer knows it.
type place struct {
	Chain   string `json:"chain"`
	Address string `json:"address"`
	Safe    bool   `json:"safe,omitempty"`
}

// signerFile is what the signer reads.
type signerFile struct {
	Environment string           `json:"environment"`
	Officers    consent.Officers `json:"officers"`
	Vaults      []place          `json:"vaults,omitempty"`
}

// files writes the configurations of the platform and of the signer.
func (c *Config) files(officers consent.Officers) error {
	house := setup.File{
		Officers: officers, PolicyLock: policy.Span(time.Hour), AddressWait: policy.Span(time.Minute), AlikeWait: policy.Span(5 * time.Minute),
		FirstPolicy: policyFile, FirstRoster: rosterFile, MaxFees: map[string]money.Units{accountChain: money.FromUint64(100_000_000_000_000_000)},
		Moves: map[string]setup.Moves{},
	}
	signer := signerFile{Environment: c.Environment, Officers: officers}
	for _, coin := range coins() {
		descriptor, address, err := c.placeOf(coin)
		if err != nil {
			return err
		}
		u := money.FromUint64
		house.MaxFees[coin.chain] = u(coin.fee)
		house.Moves[coin.asset] = setup.Moves{Fee: u(coin.fee / 100), FeeShare: feeShare, Least: u(coin.fee)}
		house.Vaults = append(house.Vaults,
			vault.Vault{
				ID: "hot-" + strings.ToLower(coin.asset), Asset: coin.asset, Chain: coin.chain, Tier: vault.Hot, Address: "signer",
				Cap: u(coin.cap), Target: u(coin.target), Floor: u(coin.floor), ProofDays: 30,
			},
			vault.Vault{ID: "cold-" + strings.ToLower(coin.asset), Asset: coin.asset, Chain: coin.chain, Tier: vault.Cold, Descriptor: descriptor, ProofDays: 90})
		signer.Vaults = append(signer.Vaults, place{coin.chain, address, false})
	}
	if err := c.safe(&house, &signer); err != nil {
		return err
	}
	for name, content := range map[string]any{HouseFile: house, SignerFile: signer} {
		text, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if err := write(filepath.Join(c.Dir, name), append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// placeOf is where a vault is paid.
func (c *Config) placeOf(coin coin) (descriptor, address string, err error) {
	text, err := os.ReadFile(VaultFile(c.Dir, coin.asset))
	if err != nil {
		return "", "", fmt.Errorf("read vault: %w", err)
	}
	d, err := cold.ParseDescription(text)
	if err != nil {
		return "", "", fmt.Errorf("vault of %s: %w", coin.asset, err)
	}
	w, err := multisig.Open(*d.Multisig)
	if err != nil {
		return "", "", fmt.Errorf("vault of %s: %w", coin.asset, err)
	}
	if descriptor, err = w.Descriptor(multisig.Receive); err != nil {
		return "", "", fmt.Errorf("vault of %s: %w", coin.asset, err)
	}
	address, err = w.Address(multisig.Receive, 0)
	if err != nil {
		return "", "", fmt.Errorf("vault of %s: %w", coin.asset, err)
	}
	return descriptor, address, nil
}
