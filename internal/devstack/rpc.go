package devstack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// RPC is a small JSON-RPC client for the nodes of development. It speaks to our
// own children on loopback; chain adapters have clients of their own.
type RPC struct {
	URL      string
	User     string // empty: no authentication
	Password string
	Bearer   string // token in place of user and password
}

// RPCError is the node's own refusal.
type RPCError struct {
	Method  string `json:"-"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error says what was asked and what the node answered.
func (e *RPCError) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Method, e.Message, e.Code) }

const (
	rpcWithin    = 30 * time.Second
	maxRPCAnswer = 256 << 20 // a state dump of a long-lived development chain
)

// Call asks the node and decodes its answer into result, which may be nil. A
// refusal is an *RPCError; any other error means that the node was not reached
// or did not make sense.
func (r RPC) Call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, rpcWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.User != "" {
		req.SetBasicAuth(r.User, r.Password)
	}
	if r.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := struct {
		Result json.RawMessage `json:"result"`
		Error  *RPCError       `json:"error"`
	}{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxRPCAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("%s: status %d: %w", method, resp.StatusCode, err)
	}
	if answer.Error != nil {
		answer.Error.Method = method
		return answer.Error
	}
	if result == nil {
		return nil
	}
	return wrap("decode answer of "+method, json.Unmarshal(answer.Result, result))
}
