package assets

import (
	"fmt"
	"slices"
)

// Trait is how a token departs from what is expected of one. An operator sets
// traits when the asset is listed; they decide what may be done with it.
type Trait string

// The traits.
const (
	// FeeOnTransfer: the token keeps part of each transfer. What is credited is what
	// arrived. It is neither collected nor paid out, because both would bring less
	// than they book: such an asset is never listed for withdrawals.
	FeeOnTransfer Trait = "fee_on_transfer"
	// Rebasing: balances change without transfers, so that the book and the chain
	// drift apart. It is not listed for deposits, unless RebasingAccepted.
	Rebasing Trait = "rebasing"
	// RebasingAccepted: an operator takes that drift upon the house.
	RebasingAccepted Trait = "rebasing_accepted"
	// Pausable: somebody can stop all transfers, or those of one holder. It is
	// credited as any other; customers are shown that it may get stuck.
	Pausable Trait = "pausable"
)

// Has reports whether the asset has a trait.
func (a Asset) Has(t Trait) bool { return slices.Contains(a.Traits, t) }

// validateTraits reports a trait that is unknown or repeated, that a native asset
// cannot have, or that forbids the listing state.
func (a Asset) validateTraits() error {
	if err := a.knownTraits(); err != nil {
		return err
	}
	switch {
	case a.Native && len(a.Traits) > 0:
		return fmt.Errorf("%w: %q: traits: a native asset has none", ErrInvalid, a.Code)
	case a.Has(RebasingAccepted) && !a.Has(Rebasing):
		return fmt.Errorf("%w: %q: traits: rebasing_accepted without rebasing", ErrInvalid, a.Code)
	case a.Has(Rebasing) && !a.Has(RebasingAccepted) && a.State != Suspended:
		return fmt.Errorf("%w: %q: state: a rebasing token is suspended unless rebasing_accepted", ErrInvalid, a.Code)
	case a.Has(FeeOnTransfer) && a.Pays():
		return fmt.Errorf("%w: %q: state: a token that keeps a fee is not paid out", ErrInvalid, a.Code)
	}
	return nil
}

func (a Asset) knownTraits() error {
	known := []Trait{FeeOnTransfer, Rebasing, RebasingAccepted, Pausable}
	for i, t := range a.Traits {
		if !slices.Contains(known, t) || slices.Contains(a.Traits[:i], t) {
			return fmt.Errorf("%w: %q: traits: %.20q is unknown or appears twice", ErrInvalid, a.Code, string(t))
		}
	}
	return nil
}
