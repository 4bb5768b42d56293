package evm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

// Bounds of one exchange with the node.
const (
	maxAnswerBytes = 64 << 20 // a full block with receipts is well below
	maxBatch       = 100      // calls in one request; public nodes refuse more
	maxConnections = 8
	maxNodeText    = 300 // characters of the node's own words in an error
	defaultTimeout = 10 * time.Second
)

// JSON-RPC error codes with a meaning of their own.
const (
	codeRevert    = 3      // execution reverted (geth, and those who follow it)
	codeNoMethod  = -32601 // JSON-RPC 2.0, section 5.1
	codeNoSupport = -32004 // EIP-1474: method not supported
	versionString = "2.0"
)

// NodeError is an error that the node itself answered: the request arrived.
type NodeError struct {
	Method  string
	Code    int
	Message string
}

// Error returns the node's words, cut to a bound.
func (e *NodeError) Error() string {
	return fmt.Sprintf("%s: node says %.*q (code %d)", e.Method, maxNodeText, e.Message, e.Code)
}

// request is one JSON-RPC 2.0 call.
type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// client speaks JSON-RPC over HTTP. It counts the connections that it makes, so
// that whoever pins the node's identity knows when to look again.
type client struct {
	url         string
	http        *http.Client
	timeout     time.Duration
	ids         atomic.Uint64
	connections atomic.Uint64
}

func newClient(url string, timeout time.Duration) *client {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return &client{
		url:     url,
		timeout: timeout,
		http: &http.Client{
			Transport: &http.Transport{
				MaxConnsPerHost:     maxConnections,
				MaxIdleConnsPerHost: maxConnections,
				IdleConnTimeout:     time.Minute,
			},
			// A node has no reason to send its clients elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ask makes one call and reads its result into T. A null result is a nil
// pointer: what null means depends on what was asked.
func ask[T any](ctx context.Context, c *client, method string, params ...any) (*T, error) {
	call := c.request(method, params)
	var answer told[T]
	if err := c.exchange(ctx, call, func(r *reader) { toldFields[T]().read(r, &answer) }); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return answer.to(call)
}

// askEach makes one call per list of parameters, maxBatch of them in a request,
// and returns the results in order.
func askEach[T any](ctx context.Context, c *client, method string, params [][]any) ([]*T, error) {
	results := make([]*T, 0, len(params))
	for len(params) > 0 {
		n := min(len(params), maxBatch)
		calls := make([]request, n)
		for i := range calls {
			calls[i] = c.request(method, params[i])
		}
		answers, err := askBatch[T](ctx, c, calls)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		for i, call := range calls {
			value, err := answers[i].to(call)
			if err != nil {
				return nil, err
			}
			results = append(results, value)
		}
		params = params[n:]
	}
	return results, nil
}

// askBatch makes calls, at most maxBatch, in one request and returns what was told
// for each, in their order.
func askBatch[T any](ctx context.Context, c *client, calls []request) ([]told[T], error) {
	var answers []told[T]
	if err := c.exchange(ctx, calls, func(r *reader) { answers = readList(r, toldFields[T](), len(calls)) }); err != nil {
		return nil, err
	}
	byID := make(map[string]told[T], len(answers))
	for _, a := range answers {
		byID[string(a.id)] = a
	}
	ordered := make([]told[T], len(calls))
	for i, call := range calls {
		ordered[i] = byID[strconv.FormatUint(call.ID, 10)]
	}
	return ordered, nil
}

func (c *client) request(method string, params []any) request {
	if params == nil {
		params = []any{}
	}
	return request{Version: versionString, ID: c.ids.Add(1), Method: method, Params: params}
}

// exchange posts body and has the answer read, within the timeout and the size
// bound.
func (c *client) exchange(ctx context.Context, body any, read func(*reader)) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			c.connections.Add(1)
		}
	}})
	req, err := http.NewRequestWithContext(traced, http.MethodPost, c.url, bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("reach node: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(resp, read)
}

var errTooLarge = errors.New("answer exceeds the size bound")

func readAnswer(resp *http.Response, read func(*reader)) error {
	var body bytes.Buffer
	if announced := resp.ContentLength; announced > 0 && announced <= maxAnswerBytes {
		body.Grow(int(announced) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case n > maxAnswerBytes:
		return errTooLarge
	}
	// Some nodes put JSON-RPC errors under an HTTP error status: the body decides,
	// and a body that is no answer is reported with the status.
	r := &reader{data: body.Bytes()}
	read(r)
	if err := r.end(); err != nil {
		return fmt.Errorf("read answer with status %d: %w", resp.StatusCode, err)
	}
	return nil
}
