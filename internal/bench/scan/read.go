package scanbench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/chainadapters/evm"
)

// reads is how many blocks are read of each kind of node.
const reads = 20

// maxQuestion bounds a request to a scripted node.
const maxQuestion = 1 << 16

// script is what a node answers: the result for a method and its parameters, as
// JSON, or nothing where it does not know.
type script func(method string, params string) string

// read measures the adapters against nodes that answer at once, over real HTTP.
func read(ctx context.Context, cfg Config) ([]Read, error) {
	bitcoinBlock, err := newCoinBlock(cfg.Movements)
	if err != nil {
		return nil, err
	}
	evmBlock, err := newLogBlock(cfg.Movements)
	if err != nil {
		return nil, err
	}
	list := make([]Read, 0, 2)
	for _, n := range []struct {
		name   string
		script script
		ref    chainadapters.Ref
		open   func(url string) (chainadapters.Adapter, error)
	}{
		{"bitcoin node", bitcoinBlock.answer, bitcoinBlock.ref, func(url string) (chainadapters.Adapter, error) {
			return bitcoin.New(chainadapters.Config{Chain: coins, URL: url, Expect: chainadapters.Identity{Network: "regtest"}})
		}},
		{"evm node", evmBlock.answer, evmBlock.ref, func(url string) (chainadapters.Adapter, error) {
			return evm.New(chainadapters.Config{Chain: accounts, URL: url, Expect: evmBlock.identity})
		}},
	} {
		row, err := readNode(ctx, cfg, n.script, n.ref, n.open)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		row.Node = n.name
		list = append(list, row)
		cfg.Progress(row.String())
	}
	return list, nil
}

// readNode reads one block over and over and checks that all of it was seen.
func readNode(ctx context.Context, cfg Config, s script, ref chainadapters.Ref, open func(string) (chainadapters.Adapter, error)) (Read, error) {
	var row Read
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := s.serve(w, r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		row.Bytes += n // the adapter asks one question at a time
	}))
	defer server.Close()
	adapter, err := open(server.URL)
	if err != nil {
		return row, fmt.Errorf("open adapter: %w", err)
	}
	if _, err := adapter.Identity(ctx); err != nil {
		return row, fmt.Errorf("ask who it is: %w", err)
	}
	begun, before := cfg.Clock(), used()
	for range reads {
		block, err := adapter.Block(ctx, ref, []string{evmToken()})
		if err != nil {
			return row, fmt.Errorf("read block: %w", err)
		}
		if len(block.Movements) != cfg.Movements {
			return row, fmt.Errorf("%w: %d movements of %d", errMissed, len(block.Movements), cfg.Movements)
		}
		row.Count += len(block.Movements)
	}
	row.Took, row.CPU = cfg.Clock().Sub(begun), used()-before
	return row, nil
}

// serve answers one JSON-RPC request.
func (s script) serve(w http.ResponseWriter, r *http.Request) (written int64, err error) {
	var q struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxQuestion)).Decode(&q); err != nil {
		return 0, fmt.Errorf("read question: %w", err)
	}
	result := s(q.Method, string(q.Params))
	var n int
	if result == "" {
		n, err = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, q.ID)
	} else {
		n, err = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s,"error":null}`, q.ID, result)
	}
	if err != nil {
		return int64(n), fmt.Errorf("answer: %w", err)
	}
	return int64(n), nil
}

// join lists n pieces of JSON.
func join(n int, piece func(i int) string) string {
	var out strings.Builder
	out.WriteByte('[')
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(piece(i))
	}
	out.WriteByte(']')
	return out.String()
}
