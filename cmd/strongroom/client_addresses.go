package main

import (
	"net/http"
	"net/url"
)

// addressBookCommand is a customer's allowed addresses.
type addressBookCommand struct {
	List   listAllowedCommand   `cmd:"" default:"withargs" help:"List allowed addresses, newest first."`
	Add    addAllowedCommand    `cmd:"" help:"Allow an outside address: the house is asked, then it cools down."`
	Remove removeAllowedCommand `cmd:"" help:"Remove an allowed address at once."`
}

type listAllowedCommand struct{ apiFlags }

// Run lists the book.
func (c *listAllowedCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodGet, "/v1/address-book", nil)
}

type addAllowedCommand struct {
	apiFlags

	Chain   string `arg:"" help:"Chain, as assets list names it: bitcoin-regtest."`
	Address string `arg:"" help:"Outside address."`
	Label   string `help:"What you call it." required:"" placeholder:"TEXT"`
}

// Run asks for an entry.
func (c *addAllowedCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodPost, "/v1/address-book", map[string]string{"chain": c.Chain, "address": c.Address, "label": c.Label})
}

type removeAllowedCommand struct {
	apiFlags

	ID string `arg:"" help:"Id: adr_…"`
}

// Run removes an entry.
func (c *removeAllowedCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodDelete, "/v1/address-book/"+url.PathEscape(c.ID), nil)
}
