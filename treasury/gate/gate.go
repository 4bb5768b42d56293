package gate

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/intent"
)

// House is who asks for what the planners of the house ask for.
const House = "system:mover"

// Chain is what an intent says of a chain beside its name.
type Chain struct {
	Genesis string // EIP-155 id in decimal, or block hash in hex
	// MaxFee is the most that one payment may cost, over all its bids, in the native
	// asset's base units: people agree to no more.
	MaxFee money.Units
}

// Requests takes questions, as treasury.Requests says.
type Requests interface {
	Ask(ctx context.Context, q treasury.Question) (treasury.Request, error)
}

// Addresses knows destinations, as treasury.Addresses says.
type Addresses interface {
	Standing(ctx context.Context, owner, chain, address string) (addressbook.Standing, error)
}

// Intents reads custody's intents.
type Intents interface {
	LoadIntent(ctx context.Context, id string) (custodydb.IntentRow, error)
}

// Config holds the collaborators of a Gate; all are needed.
type Config struct {
	Requests  Requests
	Addresses Addresses
	Intents   Intents
	Assets    custody.Assets
	Chains    map[chainadapters.ChainID]Chain
}

// Gate asks for consent. It is safe for concurrent use.
type Gate struct{ cfg Config }

var _ desk.Policy = (*Gate)(nil)

// New returns a Gate.
func New(cfg Config) (*Gate, error) {
	if cfg.Requests == nil || cfg.Addresses == nil || cfg.Intents == nil || cfg.Assets == nil || len(cfg.Chains) == 0 {
		return nil, errors.New("gate: config lacks requests, addresses, intents, assets or chains")
	}
	return &Gate{cfg}, nil
}

// Decide implements desk.Policy. Asked again, it finds the request that it made before; a
// request that died because the policy or the people changed is made once more.
func (g *Gate) Decide(ctx context.Context, r custodydb.IntentRow, asset custody.AssetInfo) (desk.Verdict, string, error) {
	q, err := g.question(ctx, &r, asset)
	if err != nil {
		return 0, "", err
	}
	if r.Kind == custody.IntentColdSpend && q.Class != string(addressbook.Allowlisted) {
		return desk.Deny, "the address is not in the house's book, or still cools down", nil // whatever the policy says
	}
	is, err := g.ask(ctx, &q)
	if err != nil {
		return 0, "", fmt.Errorf("ask for consent to %s: %w", r.ID, err)
	}
	switch is.State {
	case treasury.Approved, treasury.Done:
		return desk.Allow, "", nil
	case treasury.Waiting:
		return desk.Wait, "waits for " + is.Missing, nil
	case treasury.Denied, treasury.Expired, treasury.Cancelled, treasury.Failed:
		return desk.Deny, is.Outcome, nil
	}
	return 0, "", fmt.Errorf("request %s is in state %q: %w", is.ID, is.State, custody.ErrIllegal)
}

// ask asks, and asks anew where what was asked before died for no fault of its own.
func (g *Gate) ask(ctx context.Context, q *treasury.Question) (treasury.Request, error) {
	is, err := g.cfg.Requests.Ask(ctx, *q)
	if err != nil || is.State != treasury.Cancelled || !is.Superseded {
		return is, err
	}
	q.Again = is.ID
	return g.cfg.Requests.Ask(ctx, *q)
}

// question is what people are asked about an intent of custody.
func (g *Gate) question(ctx context.Context, r *custodydb.IntentRow, asset custody.AssetInfo) (treasury.Question, error) {
	chain, known := g.cfg.Chains[r.Chain]
	if !known {
		return treasury.Question{}, fmt.Errorf("consent to %s: chain %s is not served: %w", r.ID, r.Chain, custody.ErrAsset)
	}
	q := treasury.Question{Intent: intent.Intent{
		Environment: r.Environment, ID: r.ID, Chain: string(r.Chain), Genesis: chain.Genesis, Asset: r.Asset, Contract: r.Contract,
		To: r.To, Amount: r.Amount, MaxFee: chain.MaxFee,
	}}
	switch r.Kind { //nolint:exhaustive // the others are within the signer's own keys and ask nobody
	case custody.IntentWithdrawal:
		err := g.withdrawal(ctx, &q, r, asset)
		return q, err
	case custody.IntentSweep:
		q.Intent.Action, q.Intent.Requester, q.Class = intent.Sweep, House, string(addressbook.Own)
		q.Intent.Reason = "the hot wallet holds more than its cap"
		q.Effect = []string{fmt.Sprintf("the hot wallet pays %s %s to the vault %s at %s", asset.Format(r.Amount), r.Asset, r.Vault, r.To)}
		return q, nil
	case custody.IntentRefill:
		q.Intent.Action, q.Intent.Requester, q.Intent.Vault, q.Class = intent.Refill, House, r.Vault, string(addressbook.Own)
		q.Intent.Reason = "the hot wallet is below its floor, or withdrawals need more than it has"
		q.Effect = []string{
			fmt.Sprintf("the vault %s pays %s %s to the hot wallet at %s", r.Vault, asset.Format(r.Amount), r.Asset, r.To),
			"after that its cosigners sign, each apart from the others: compare this address and amount with what they are shown",
		}
		return q, nil
	case custody.IntentColdSpend:
		err := g.coldSpend(ctx, &q, r, asset)
		return q, err
	}
	return q, fmt.Errorf("consent to %s: a %s asks nobody: %w", r.ID, r.Kind, custody.ErrIllegal)
}

// coldSpend completes the question whether a vault pays somebody outside.
func (g *Gate) coldSpend(ctx context.Context, q *treasury.Question, r *custodydb.IntentRow, asset custody.AssetInfo) error {
	standing, err := g.cfg.Addresses.Standing(ctx, addressbook.House, string(r.Chain), r.To)
	if err != nil {
		return fmt.Errorf("look up %s: %w", r.To, err)
	}
	q.Intent.Action, q.Intent.Requester, q.Intent.Vault, q.Class = intent.ColdSpend, r.Requester, r.Vault, string(standing.Class)
	q.Intent.Reason = r.Purpose
	q.Effect = []string{
		fmt.Sprintf("the vault %s pays %s %s to %s, outside the house", r.Vault, asset.Format(r.Amount), r.Asset, r.To),
		"after that its cosigners sign, each apart from the others: compare this address and amount with what they are shown",
	}
	for _, alike := range standing.Alike {
		q.Notes = append(q.Notes, treasury.Note{Level: treasury.Danger, Text: "It begins and ends like " + alike + ", which the house knows: compare every character."})
	}
	return nil
}

// withdrawal completes the question whether a customer is paid.
func (g *Gate) withdrawal(ctx context.Context, q *treasury.Question, r *custodydb.IntentRow, asset custody.AssetInfo) error {
	standing, err := g.cfg.Addresses.Standing(ctx, addressbook.Customer(r.Customer), string(r.Chain), r.To)
	if err != nil {
		return fmt.Errorf("look up %s of customer %s: %w", r.To, r.Customer, err)
	}
	q.Intent.Action, q.Intent.Requester, q.Class = intent.Withdrawal, addressbook.Customer(r.Customer), string(standing.Class)
	q.Intent.Reason = "a customer's withdrawal"
	q.Effect = []string{
		fmt.Sprintf("customer %s gets %s %s at %s", r.Customer, asset.Format(r.Amount), r.Asset, r.To),
		fmt.Sprintf("the customer pays %s %s for it", asset.Format(r.Fee), r.Asset),
	}
	if standing.Class == addressbook.New {
		q.Notes = append(q.Notes, treasury.Note{Level: treasury.Info, Text: "The address is on no allow-list of the customer."})
	}
	for _, alike := range standing.Alike {
		q.Notes = append(q.Notes, treasury.Note{Level: treasury.Danger, Text: "It begins and ends like " + alike + ", which the customer knows: compare every character."})
	}
	return nil
}
