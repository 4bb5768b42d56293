package vault

import (
	"strconv"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Move is what a plan asks for: one vault pays another, in one or more transactions.
type Move struct {
	Kind   intent.Action `json:"kind"` // intent.Sweep or intent.Refill
	Asset  string        `json:"asset"`
	Chain  string        `json:"chain"`
	From   string        `json:"from"`
	To     string        `json:"to"`
	Amount money.Units   `json:"amount"` // that arrives: the sum of Parts
	Parts  []money.Units `json:"parts"`  // what each transaction moves
	Fee    money.Units   `json:"fee"`    // the most that each costs From beside
	Why    string        `json:"why"`    // for people
}

// Flows are the transactions of a move as they count once it is proposed. Each is
// named by the move's id and its number.
func (m *Move) Flows(id string) []Flow {
	flows := make([]Flow, len(m.Parts))
	for i, part := range m.Parts {
		flows[i] = Flow{ID: id + "/" + strconv.Itoa(i+1), From: m.From, To: m.To, Amount: part, Fee: m.Fee, Stage: Proposed}
	}
	return flows
}

// Held is what should move and does not, and why.
type Held struct {
	Vault  string      `json:"vault"` // the hot one
	Amount money.Units `json:"amount"`
	Why    string      `json:"why"`
}

// Plan is what should move now.
type Plan struct {
	Moves []Move `json:"moves"`
	Held  []Held `json:"held"`
}

// Balance is a vault as plans see it.
type Balance struct {
	Vault     Vault       `json:"vault"`
	Final     money.Units `json:"final"`
	In        money.Units `json:"in"`        // pending
	Out       money.Units `json:"out"`       // pending, with fees
	Open      money.Units `json:"open"`      // withdrawals that are not signed yet
	Approved  money.Units `json:"approved"`  // of these, those that wait for nobody
	Free      money.Units `json:"free"`      // Final without Out: nobody has been promised it
	Projected money.Units `json:"projected"` // Free with In
	Accepts   bool        `json:"accepts"`   // its proof of control is recent
}

// Balances returns each vault of the state, by id, with what is pending. Errors:
// ErrInvalid, money.ErrRange.
func Balances(s *State) ([]Balance, error) {
	b, err := open(s)
	if err != nil {
		return nil, err
	}
	balances := make([]Balance, len(b.all))
	for i, p := range b.all {
		balances[i] = *p
	}
	return balances, nil
}
