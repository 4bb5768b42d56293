package main

import (
	"net/http"
	"time"
)

// pageCommand prints a link that opens the trade page as the key's customer.
type pageCommand struct{ apiFlags }

// invitation is the API's answer.
type invitation struct {
	Path    string    `json:"path"`
	Expires time.Time `json:"expiresAt"`
}

// Run asks for a link and prints it.
func (c *pageCommand) Run(e *env) error {
	link, err := c.link(e)
	if err != nil {
		return err
	}
	e.printf("%s\n", link)
	return nil
}

// link works once, within a minute.
func (c *pageCommand) link(e *env) (string, error) {
	api, err := c.open(e, customerFile(c.Dir))
	if err != nil {
		return "", err
	}
	var made invitation
	if err := api.Do(e.ctx, http.MethodPost, "/v1/page-sessions", nil, &made); err != nil {
		return "", err
	}
	return c.URL + made.Path, nil
}
