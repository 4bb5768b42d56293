package main

import (
	"fmt"
	"net/http"

	"strongroom/api/client"
	"strongroom/internal/id"
)

type addressCommand struct {
	apiFlags

	Asset string `arg:"" help:"Asset code, such as BTC."`
}

// Run asks for the address.
func (c *addressCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodPost, "/v1/deposit-addresses", map[string]string{"asset": c.Asset})
}

type balancesCommand struct{ apiFlags }

// Run shows balances.
func (c *balancesCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodGet, "/v1/balances", nil)
}

// depositsCommand lists a customer's deposits and, as the operator with the
// database at hand, shows and releases what is in quarantine.
type depositsCommand struct {
	List        listDepositsCommand   `cmd:"" default:"withargs" help:"List deposits, newest first."`
	Quarantined quarantineCommand     `cmd:"" help:"As the operator: show deposits in quarantine and what is against them."`
	Release     releaseDepositCommand `cmd:"" help:"As the operator: let a deposit out of quarantine; it is credited once."`
}

type listDepositsCommand struct{ apiFlags }

// Run lists deposits.
func (c *listDepositsCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodGet, "/v1/deposits", nil)
}

type withdrawalsCommand struct{ apiFlags }

// Run lists withdrawals.
func (c *withdrawalsCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodGet, "/v1/withdrawals", nil)
}

type withdrawCommand struct {
	apiFlags

	Asset          string `arg:"" help:"Asset code, such as BTC."`
	Amount         string `arg:"" help:"Decimal amount that shall arrive."`
	To             string `arg:"" help:"Outside address."`
	Confirm        bool   `name:"confirm-destination" help:"The address is meant, although it begins and ends like one that you know."`
	IdempotencyKey string `help:"Repeat a request with its key; a new one where empty." placeholder:"KEY"`
}

// withdrawal is the body of the request.
type withdrawal struct {
	Amount  string `json:"amount"`
	Asset   string `json:"asset"`
	To      string `json:"to"`
	Confirm bool   `json:"confirmDestination,omitempty"`
}

// Run asks for the withdrawal. The key is said first: whoever does not see the
// answer can ask again with it, and pays once.
func (c *withdrawCommand) Run(e *env) error {
	if c.IdempotencyKey == "" {
		c.IdempotencyKey = id.New("cli")
	}
	// Standard output holds the answer alone, so that it can be piped on.
	_, _ = fmt.Fprintf(e.err, "idempotency key %s\n", c.IdempotencyKey)
	return c.ask(e, customerFile(c.Dir), http.MethodPost, "/v1/withdrawals",
		withdrawal{Asset: c.Asset, Amount: c.Amount, To: c.To, Confirm: c.Confirm}, client.IdempotencyKey(c.IdempotencyKey))
}
