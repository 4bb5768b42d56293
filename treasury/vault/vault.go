package vault

import (
	"errors"
	"fmt"
	"unicode"

	"strongroom/money"
)

// Tier is how fast a vault's keys are at hand, and how much may be lost with them.
type Tier string

// The tiers.
const (
	Hot  Tier = "hot"  // the signer's keys: pays customers by itself within caps
	Warm Tier = "warm" // people approve, keys are online
	Cold Tier = "cold" // people approve, keys have never been online
)

// Known reports whether t is one of the tiers.
func (t Tier) Known() bool {
	switch t {
	case Hot, Warm, Cold:
		return true
	}
	return false
}

// Bounds.
const (
	MaxVaults    = 64     // of one asset
	MaxFlows     = 10_000 // pending at once for one asset
	MaxParts     = 16     // transactions under way to refill or to sweep one hot vault
	MaxProofDays = 366
	maxIDBytes   = 40
	maxKeyBytes  = 4 << 10 // of an address or descriptor
)

// ErrInvalid reports a vault, a flow or terms that contradict themselves. Its text
// names the field and says what would be right.
var ErrInvalid = errors.New("treasury state is not valid")

// Vault is a place that holds one asset on one chain under keys of its own.
type Vault struct {
	ID    string `json:"id"`    // "hot-eth-1", "cold-btc"
	Asset string `json:"asset"` // code
	Chain string `json:"chain"`
	Tier  Tier   `json:"tier"`
	Shard int    `json:"shard,omitempty"` // of a hot vault: hot wallets of an asset are numbered from 0

	// One of them says where it is: an address, or the descriptor that addresses come from.
	Address    string `json:"address,omitempty"`
	Descriptor string `json:"descriptor,omitempty"`

	// Base units. Cap is the most that it should hold; zero is without bound, for cold
	// vaults only. A hot vault is swept above Cap and refilled below Floor, to Target
	// either way. A warm vault is filled by sweeps up to Target. What refills take from
	// a warm or cold vault leaves Floor in it.
	Cap    money.Units `json:"cap"`
	Floor  money.Units `json:"floor"`
	Target money.Units `json:"target"`

	// ProofDays is for how many days a proof of control counts.
	ProofDays int `json:"proofDays"`
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (v *Vault) Check() error {
	if !named(v.ID) {
		return fmt.Errorf("%w: id %.50q: give 1 to 40 lower-case letters, digits and dashes, a letter first", ErrInvalid, v.ID)
	}
	switch {
	case v.Asset == "" || v.Chain == "":
		return v.wrong("asset, chain", "name both")
	case !v.Tier.Known():
		return v.wrong("tier", "hot, warm or cold")
	case v.Shard < 0 || v.Tier != Hot && v.Shard != 0:
		return v.wrong("shard", "only hot vaults are numbered, from 0")
	case (v.Address == "") == (v.Descriptor == "") || !plain(v.Address+v.Descriptor):
		return v.wrong("address, descriptor", "give one of them, in printable ASCII without spaces, at most 4096 characters")
	case v.ProofDays < 1 || v.ProofDays > MaxProofDays:
		return v.wrong("proofDays", "1 to 366")
	}
	return v.checkLevels()
}

func (v *Vault) checkLevels() error {
	switch v.Tier {
	case Hot:
		if !v.Floor.Less(v.Target) || !v.Target.Less(v.Cap) {
			return v.wrong("floor, target, cap", "floor below target below cap, or it would be swept and refilled in turns")
		}
	case Warm:
		if v.Cap.IsZero() || v.Cap.Less(v.Target) || v.Target.Less(v.Floor) {
			return v.wrong("floor, target, cap", "a warm vault has a cap, floor and target within it")
		}
	case Cold:
		if !v.Target.IsZero() {
			return v.wrong("target", "a cold vault has none: it takes what the others may not hold")
		}
		if !v.Cap.IsZero() && v.Cap.Less(v.Floor) {
			return v.wrong("floor, cap", "floor within the cap, or no cap")
		}
	}
	return nil
}

func (v *Vault) wrong(field, right string) error {
	return fmt.Errorf("%w: vault %s: %s: %s", ErrInvalid, v.ID, field, right)
}

// plain reports whether s is what addresses and descriptors are made of.
func plain(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' {
			return false
		}
	}
	return len(s) <= maxKeyBytes
}

// named reports whether s can be a vault's id.
func named(s string) bool {
	for i, r := range s {
		letter, other := r >= 'a' && r <= 'z', r >= '0' && r <= '9' || r == '-'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != "" && len(s) <= maxIDBytes
}
