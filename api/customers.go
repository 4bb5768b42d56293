package api

import (
	"context"
	"net/http"
	"time"

	"strongroom/identity"
)

// Customer is a customer as answers show it.
type Customer struct {
	ID        string    `json:"id" example:"cus_019a0000000070008000000000000001"`
	Name      string    `json:"name"`
	Reference string    `json:"reference,omitempty" doc:"The operator's own id of the customer"`
	State     string    `json:"state" enum:"active,frozen"`
	CreatedAt time.Time `json:"createdAt"`
}

func customerOf(c identity.Customer) Customer {
	return Customer{ID: c.ID, Name: c.Name, Reference: c.Reference, State: string(c.State), CreatedAt: c.CreatedAt}
}

type customerOutput struct{ Body Customer }

// CustomerPath is the part of a path that names a customer. It is exported for the
// framework, which fills exported fields only.
type CustomerPath struct {
	Customer string `path:"customer" pattern:"^cus_[0-9a-f]{32}$" patternDescription:"a customer id: cus_ and 32 hex digits"`
}

// Page is which part of a list is asked for.
type Page struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"nextCursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items of the page"`
}

// limit returns the size of the page; the framework has checked its bounds.
func (p Page) limit() int {
	if p.Limit < 1 || p.Limit > maxPage {
		return defaultPage
	}
	return p.Limit
}

type newCustomerInput struct {
	Body struct {
		Name      string `json:"name" minLength:"1" maxLength:"100" doc:"In NFC, without control or invisible characters"`
		Reference string `json:"reference,omitempty" maxLength:"64" doc:"Makes the request idempotent: the same reference and name give the same customer"`
	}
}

type customerStateInput struct {
	CustomerPath
	Body struct {
		State string `json:"state" enum:"active,frozen"`
	}
}

type customersOutput struct {
	Body struct {
		Items      []Customer `json:"items" nullable:"false"`
		NextCursor string     `json:"nextCursor,omitempty"`
	}
}

func (s *Server) routeCustomers() {
	const tag = "Customers"
	register(s, operation("create-customer", http.MethodPost, "/v1/customers", tag, "Create a customer", ""), identity.Admin, s.createCustomer)
	register(s, operation("list-customers", http.MethodGet, "/v1/customers", tag, "List customers", "Oldest first."), identity.Admin, s.listCustomers)
	register(s, operation("get-customer", http.MethodGet, "/v1/customers/{customer}", tag, "Read a customer", ""), identity.Admin, s.readCustomer)
	register(s, operation("set-customer-state", http.MethodPatch, "/v1/customers/{customer}", tag, "Freeze or release a customer",
		"A frozen customer can read; withdrawals are refused."), identity.Admin, s.setCustomerState)
	register(s, operation("whoami", http.MethodGet, "/v1/customer", tag, "Read the customer of this key", ""), identity.Read,
		func(ctx context.Context, _ *struct{}) (*customerOutput, error) {
			return s.readCustomer(ctx, &CustomerPath{principal(ctx).Customer})
		})
}

func (s *Server) createCustomer(ctx context.Context, in *newCustomerInput) (*customerOutput, error) {
	c, _, err := s.cfg.Customers.CreateCustomer(ctx, in.Body.Name, in.Body.Reference)
	if err != nil {
		return nil, err
	}
	return &customerOutput{customerOf(c)}, nil
}

func (s *Server) readCustomer(ctx context.Context, in *CustomerPath) (*customerOutput, error) {
	c, err := s.cfg.Customers.Customer(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	return &customerOutput{customerOf(c)}, nil
}

func (s *Server) setCustomerState(ctx context.Context, in *customerStateInput) (*customerOutput, error) {
	c, err := s.cfg.Freezer.SetCustomerState(ctx, in.Customer, identity.State(in.Body.State))
	if err != nil {
		return nil, err
	}
	return &customerOutput{customerOf(c)}, nil
}

func (s *Server) listCustomers(ctx context.Context, in *Page) (*customersOutput, error) {
	after, err := s.cursors.open("customers", in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.Customers.Customers(ctx, after, in.limit())
	if err != nil {
		return nil, err
	}
	out := &customersOutput{}
	out.Body.Items = make([]Customer, len(list))
	for i, c := range list {
		out.Body.Items[i] = customerOf(c)
	}
	if len(list) == in.limit() {
		out.Body.NextCursor = s.cursors.seal("customers", list[len(list)-1].ID)
	}
	return out, nil
}
