package bitcoin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"strongroom/chainadapters"
)

// Bounds of one exchange with the node.
const (
	maxAnswer      = 16 << 20 // a block of 4 MB in hexadecimal, with room
	maxIdle        = 8
	idleFor        = time.Minute
	defaultTimeout = 10 * time.Second
	maxNodeWords   = 300
)

// Error codes of Bitcoin Core, which btcd follows where it can.
const (
	codeNoMethod = -32601
	codeWarmup   = -28
	codeNotFound = -5
)

var errAnswerSize = errors.New("answer is larger than allowed")

// NodeError is what the node itself answered in place of a result.
type NodeError struct {
	Method  string
	Code    int
	Message string
}

// Error returns the node's words, cut to a bound.
func (e *NodeError) Error() string {
	return fmt.Sprintf("%s: the node says %.*q (%d)", e.Method, maxNodeWords, e.Message, e.Code)
}

// client asks one node over HTTP with basic authentication.
type client struct {
	url, user, password string
	http                *http.Client
	timeout             time.Duration
	ids                 atomic.Uint64
}

func newClient(cfg chainadapters.Config) *client {
	c := &client{url: cfg.URL, user: cfg.User, password: cfg.Password, timeout: cfg.Timeout}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	c.http = &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleFor},
		// Credentials go to the node that was configured and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// question and answer are the two halves of JSON-RPC 1.0, which both Core and
// btcd speak.
type question struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

type answer struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// ask makes one call and reads its result; nil is the node's null. An error is a
// *NodeError where the node refused, ErrIncomplete where it answered something
// else than was asked, and a fault of the connection otherwise.
func ask[T any](ctx context.Context, c *client, method string, params ...any) (*T, error) {
	if params == nil {
		params = []any{}
	}
	q := question{Version: "1.0", ID: c.ids.Add(1), Method: method, Params: params}
	reply, err := c.exchange(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	switch {
	case string(reply.ID) != strconv.FormatUint(q.ID, 10):
		return nil, fmt.Errorf("%s: %w: answer to another request", method, chainadapters.ErrIncomplete)
	case reply.Error != nil:
		return nil, &NodeError{Method: method, Code: reply.Error.Code, Message: reply.Error.Message}
	case len(reply.Result) == 0:
		return nil, fmt.Errorf("%s: %w: neither result nor error", method, chainadapters.ErrIncomplete)
	case bytes.Equal(reply.Result, []byte("null")):
		return nil, nil //nolint:nilnil // null is an answer; its meaning depends on the question
	}
	var value T
	if err := json.Unmarshal(reply.Result, &value); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", method, chainadapters.ErrIncomplete, err)
	}
	return &value, nil
}

// must is ask for calls to which null is no answer.
func must[T any](ctx context.Context, c *client, method string, params ...any) (T, error) {
	value, err := ask[T](ctx, c, method, params...)
	if err == nil && value == nil {
		err = fmt.Errorf("%s: %w: null", method, chainadapters.ErrIncomplete)
	}
	if err != nil {
		var none T
		return none, err
	}
	return *value, nil
}

func (c *client) exchange(ctx context.Context, q question) (answer, error) {
	var reply answer
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := json.Marshal(q)
	if err != nil {
		return reply, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return reply, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(c.user, c.password)
	resp, err := c.http.Do(req)
	if err != nil {
		return reply, fmt.Errorf("reach node: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply, fmt.Errorf("read answer: %w", err)
	case len(data) > maxAnswer:
		return reply, errAnswerSize
	}
	// Core puts refusals under status 500: the body decides.
	if err := json.Unmarshal(data, &reply); err != nil {
		return reply, fmt.Errorf("read answer of status %d: %w", resp.StatusCode, err)
	}
	return reply, nil
}

// refusal returns the node's own error where err is one.
func refusal(err error) (*NodeError, bool) {
	var node *NodeError
	ok := errors.As(err, &node)
	return node, ok && node.Code != codeWarmup
}
