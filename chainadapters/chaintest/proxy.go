package chaintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// maxProxyBody bounds what the proxy reads of a request or an answer.
const maxProxyBody = 64 << 20

// Call is one JSON-RPC request as it passes the proxy.
type Call struct {
	Version string            `json:"jsonrpc,omitempty"`
	ID      json.RawMessage   `json:"id"`
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

// Reply is one JSON-RPC answer as it passes the proxy. Bitcoin nodes send null
// for the member that does not apply, Ethereum nodes leave it out; the proxy
// sends an error where there is one and a result otherwise.
type Reply struct {
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// NullReply is the answer of a node that has nothing to say.
func NullReply() Reply { return Reply{Result: json.RawMessage("null")} }

// Rule answers a call in place of the node. Forward asks the node and may be
// called any number of times, with other parameters than those that came in.
type Rule func(call Call, forward func(Call) Reply) Reply

// Proxy stands between an adapter and a JSON-RPC node and lies on request.
// It takes single requests and batches, and passes HTTP credentials on.
type Proxy struct {
	upstream string
	server   *httptest.Server
	stop     chan struct{} // releases hanging requests at the end

	mu    sync.Mutex
	fault Fault
	rules map[string]Rule
	lose  map[string]bool
}

// NewProxy starts a faultless proxy in front of a node's URL; it ends with t.
func NewProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	p := &Proxy{upstream: upstream, stop: make(chan struct{}), rules: map[string]Rule{}, lose: map[string]bool{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	tb.Cleanup(func() {
		close(p.stop)
		p.server.Close()
	})
	return p
}

// URL returns where the proxy listens.
func (p *Proxy) URL() string { return p.server.URL }

// Break switches a fault of the transport on: Down, Hang, Truncated or WrongID.
// Zero switches it off.
func (p *Proxy) Break(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Answer installs the rule for one method; a nil rule removes it.
func (p *Proxy) Answer(method string, rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rule == nil {
		delete(p.rules, method)
		return
	}
	p.rules[method] = rule
}

// LoseReply lets one method reach the node and drops the connection in place of
// the answer.
func (p *Proxy) LoseReply(method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose[method] = true
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	switch fault { //nolint:exhaustive // the others are faults of content
	case Down:
		panic(http.ErrAbortHandler)
	case Hang:
		// The request body is read so that the server notices a client that left.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxProxyBody))
		select {
		case <-p.stop:
		case <-r.Context().Done():
		}
		return
	default:
	}
	calls, batch, err := readCalls(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answers := make([]json.RawMessage, 0, len(calls))
	for _, call := range calls {
		answers = append(answers, p.answer(r.Context(), r.Header, call, fault))
	}
	body := answers[0]
	if batch {
		body, _ = json.Marshal(answers)
	}
	if fault == Truncated {
		body = body[:len(body)/2]
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// answer is the envelope sent for one call.
func (p *Proxy) answer(ctx context.Context, header http.Header, call Call, fault Fault) json.RawMessage {
	p.mu.Lock()
	rule, lose := p.rules[call.Method], p.lose[call.Method]
	p.mu.Unlock()
	forward := func(c Call) Reply {
		reply, err := p.ask(ctx, header, c)
		if err != nil {
			panic(http.ErrAbortHandler) // the node is gone: so is the proxy
		}
		return reply
	}
	if rule == nil {
		rule = func(c Call, forward func(Call) Reply) Reply { return forward(c) }
	}
	reply := rule(call, forward)
	if lose {
		panic(http.ErrAbortHandler)
	}
	id := call.ID
	if fault == WrongID {
		id = json.RawMessage("987654321")
	}
	envelope := map[string]json.RawMessage{"id": id, "result": reply.Result}
	if call.Version != "" {
		envelope["jsonrpc"], _ = json.Marshal(call.Version)
	}
	if len(reply.Error) > 0 && string(reply.Error) != "null" {
		delete(envelope, "result")
		envelope["error"] = reply.Error
	}
	out, _ := json.Marshal(envelope)
	return out
}

// ask passes one call to the node with the credentials that came with it.
func (p *Proxy) ask(ctx context.Context, header http.Header, call Call) (Reply, error) {
	body, err := json.Marshal(call)
	if err != nil {
		return Reply{}, fmt.Errorf("encode call: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.upstream, bytes.NewReader(body))
	if err != nil {
		return Reply{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if auth := header.Get("Authorization"); auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := p.server.Client().Do(req)
	if err != nil {
		return Reply{}, fmt.Errorf("ask node: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var reply Reply
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProxyBody)).Decode(&reply); err != nil {
		return Reply{}, fmt.Errorf("read answer: %w", err)
	}
	return reply, nil
}

// readCalls reads a single request or a batch.
func readCalls(body io.Reader) (calls []Call, batch bool, err error) {
	data, err := io.ReadAll(io.LimitReader(body, maxProxyBody))
	if err != nil {
		return nil, false, fmt.Errorf("read request: %w", err)
	}
	data = bytes.TrimSpace(data)
	if bytes.HasPrefix(data, []byte("[")) {
		if err := json.Unmarshal(data, &calls); err != nil {
			return nil, true, fmt.Errorf("read batch: %w", err)
		}
		if len(calls) == 0 {
			return nil, true, errors.New("empty batch")
		}
		return calls, true, nil
	}
	var call Call
	if err := json.Unmarshal(data, &call); err != nil {
		return nil, false, fmt.Errorf("read call: %w", err)
	}
	return []Call{call}, false, nil
}
