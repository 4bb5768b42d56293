package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"strongroom/internal/devstack"
)

// The ports, by the name of what listens there.
const (
	portPostgres        = "postgres"
	portTemporal        = "temporal"
	portTemporalUI      = "temporal-ui"
	portTemporalMetrics = "temporal-metrics"
	portAnvil           = "anvil"
	portGeth            = "geth"
	portGethEngine      = "geth-engine"
	portBtcd            = "btcd"
	portLitecoin        = "litecoind"
	portSigner          = "signer"
	portSignerMetrics   = "signer-metrics"
	portWorkerMetrics   = "worker-metrics"
	portAPI             = "api"
	portMatching        = "matching"
	portMatchingMetrics = "matching-metrics"
	portTradingMetrics  = "trading-metrics"
	portSimMetrics      = "sim-metrics"
	portTreasury        = "treasury"
	portTreasuryMetrics = "treasury-metrics"
)

// PreferredPorts are the ports on 127.0.0.1 that a new folder asks for. A taken
// one is replaced by a free one, which is then remembered.
func PreferredPorts() map[string]int {
	return map[string]int{
		portAPI: 18080, portTemporalUI: 18081, portPostgres: 15432, portTemporal: 17233,
		portAnvil: 18545, portBtcd: 18443, portLitecoin: 19443, portSigner: 17443,
		portGeth: 18546, portGethEngine: 18551,
		portTemporalMetrics: 19090, portSignerMetrics: 19091, portWorkerMetrics: 19092,
		portMatching: 17543, portMatchingMetrics: 19093, portTradingMetrics: 19094,
		portSimMetrics: 19095, portTreasury: 18082, portTreasuryMetrics: 19096,
	}
}

// Settings is what a folder remembers between runs.
type Settings struct {
	Ports map[string]int `json:"ports"`
	// EVM is the node that made the Ethereum chain: anvil or geth.
	EVM string `json:"evm,omitempty"`
	// Genesis is block 0 of the development Ethereum chain, as the first start
	// found it. Everything that talks to the chain insists on it.
	Genesis string `json:"genesis,omitempty"`
}

// Moved says that a port was taken.
type Moved struct {
	Name     string
	From, To int
}

// ReadSettings returns what the folder remembers; nothing where it is new.
func (l Layout) ReadSettings() (Settings, error) {
	raw, err := os.ReadFile(l.path("config.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Settings{Ports: map[string]int{}}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	var s Settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("read %s: %w (remove it, or start with --reset)", l.path("config.json"), err)
	}
	if s.Ports == nil {
		s.Ports = map[string]int{}
	}
	return s, nil
}

func (l Layout) writeSettings(s Settings) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode settings: %w", err)
	}
	return writeSecret(l.path("config.json"), string(raw)+"\n")
}

// assignPorts gives each name its remembered or preferred port, or a free one
// where that is taken.
func assignPorts(s *Settings, free func(int) bool, find func() (int, error)) ([]Moved, error) {
	var moved []Moved
	preferred := PreferredPorts()
	names := make([]string, 0, len(preferred))
	for name := range preferred {
		names = append(names, name)
	}
	slices.Sort(names)
	used := map[int]bool{}
	for _, name := range names {
		want, remembered := s.Ports[name]
		if !remembered {
			want = preferred[name]
		}
		got := want
		for attempt := 0; used[got] || !free(got); attempt++ {
			if attempt == maxPortTries {
				return nil, fmt.Errorf("no free port for %s", name)
			}
			next, err := find()
			if err != nil {
				return nil, err
			}
			got = next
		}
		if got != want {
			moved = append(moved, Moved{Name: name, From: want, To: got})
		}
		used[got] = true
		s.Ports[name] = got
	}
	return moved, nil
}

const maxPortTries = 20

// claimPorts assigns ports, claims them for this process and remembers them.
func (l Layout) claimPorts(s *Settings, claims *devstack.Claims) ([]Moved, error) {
	moved, err := assignPorts(s, claims.Take, devstack.FreePort)
	if err != nil {
		return nil, err
	}
	return moved, l.writeSettings(*s)
}
