package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"strongroom/api"
	"strongroom/identity/reqsign"
)

// customersCommand is what the operator does with customers.
type customersCommand struct {
	Create createCustomerCommand `cmd:"" help:"Create a customer and a key, and write the key to a file."`
	List   listCustomersCommand  `cmd:"" help:"List customers, oldest first."`
}

type createCustomerCommand struct {
	apiFlags

	Name      string `arg:"" help:"Name of the customer."`
	Reference string `help:"Your own id of the customer; the same reference gives the same customer." placeholder:"ID"`
	Out       string `help:"File for the customer's key. Default: secrets/customer.json in the state folder." placeholder:"FILE"`
}

// Run creates both, as the operator.
func (c *createCustomerCommand) Run(e *env) error {
	if c.Out == "" {
		c.Out = customerFile(c.Dir)
	}
	if _, err := os.Stat(c.Out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s exists already; name another file with --out", errUsage, c.Out)
	}
	operator, err := c.open(e, adminFile(c.Dir))
	if err != nil {
		return err
	}
	var customer api.Customer
	ask := map[string]string{"name": c.Name}
	if c.Reference != "" {
		ask["reference"] = c.Reference
	}
	if err := operator.Do(e.ctx, http.MethodPost, "/v1/customers", ask, &customer); err != nil {
		return err
	}
	var created api.CreatedKey
	err = operator.Do(e.ctx, http.MethodPost, "/v1/customers/"+customer.ID+"/keys",
		map[string]any{"scheme": "hmac-sha256", "scopes": []string{"read", "withdraw", "trade"}}, &created)
	if err != nil {
		return err
	}
	cred := reqsign.Credential{Key: created.Key.ID, Scheme: reqsign.HMAC, Secret: created.Secret, Customer: customer.ID}
	if err := writeCredential(c.Out, cred); err != nil {
		return err
	}
	e.printf("customer %s\nkey      %s in %s\n", customer.ID, cred.Key, c.Out)
	return nil
}

func writeCredential(file string, cred reqsign.Credential) error {
	raw, err := json.MarshalIndent(cred, "", "  ") //nolint:gosec // a file of secrets is what this makes
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

type listCustomersCommand struct{ apiFlags }

// Run lists, as the operator.
func (c *listCustomersCommand) Run(e *env) error {
	return c.ask(e, adminFile(c.Dir), http.MethodGet, "/v1/customers", nil)
}
