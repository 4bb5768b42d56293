package vault

import (
	"fmt"
	"time"

	"strongroom/money"
)

// Stage is how far a pending flow has come.
type Stage string

// The stages. All of them count: what is proposed is promised too.
const (
	Proposed Stage = "proposed" // waits for people; can be taken back
	Signed   Stage = "signed"
	Sent     Stage = "sent" // until it is final
)

// Flow is one transaction that has not ended: into a vault, out of it, or from one to
// another.
type Flow struct {
	ID     string      `json:"id"`
	From   string      `json:"from,omitempty"` // vault; empty: from outside
	To     string      `json:"to,omitempty"`   // vault; empty: to outside
	Amount money.Units `json:"amount"`
	Fee    money.Units `json:"fee"` // the most that From pays beside Amount, in units of this asset
	Stage  Stage       `json:"stage"`
}

// Holding is a vault and what is in it.
type Holding struct {
	Vault Vault       `json:"vault"`
	Final money.Units `json:"final"` // on chain beyond doubt, with all that is about to leave

	// Of hot vaults: withdrawals that this one will pay and that are not signed yet, each
	// with the most that its fee may be. Approved is the part that waits for nobody.
	Open     money.Units `json:"open"`
	Approved money.Units `json:"approved"`
}

// Proof says that somebody proved control over a vault's keys: a drill, or a payment
// out of it that became final.
type Proof struct {
	Vault string `json:"vault"`
	At    int64  `json:"at"` // Unix seconds
}

// State is all that a plan for one asset on one chain is made of.
type State struct {
	Asset    money.Asset `json:"asset"`
	Chain    string      `json:"chain"`
	Terms    Terms       `json:"terms"`
	Holdings []Holding   `json:"holdings"`
	Flows    []Flow      `json:"flows"`
	Proofs   []Proof     `json:"proofs"`
	Now      time.Time   `json:"now"`
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (s *State) Check() error {
	if len(s.Holdings) > MaxVaults || len(s.Flows) > MaxFlows {
		return fmt.Errorf("%w: %d vaults and %d flows: at most %d and %d", ErrInvalid, len(s.Holdings), len(s.Flows), MaxVaults, MaxFlows)
	}
	if err := s.Terms.Check(); err != nil {
		return err
	}
	known, shards := map[string]bool{}, map[int]bool{}
	for i := range s.Holdings {
		h := &s.Holdings[i]
		if err := s.checkHolding(h); err != nil {
			return err
		}
		if known[h.Vault.ID] {
			return h.Vault.wrong("id", "it is there twice")
		}
		if h.Vault.Tier == Hot && shards[h.Vault.Shard] {
			return h.Vault.wrong("shard", "another hot vault has that number")
		}
		known[h.Vault.ID], shards[h.Vault.Shard] = true, shards[h.Vault.Shard] || h.Vault.Tier == Hot
	}
	return s.checkFlows(known)
}

func (s *State) checkHolding(h *Holding) error {
	if err := h.Vault.Check(); err != nil {
		return err
	}
	switch {
	case h.Vault.Asset != s.Asset.Code || h.Vault.Chain != s.Chain:
		return h.Vault.wrong("asset, chain", fmt.Sprintf("this is about %s on %s", s.Asset.Code, s.Chain))
	case h.Open.Less(h.Approved):
		return h.Vault.wrong("approved", "it is part of open")
	case h.Vault.Tier != Hot && !h.Open.IsZero():
		return h.Vault.wrong("open", "withdrawals are paid by hot vaults")
	}
	return nil
}

func (s *State) checkFlows(known map[string]bool) error {
	seen := make(map[string]bool, len(s.Flows))
	for i := range s.Flows {
		f := &s.Flows[i]
		if seen[f.ID] {
			return f.wrong("id", "each has one of its own")
		}
		if f.From != "" && !known[f.From] || f.To != "" && !known[f.To] {
			return f.wrong("from, to", "a vault of this asset, or empty for outside")
		}
		if err := f.Check(); err != nil {
			return err
		}
		seen[f.ID] = true
	}
	return nil
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (f *Flow) Check() error {
	switch {
	case f.ID == "":
		return f.wrong("id", "give it one")
	case f.From == f.To:
		return f.wrong("from, to", "two different places")
	case f.Amount.IsZero():
		return f.wrong("amount", "above zero")
	case f.Stage != Proposed && f.Stage != Signed && f.Stage != Sent:
		return f.wrong("stage", "proposed, signed or sent")
	}
	return nil
}

func (f *Flow) wrong(field, right string) error {
	return fmt.Errorf("%w: flow %.60q: %s: %s", ErrInvalid, f.ID, field, right)
}
