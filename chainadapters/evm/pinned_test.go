package evm_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
)

type rawJSON = json.RawMessage

func TestIdentityIsCheckedOncePerConnection(t *testing.T) {
	s := newScript()
	a := s.open(t)
	for range 5 {
		if _, err := a.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.count("eth_chainId"); n != 1 {
		t.Fatalf("identity was read %d times over one connection", n)
	}
}

func TestIdentityIsCheckedAgainOnANewConnection(t *testing.T) {
	s := newScript()
	s.hangUp = true
	a := s.open(t)
	if _, err := a.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.set("eth_chainId", "0x1")
	if _, err := a.Head(t.Context()); !errors.Is(err, chainadapters.ErrForeign) {
		t.Fatalf("head of a node that was exchanged: got %v, want ErrForeign", err)
	}
}

func TestIdentityIsCheckedAgainWhenTheHeadGoesBack(t *testing.T) {
	s := newScript()
	a := s.open(t)
	if _, err := a.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.set("eth_chainId", "0x1")
	if _, err := a.Head(t.Context()); err != nil {
		t.Fatalf("same height, same connection: %v", err)
	}
	s.set("eth_getBlockByNumber", header("2", 6))
	if _, err := a.Head(t.Context()); !errors.Is(err, chainadapters.ErrForeign) {
		t.Fatalf("lower head: got %v, want ErrForeign", err)
	}
	if _, err := a.HeaderAt(t.Context(), 6); !errors.Is(err, chainadapters.ErrForeign) {
		t.Fatalf("what follows: got %v, want ErrForeign", err)
	}
}

func TestForeignIdentityIsNamed(t *testing.T) {
	s := newScript()
	s.set("eth_chainId", "0x1")
	got, err := s.open(t).Identity(t.Context())
	if !errors.Is(err, chainadapters.ErrForeign) || got.Network != "1" || got.Genesis != hash("0") {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestHeadersThatContradict(t *testing.T) {
	s := newScript() // answers block 7 whatever is asked
	a := s.open(t)
	if h, err := a.HeaderAt(t.Context(), 5); !errors.Is(err, chainadapters.ErrIncomplete) {
		t.Fatalf("another height: got %+v, %v", h, err)
	}
	s.set("eth_getBlockByNumber", func(params []rawJSON) any {
		if string(params[0]) == `"latest"` {
			return header("1", 7)
		}
		return nil
	})
	if h, err := a.HeaderAt(t.Context(), 5); !errors.Is(err, chainadapters.ErrIncomplete) {
		t.Fatalf("null below the head: got %+v, %v", h, err)
	}
	if h, err := a.HeaderAt(t.Context(), 8); !errors.Is(err, chainadapters.ErrNotFound) {
		t.Fatalf("null above the head: got %+v, %v", h, err)
	}
}

func TestAnswersWithoutEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":"`))
		for chunk := strings.Repeat("f", 1<<20); ; {
			if _, err := w.Write([]byte(chunk)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if _, err := openURL(t, server.URL).Head(t.Context()); err == nil || !strings.Contains(err.Error(), "size bound") {
		t.Fatalf("got %v, want the size bound", err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	s := newScript()
	target := httptest.NewServer(s)
	defer target.Close()
	server := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := openURL(t, server.URL).Head(t.Context()); err == nil || s.count("eth_chainId") != 0 {
		t.Fatalf("a redirect was followed: %v", err)
	}
}

func TestConfig(t *testing.T) {
	good := chainadapters.Config{URL: "http://127.0.0.1:1", Expect: chainadapters.Identity{Network: chainID, Genesis: hash("0")}}
	for name, change := range map[string]func(*chainadapters.Config){
		"no URL":          func(c *chainadapters.Config) { c.URL = "" },
		"other scheme":    func(c *chainadapters.Config) { c.URL = "ws://127.0.0.1:1" },
		"no network":      func(c *chainadapters.Config) { c.Expect.Network = "" },
		"network by name": func(c *chainadapters.Config) { c.Expect.Network = "mainnet" },
		"network in hex":  func(c *chainadapters.Config) { c.Expect.Network = "0x1" },
		"network zero":    func(c *chainadapters.Config) { c.Expect.Network = "0" },
		"no genesis":      func(c *chainadapters.Config) { c.Expect.Genesis = "" },
		"short genesis":   func(c *chainadapters.Config) { c.Expect.Genesis = "0x00" },
	} {
		cfg := good
		change(&cfg)
		if _, err := evm.New(cfg); !errors.Is(err, evm.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
	if _, err := evm.New(good); err != nil {
		t.Fatal(err)
	}
}
