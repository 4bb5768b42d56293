package deploy

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"strongroom/assets"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// forms are the two ways in which matching runs, and how many nodes each has.
func forms() map[string]form {
	return map[string]form{
		"one node":    {files: []string{"../docker-compose.yml"}, nodes: []string{"matching-1"}},
		"three nodes": {files: []string{"../docker-compose.yml", "three-nodes.yml"}, nodes: []string{"matching-1", "matching-2", "matching-3"}},
	}
}

type form struct {
	files, nodes []string
}

// Who trades reaches matching, and so does who watches; matching itself reaches nobody else,
// neither the database nor the outside. Browsers' sessions are the API's alone.
func TestNetworksOfTradingHoldThoseThatNeedThem(t *testing.T) {
	for name, f := range forms() {
		t.Run(name, func(t *testing.T) {
			p := project(t, f.files...)
			members := map[string][]string{}
			for service, s := range p.Services {
				for network := range s.Networks {
					members[network] = append(members[network], service)
				}
			}
			for network, want := range map[string][]string{
				"matching": append([]string{"api", "prometheus", "trading", "worker"}, f.nodes...),
				"sessions": {"api", "redis"},
			} {
				slices.Sort(members[network])
				slices.Sort(want)
				if !p.Networks[network].Internal || !slices.Equal(members[network], want) {
					t.Errorf("network %s: internal %v, members %v, want %v", network, p.Networks[network].Internal, members[network], want)
				}
			}
			for _, service := range append([]string{"redis"}, f.nodes...) {
				if got := slices.Collect(maps.Keys(p.Services[service].Networks)); len(got) != 1 {
					t.Errorf("%s is on networks %v", service, got)
				}
			}
		})
	}
}

// Each process that trades is told of all nodes, and of the same markets.
func TestEveryProcessKnowsAllNodes(t *testing.T) {
	for name, f := range forms() {
		t.Run(name, func(t *testing.T) {
			p := project(t, f.files...)
			addresses := strings.Join(f.nodes, ":7543,") + ":7543"
			for _, service := range []string{"api", "worker", "trading"} {
				env := p.Services[service].Environment
				if got := env["STRONGROOM_MATCHING_ADDRESSES"]; got == nil || *got != addresses {
					t.Errorf("%s is not told of %s", service, addresses)
				}
				file := env["STRONGROOM_MARKETS_FILE"]
				if file == nil || !mounted(p.Services[service], *file) {
					t.Errorf("%s reads no file of markets that is mounted", service)
				}
			}
		})
	}
}

func mounted(s types.ServiceConfig, file string) bool {
	return slices.ContainsFunc(s.Configs, func(c types.ServiceConfigObjConfig) bool { return c.Target == file })
}

// Prometheus asks each process of ours but the signer, at the address at which it tells.
func TestPrometheusAsksEveryProcess(t *testing.T) {
	static, err := os.ReadFile("config/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range forms() {
		t.Run(name, func(t *testing.T) {
			p := project(t, f.files...)
			nodes, err := os.ReadFile(p.Configs["matching_nodes"].File)
			if err != nil {
				t.Fatal(err)
			}
			var groups []struct {
				Targets []string `json:"targets"`
			}
			if err := json.Unmarshal(nodes, &groups); err != nil || len(groups) != 1 {
				t.Fatalf("%s: %v", nodes, err)
			}
			asked := groups[0].Targets
			for _, found := range regexp.MustCompile(`"([a-z0-9-]+:[0-9]+)"`).FindAllSubmatch(static, -1) {
				asked = append(asked, string(found[1]))
			}
			want := []string{"api:8080", "trading:19094", "worker:19092"}
			for _, node := range f.nodes {
				want = append(want, node+":7545")
			}
			slices.Sort(asked)
			slices.Sort(want)
			if !slices.Equal(asked, want) {
				t.Errorf("Prometheus asks %v, want %v", asked, want)
			}
			for _, address := range asked {
				service, port, _ := strings.Cut(address, ":")
				if !listens(p.Services[service].Environment, port) {
					t.Errorf("%s is told to listen on no address with port %s", service, port)
				}
			}
		})
	}
}

func listens(env map[string]*string, port string) bool {
	for _, value := range env {
		if value != nil && *value == "0.0.0.0:"+port {
			return true
		}
	}
	return false
}

// numbers gives the assets of a catalog numbers, as the ledger does.
type numbers map[string]engine.AssetID

// Asset implements trading.Numbers.
func (n numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	if _, ok := n[code]; !ok {
		n[code] = engine.AssetID(len(n))
	}
	return n[code], nil
}

func TestMarketsTradeAssetsThatAreThere(t *testing.T) {
	list, err := assets.ReadFile("config/assets.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("config/markets.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	terms, err := trading.ReadTerms(file)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := trading.NewCatalog(t.Context(), terms, func(code string) (money.Asset, error) {
		for _, a := range list {
			if a.Code == code {
				return a.Money(), nil
			}
		}
		return money.Asset{}, trading.ErrNotFound
	}, numbers{})
	if err != nil || len(catalog.All()) == 0 {
		t.Errorf("markets: %v", err)
	}
}
