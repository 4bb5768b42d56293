package cold

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"strongroom/api/strictjson"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/money"
)

// Bounds of a description.
const (
	maxDescription = 1 << 20
	maxKnown       = 10_000
	maxNameBytes   = 64
)

// Kinds of vaults.
const (
	KindMultisig = "multisig" // P2WSH outputs of sorted keys
	KindSafe     = "safe"     // a Safe contract
)

// Description is what the offline machine knows of a vault, and the only thing that
// it believes. The member that Kind names is given.
type Description struct {
	Kind     string          `json:"kind"`
	Name     string          `json:"name"` // of the vault, for people
	Multisig *multisig.Vault `json:"multisig,omitempty"`
	Safe     *Safe           `json:"safe,omitempty"`
	// Known are addresses and how to call them; whatever else is paid to is shown as
	// without a name.
	Known []Known `json:"known,omitempty"`
	// MaxFee is the most that a transaction of coins may leave to miners, in base
	// units. It is zero for a Safe, which pays nobody for gas.
	MaxFee money.Units `json:"maxFee,omitzero"`
}

// Known is an address that has a name.
type Known struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// ParseDescription reads a description, strictly: no unknown, doubled or otherwise
// spelled member. Errors wrap ErrDescription and name the field.
func ParseDescription(text []byte) (*Description, error) {
	var d Description
	if err := strictJSON(text, maxDescription, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	return &d, nil
}

func (d *Description) check() error {
	if err := checkName(d.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	switch d.Kind {
	case KindMultisig:
		if d.Multisig == nil || d.Safe != nil {
			return errors.New("multisig: is missing: give network, k and keys, and no other kind's")
		}
		if d.MaxFee.IsZero() {
			return errors.New("maxFee: is missing: say in base units what a transaction may cost at most")
		}
	case KindSafe:
		if d.Safe == nil || d.Multisig != nil {
			return errors.New("safe: is missing: give chainId, address, version, threshold and owners, and no other kind's")
		}
		if !d.MaxFee.IsZero() {
			return errors.New("maxFee: a Safe pays no fee: leave it out")
		}
	default:
		return fmt.Errorf("kind: %.20q: must be %q or %q", d.Kind, KindMultisig, KindSafe)
	}
	return checkKnown(d.Known)
}

func checkKnown(known []Known) error {
	if len(known) > maxKnown {
		return fmt.Errorf("known: %d addresses, at most %d", len(known), maxKnown)
	}
	for i, k := range known {
		if err := checkName(k.Name); err != nil {
			return fmt.Errorf("known[%d].name: %w", i, err)
		}
	}
	return nil
}

// checkName makes sure that a name cannot pass for anything else on a screen.
func checkName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("%.80q is not 1 to %d characters", name, maxNameBytes)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%.80q has characters other than plain ones", name)
	}
	return nil
}

// strictJSON reads one JSON value without unknown, doubled or otherwise spelled
// members.
func strictJSON(text []byte, limit int, into any) error {
	if len(text) > limit {
		return fmt.Errorf("%d bytes, at most %d", len(text), limit)
	}
	if err := strictjson.Check(text, strictjson.ShapeOf(reflect.TypeOf(into))); err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("a member does not hold what it should: %w", err)
	}
	return nil
}
