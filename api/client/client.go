// Package client speaks to the REST API: it signs requests and turns problems
// (RFC 9457) into errors. It never retries by itself: a caller repeats a request
// that moves money with the same idempotency key.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"strongroom/identity/reqsign"
	"strongroom/internal/id"
)

// Config says where the API is and who asks.
type Config struct {
	URL        string // "http://127.0.0.1:18080"
	Credential reqsign.Credential
	HTTP       *http.Client // nil: one with a timeout of 15 s
	Clock      func() time.Time
}

// Client asks the API as one key. It is safe for concurrent use.
type Client struct{ cfg Config }

// Problem is an error that the API answered.
type Problem struct { //nolint:errname // RFC 9457's name
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []FieldFault `json:"errors"`
}

// FieldFault names a part of the request that is wrong, and how to mend it.
type FieldFault struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
}

// Error is one line: what happened, and the fixes.
func (p *Problem) Error() string {
	parts := []string{fmt.Sprintf("%s (%d)", p.Detail, p.Status)}
	for _, e := range p.Errors {
		parts = append(parts, e.Location+" "+e.Message+": "+e.Fix)
	}
	return strings.Join(parts, "; ")
}

const (
	defaultTimeout = 15 * time.Second
	maxAnswer      = 4 << 20
)

// New returns a client.
func New(cfg Config) (*Client, error) {
	if cfg.URL == "" || cfg.Clock == nil {
		return nil, errors.New("client: URL and Clock are required")
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: defaultTimeout}
	}
	return &Client{cfg: cfg}, nil
}

// Header is a header to send beside those of the signature.
type Header struct{ Name, Value string }

// IdempotencyKey is the header that makes a request have one effect.
func IdempotencyKey(key string) Header { return Header{"Idempotency-Key", key} }

// Do sends a signed request; in is sent as JSON where it is not nil, the answer
// is decoded into out where that is not nil. A refusal is a *Problem; any other
// error leaves open whether the request had an effect.
func (c *Client) Do(ctx context.Context, method, path string, in, out any, headers ...Header) error {
	resp, err := c.Send(ctx, method, path, in, headers...)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return problem(resp.StatusCode, body)
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// Send signs and sends a request and returns the answer as it came; the caller
// closes its body. A json.RawMessage is sent as it is.
func (c *Client) Send(ctx context.Context, method, path string, in any, headers ...Header) (*http.Response, error) {
	var body []byte
	if in != nil {
		var err error
		if raw, ok := in.(json.RawMessage); ok {
			body = raw
		} else if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	if err := c.cfg.Credential.SignHTTP(req, body, c.cfg.Clock(), id.New("n")); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return resp, nil
}

func problem(status int, body []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Detail == "" {
		p = &Problem{Status: status, Detail: http.StatusText(status)}
	}
	return p
}
