package all_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/all"
	"strongroom/chainadapters/evm"
	"strongroom/chainadapters/quorum"
)

func evmConfig() chainadapters.Config {
	return chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: "http://127.0.0.1:8545",
		Expect: chainadapters.Identity{Network: "31337", Genesis: "0x" + strings.Repeat("ab", 32)},
	}
}

func bitcoinConfig() chainadapters.Config {
	return chainadapters.Config{
		Chain: "bitcoin-regtest", Driver: "bitcoin", URL: "http://127.0.0.1:18334",
		Expect: chainadapters.Identity{Network: "regtest"},
	}
}

func TestOpenByName(t *testing.T) {
	for want, cfg := range map[chainadapters.Family]chainadapters.Config{
		chainadapters.Account: evmConfig(), chainadapters.UTXO: bitcoinConfig(),
	} {
		a, err := all.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if a.Family() != want {
			t.Errorf("family of %s: got %d, want %d", cfg.Driver, a.Family(), want)
		}
	}
}

// TestEveryDriverRunsTheSuite keeps a driver out of the list that is not held to
// the port's contract.
func TestEveryDriverRunsTheSuite(t *testing.T) {
	for _, name := range all.Names() {
		source, err := os.ReadFile(filepath.Join("..", name, "conformance_test.go"))
		if err != nil || !strings.Contains(string(source), "chaintest.Run(") {
			t.Errorf("driver %s has no conformance_test.go that calls chaintest.Run: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*chainadapters.Config)
		want   error
	}{
		"no driver":      {func(cfg *chainadapters.Config) { cfg.Driver = "" }, all.ErrDriver},
		"unknown driver": {func(cfg *chainadapters.Config) { cfg.Driver = "evm2" }, all.ErrDriver},
		"bad config":     {func(cfg *chainadapters.Config) { cfg.URL = "127.0.0.1:8545" }, evm.ErrConfig},
	} {
		cfg := evmConfig()
		c.change(&cfg)
		a, err := all.Open(cfg)
		if !errors.Is(err, c.want) || a != nil {
			t.Errorf("%s: got %v, %v, want %v", name, a, err, c.want)
		}
	}
}

// TestOpenSeveralNodes: each node of the list keeps its own credentials to itself.
func TestOpenSeveralNodes(t *testing.T) {
	asked := map[string]string{}
	var mu sync.Mutex
	serve := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			mu.Lock()
			defer mu.Unlock()
			asked[name] = user + ":" + password
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	first, second := serve("first"), serve("second")
	cfg := bitcoinConfig()
	cfg.URL = "http://" + first + "/, http://anna:s3cret@" + second
	cfg.User, cfg.Password = "house", "door"
	a, err := all.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	q, several := a.(*quorum.Adapter)
	if !several || len(q.Nodes()) != 2 || q.Nodes()[0].Name != first || q.Nodes()[1].Name != second {
		t.Fatalf("opened %T", a)
	}
	if _, err := a.Head(t.Context()); err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "door") {
		t.Fatalf("head of nodes that say nothing: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked["first"] != "house:door" || asked["second"] != "anna:s3cret" {
		t.Fatalf("credentials given: %v", asked)
	}
}

func TestNamesAreDistinct(t *testing.T) {
	names := all.Names()
	if !slices.Equal(names, []string{"bitcoin", "evm"}) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("names: %v", names)
	}
}
