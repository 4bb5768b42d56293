package signer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
)

// Bounds of a treasury's configuration.
const (
	maxVaults      = 1024
	maxPolicyDelay = 30 * 24 * time.Hour
)

// Treasury says by whose consent the signer signs. It is configuration: whoever asks for
// signatures cannot change it. Roster, policy and allow-lists come by Submit, the first
// policy by consent of as many officers as sign rosters. Until there is a roster and a
// policy in force, nothing is signed.
type Treasury struct {
	// Environment names the installation: consent given in another one never counts.
	Environment string `json:"environment"`
	// Officers are the offline keys that sign rosters.
	Officers consent.Officers `json:"officers"`
	// Vaults are the addresses of the house that none of the signer's keys is behind.
	// Sweeps go there, and nowhere else; refills come from those that are Safes.
	Vaults []VaultAddress `json:"vaults,omitempty"`
	// PolicyDelay is how many seconds before it is in force another policy has to be here.
	PolicyDelay int64 `json:"policyDelay,omitempty"`
}

// VaultAddress is an address of a warm or cold vault.
type VaultAddress struct {
	Chain   string `json:"chain"`
	Address string `json:"address"`
	// Safe says that it is a Safe contract: the hot wallet sends calls of it by which it
	// refills the hot wallet, and no others.
	Safe bool `json:"safe,omitempty"`
}

// ParseTreasury reads a treasury's configuration from JSON. Unknown members and anything
// after the object are refused. Whether it fits the signer's policy, New says. Errors
// wrap ErrPolicy.
func ParseTreasury(raw []byte) (*Treasury, error) {
	if len(raw) > maxPolicyBytes {
		return nil, fmt.Errorf("%w: treasury of %d bytes", ErrPolicy, len(raw))
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var t Treasury
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("%w: treasury: %w", ErrPolicy, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: treasury: something follows the object", ErrPolicy)
	}
	return &t, t.check()
}

func (t *Treasury) check() error {
	if t.Environment == "" || len(t.Environment) > meant.MaxTextBytes {
		return fmt.Errorf("%w: treasury: environment: name the installation", ErrPolicy)
	}
	if err := t.Officers.Check(); err != nil {
		return fmt.Errorf("%w: treasury: officers: %w", ErrPolicy, err)
	}
	if t.PolicyDelay < 0 || t.PolicyDelay > int64(maxPolicyDelay/time.Second) {
		return fmt.Errorf("%w: treasury: policyDelay: %d, give 0 to %d seconds", ErrPolicy, t.PolicyDelay, int64(maxPolicyDelay/time.Second))
	}
	if len(t.Vaults) > maxVaults {
		return fmt.Errorf("%w: treasury: vaults: there are %d, at most %d", ErrPolicy, len(t.Vaults), maxVaults)
	}
	return nil
}

// vaultPlaces lists the vaults by chain and place.
func (t *Treasury) vaultPlaces(chains map[string]chain) (map[string]VaultAddress, error) {
	places := map[string]VaultAddress{}
	for _, v := range t.Vaults {
		c, known := chains[v.Chain]
		if !known {
			return nil, fmt.Errorf("%w: treasury: vaults: %.70q is on no chain of the policy", ErrPolicy, v.Chain)
		}
		place, err := c.place(v.Address)
		if err != nil {
			return nil, fmt.Errorf("%w: treasury: vaults: %w", ErrPolicy, err)
		}
		if _, evm := c.(*evmChain); v.Safe && !evm {
			return nil, fmt.Errorf("%w: treasury: vaults: there are no Safe contracts on %.70q", ErrPolicy, v.Chain)
		}
		places[placeKey(v.Chain, place)] = v
	}
	return places, nil
}

func placeKey(chain, place string) string { return chain + "/" + place }

// genesis implements chain.
func (c *evmChain) genesis() string { return strconv.FormatUint(c.policy.ChainID, 10) }

// genesis implements chain.
func (c *bitcoinChain) genesis() string { return c.params.Genesis }

// place implements chain.
func (c *evmChain) place(address string) (string, error) {
	a, err := parseEVMAddress(address)
	return hex.EncodeToString(a[:]), err
}

// place implements chain.
func (c *bitcoinChain) place(address string) (string, error) {
	script, err := c.params.Script(address)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return hex.EncodeToString(script), nil
}
