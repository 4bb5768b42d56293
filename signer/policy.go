package signer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// Families in a policy file.
const (
	familyEVM     = "evm"
	familyBitcoin = "bitcoin"
)

// Bounds of a policy.
const (
	maxPolicyBytes = 1 << 20
	maxChains      = 64
	maxAssets      = 1024
)

// Policy is the signer's own configuration: which chains and assets exist, and
// how much may leave. Whoever asks for signatures cannot change it.
type Policy struct {
	Chains []Chain `json:"chains"`
	Assets []Asset `json:"assets"`
}

// Chain is one chain that the signer signs for.
type Chain struct {
	// Name is the platform's name of the chain, such as "ethereum-dev".
	Name string `json:"name"`
	// Family is "evm" or "bitcoin".
	Family string `json:"family"`
	// ChainID is the EIP-155 chain id (EVM).
	ChainID uint64 `json:"chainId,omitempty"`
	// Network is the network's name as the node calls it (Bitcoin family).
	Network string `json:"network,omitempty"`
	// FeeCeiling is the most that any transaction may pay for itself, in native
	// base units, whatever the request allows.
	FeeCeiling money.Units `json:"feeCeiling"`
	// FeePerHour and FeePerDay bound what all intents of the chain together may
	// pay, in native base units; an intent counts with its highest bid. Zero is 100
	// and 500 times FeeCeiling.
	FeePerHour money.Units `json:"feePerHour"`
	FeePerDay  money.Units `json:"feePerDay"`
}

// Bounds of fees in a window where a policy sets none, in times the ceiling.
const (
	hourOfCeilings = 100
	dayOfCeilings  = 500
)

// feeLimit returns a window's bound, or as many ceilings as it has by default.
func (c Chain) feeLimit(set money.Units, ceilings uint64) (money.Units, error) {
	if !set.IsZero() {
		return set, nil
	}
	limit, err := c.FeeCeiling.Mul(ceilings)
	if err != nil {
		return limit, fmt.Errorf("%w: fee ceiling of %s: %w", ErrPolicy, c.Name, err)
	}
	return limit, nil
}

// Asset is one asset on one chain with its caps.
type Asset struct {
	Code  string `json:"code"`
	Chain string `json:"chain"`
	// Contract is the token's contract; empty for the native asset.
	Contract string `json:"contract,omitempty"`
	// Withdrawal caps what leaves the house.
	Withdrawal Caps `json:"withdrawal"`
	// GasTopUp caps what moves to deposit addresses; native assets only. Zero
	// allows none.
	GasTopUp Caps `json:"gasTopUp"`
}

// Caps bounds what may be signed, in base units; zero allows nothing. The
// windows slide: the hour and the day that end now.
type Caps struct {
	PerTransaction money.Units `json:"perTransaction"`
	PerHour        money.Units `json:"perHour"`
	PerDay         money.Units `json:"perDay"`
}

// ParsePolicy reads a policy from JSON and checks it. Unknown members and
// anything after the object are refused. Errors wrap ErrPolicy.
func ParsePolicy(raw []byte) (Policy, error) {
	if len(raw) > maxPolicyBytes {
		return Policy{}, fmt.Errorf("%w: %d bytes", ErrPolicy, len(raw))
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var p Policy
	if err := decoder.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Policy{}, fmt.Errorf("%w: something follows the object", ErrPolicy)
	}
	return p, p.check()
}

func (p Policy) check() error {
	if len(p.Chains) == 0 || len(p.Chains) > maxChains || len(p.Assets) > maxAssets {
		return fmt.Errorf("%w: %d chains, %d assets", ErrPolicy, len(p.Chains), len(p.Assets))
	}
	chains := make(map[string]Chain, len(p.Chains))
	for _, c := range p.Chains {
		if _, twice := chains[c.Name]; twice {
			return fmt.Errorf("%w: chain %s is listed twice", ErrPolicy, c.Name)
		}
		if err := c.check(); err != nil {
			return err
		}
		chains[c.Name] = c
	}
	codes := make(map[string]bool, len(p.Assets))
	contracts := make(map[string]bool, len(p.Assets))
	for _, a := range p.Assets {
		chain, known := chains[a.Chain]
		if !known {
			return fmt.Errorf("%w: asset %s is on unknown chain %q", ErrPolicy, a.Code, a.Chain)
		}
		where := a.Chain + "/" + strings.ToLower(a.Contract)
		if codes[a.Code] || contracts[where] {
			return fmt.Errorf("%w: asset %s or its contract is listed twice", ErrPolicy, a.Code)
		}
		if err := a.check(chain); err != nil {
			return err
		}
		codes[a.Code], contracts[where] = true, true
	}
	return nil
}

func (c Chain) check() error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`).MatchString(c.Name) {
		return fmt.Errorf("%w: chain name %.70q", ErrPolicy, c.Name)
	}
	switch c.Family {
	case familyEVM:
		if c.ChainID == 0 || c.Network != "" {
			return fmt.Errorf("%w: chain %s needs chainId and no network", ErrPolicy, c.Name)
		}
	case familyBitcoin:
		if _, known := network.ByName(c.Network); !known || c.ChainID != 0 {
			return fmt.Errorf("%w: chain %s needs a known network and no chainId", ErrPolicy, c.Name)
		}
	default:
		return fmt.Errorf("%w: chain %s is of unknown family %q", ErrPolicy, c.Name, c.Family)
	}
	if c.FeeCeiling.IsZero() {
		return fmt.Errorf("%w: chain %s has no fee ceiling", ErrPolicy, c.Name)
	}
	if _, err := c.feeLimit(c.FeePerHour, hourOfCeilings); err != nil {
		return err
	}
	_, err := c.feeLimit(c.FeePerDay, dayOfCeilings)
	return err
}

func (a Asset) check(chain Chain) error {
	if !regexp.MustCompile(`^[A-Z][A-Z0-9]{0,15}$`).MatchString(a.Code) {
		return fmt.Errorf("%w: asset code %.20q", ErrPolicy, a.Code)
	}
	if a.Contract == "" {
		return nil
	}
	if chain.Family != familyEVM {
		return fmt.Errorf("%w: asset %s has a contract on %s", ErrPolicy, a.Code, chain.Name)
	}
	if !a.GasTopUp.PerTransaction.IsZero() {
		return fmt.Errorf("%w: asset %s is a token and pays no gas", ErrPolicy, a.Code)
	}
	if _, err := parseEVMAddress(a.Contract); err != nil {
		return fmt.Errorf("%w: contract of %s: %w", ErrPolicy, a.Code, err)
	}
	return nil
}
