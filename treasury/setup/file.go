package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"strongroom/money"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/policy"
	"strongroom/treasury/vault"
)

// ErrFile reports a configuration that cannot be used, with the member.
var ErrFile = errors.New("treasury file is not valid")

const maxBytes = 1 << 20

// File is the configuration.
type File struct {
	// Officers are the offline keys that sign rosters.
	Officers consent.Officers `json:"officers"`
	// PolicyLock is the least time between a policy's proposal and when it counts.
	PolicyLock policy.Span `json:"policyLock"`
	// AddressWait is how long an allowed address cools down, AlikeWait one that resembles
	// another.
	AddressWait policy.Span `json:"addressWait"`
	AlikeWait   policy.Span `json:"alikeWait"`
	// FirstPolicy and FirstRoster are files with what is in force at first, relative to
	// this one.
	FirstPolicy string `json:"firstPolicy"`
	FirstRoster string `json:"firstRoster"`
	// MaxFees is the most that one payment may cost, by chain, in native base units.
	MaxFees map[string]money.Units `json:"maxFees"`
	// Moves are what sweeps and refills keep to, by asset. An asset without is not moved.
	Moves  map[string]Moves `json:"moves"`
	Vaults []vault.Vault    `json:"vaults"`
	// Notices are told to a webhook; where it is left out to the log.
	Notices *Notices `json:"notices,omitempty"`
	// Deployers are who deployed the contracts that Safes are made of, by chain, where that
	// is not who did on public chains.
	Deployers map[string]string `json:"deployers,omitempty"`
}

// Notices say where people are told what waits for them.
type Notices struct {
	URL        string `json:"url"`        // https, or http on this machine
	SecretFile string `json:"secretFile"` // relative to this file; at least 16 bytes
}

// Moves are vault.Terms, in base units.
type Moves struct {
	Limit    money.Units `json:"limit"` // the most that one transaction moves; zero: no limit
	Fee      money.Units `json:"fee"`   // the most that it costs, where the asset pays fees
	FeeShare uint64      `json:"feeShare"`
	Least    money.Units `json:"least"`
}

// Terms are what planners take.
func (m Moves) Terms() vault.Terms {
	return vault.Terms{Limit: m.Limit, Fee: m.Fee, FeeShare: m.FeeShare, Least: m.Least}
}

// Parse reads the JSON of a file: known members, nothing after it. Errors: ErrFile.
func Parse(text []byte) (*File, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrFile, len(text), maxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f File
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", ErrFile)
	}
	return &f, f.Check()
}

// Check reports what contradicts itself. Errors: ErrFile.
func (f *File) Check() error {
	if err := f.Officers.Check(); err != nil {
		return fmt.Errorf("%w: officers: %w", ErrFile, err)
	}
	if f.PolicyLock <= 0 || f.FirstPolicy == "" || f.FirstRoster == "" {
		return fmt.Errorf("%w: policyLock, firstPolicy, firstRoster: give all of them", ErrFile)
	}
	if err := f.Addresses().Check(); err != nil {
		return fmt.Errorf("%w: addressWait, alikeWait: %w", ErrFile, err)
	}
	for asset, m := range f.Moves {
		if err := m.Terms().Check(); err != nil {
			return fmt.Errorf("%w: moves: %s: %w", ErrFile, asset, err)
		}
	}
	return f.checkVaults()
}

// addressLength is that of an address of a chain with accounts, as text.
const addressLength = 42

func (f *File) checkVaults() error {
	for chain, deployer := range f.Deployers {
		if len(deployer) != addressLength || deployer[:2] != "0x" {
			return fmt.Errorf("%w: deployers: %s: %.60q is no address", ErrFile, chain, deployer)
		}
	}
	seen := map[string]bool{}
	for i := range f.Vaults {
		v := &f.Vaults[i]
		if err := v.Check(); err != nil {
			return fmt.Errorf("%w: vaults: %w", ErrFile, err)
		}
		if _, fee := f.MaxFees[v.Chain]; seen[v.ID] || !fee {
			return fmt.Errorf("%w: vaults: %s is there twice, or maxFees lacks its chain", ErrFile, v.ID)
		}
		seen[v.ID] = true
	}
	return nil
}

// Addresses are the terms of address books.
func (f *File) Addresses() addressbook.Terms {
	return addressbook.Terms{Wait: time.Duration(f.AddressWait), AlikeWait: time.Duration(f.AlikeWait)}
}
