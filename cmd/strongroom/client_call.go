package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"strongroom/api/client"
	"strongroom/identity/reqsign"
)

// clientCommands are those that ask the REST interface as a key.
type clientCommands struct {
	Call        callCommand        `cmd:"" help:"Sign and send one request to the API, and print the answer." group:"Client"`
	Customers   customersCommand   `cmd:"" help:"Create and list customers, as the operator." group:"Client"`
	Address     addressCommand     `cmd:"" help:"Ask for the deposit address of an asset." group:"Client"`
	Balances    balancesCommand    `cmd:"" help:"Show balances." group:"Client"`
	AddressBook addressBookCommand `cmd:"" name:"address-book" help:"List, allow and remove outside addresses of yours." group:"Client"`
	Deposits    depositsCommand    `cmd:"" help:"List deposits; release what is in quarantine." group:"Client"`
	Withdraw    withdrawCommand    `cmd:"" help:"Withdraw to an outside address." group:"Client"`
	Withdrawals withdrawalsCommand `cmd:"" help:"List withdrawals, newest first." group:"Client"`
	Page        pageCommand        `cmd:"" help:"Print a link that opens the trade page, logged in; it works once, within a minute." group:"Client"`
}

// apiFlags say where the API is and which key asks.
type apiFlags struct {
	stateFlag

	URL string `name:"api-url" help:"Address of the API." env:"STRONGROOM_API_URL" default:"http://127.0.0.1:18080" placeholder:"URL"`
	Key string `help:"File of the key's credential. Default: secrets/customer.json in the state folder." env:"STRONGROOM_KEY_FILE" placeholder:"FILE"`
}

const (
	maxCredential = 4 << 10
	maxShown      = 8 << 20 // bytes of an answer that are printed
)

// errAnswer ends a command whose answer, a problem, was printed.
var errAnswer = errors.New("the API refused")

func customerFile(dir string) string { return filepath.Join(dir, "secrets", "customer.json") }

// open returns a client of the key in a file.
func (f apiFlags) open(e *env, file string) (*client.Client, error) {
	if f.Key != "" {
		file = f.Key
	}
	cred, err := readCredential(file)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{URL: f.URL, Credential: cred, Clock: e.clock})
}

func readCredential(file string) (reqsign.Credential, error) {
	var cred reqsign.Credential
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if errors.Is(err, os.ErrNotExist) {
		return cred, fmt.Errorf("%w: no key in %s; `strongroom customers create NAME` makes one, --key names another", errUsage, file)
	}
	if err != nil {
		return cred, fmt.Errorf("read key: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := json.NewDecoder(io.LimitReader(f, maxCredential)).Decode(&cred); err != nil {
		return cred, fmt.Errorf("%w: %s is not a key: %w", errUsage, file, err)
	}
	return cred, nil
}

// show prints an answer, indented; a problem ends the command with exit code 1.
func show(e *env, resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxShown))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	e.printf("%s\n", bytes.TrimSpace(body))
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%w: %s", errAnswer, resp.Status)
	}
	return nil
}

// ask sends a request as the key and prints the answer.
func (f apiFlags) ask(e *env, file, method, path string, body any, headers ...client.Header) error {
	c, err := f.open(e, file)
	if err != nil {
		return err
	}
	resp, err := c.Send(e.ctx, method, path, body, headers...) //nolint:bodyclose // show closes it
	if err != nil {
		return err
	}
	return show(e, resp)
}

// callCommand sends any request.
type callCommand struct {
	apiFlags

	Method         string `arg:"" help:"GET, POST, PATCH or DELETE."`
	Path           string `arg:"" help:"Path with query, such as /v1/balances."`
	Data           string `short:"d" help:"Body; - reads standard input." placeholder:"JSON"`
	IdempotencyKey string `help:"Idempotency-Key header." placeholder:"KEY"`
	Admin          bool   `help:"Ask as the operator."`
}

// Run signs, sends and prints.
func (c *callCommand) Run(e *env) error {
	if !strings.HasPrefix(c.Path, "/") {
		return fmt.Errorf("%w: path %q does not start with /", errUsage, c.Path)
	}
	file := customerFile(c.Dir)
	if c.Admin {
		file = adminFile(c.Dir)
	}
	if c.Data == "-" {
		text, err := io.ReadAll(io.LimitReader(os.Stdin, maxShown))
		if err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		c.Data = string(text)
	}
	var body any
	if c.Data != "" {
		body = json.RawMessage(c.Data)
	}
	var headers []client.Header
	if c.IdempotencyKey != "" {
		headers = append(headers, client.IdempotencyKey(c.IdempotencyKey))
	}
	return c.ask(e, file, strings.ToUpper(c.Method), c.Path, body, headers...)
}
