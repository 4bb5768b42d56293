package stack

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/chainadapters"
	"strongroom/internal/devstack"
)

// The files that the platform's processes read, as they are in development.
// TOKEN stands for the test dollar's contract.
var (
	//go:embed assets.json
	assetsFile string
	//go:embed signer-policy.json
	policyFile string
	// Made-up parties: a list of our own, so that screening has something to read.
	//go:embed sdn.csv
	sanctionsFile string
)

const (
	tokenMark = "TOKEN"
	// nodeTimeout bounds one call of an adapter.
	nodeTimeout = 10 * time.Second
)

// chains describes how adapters reach the nodes and which networks they insist on.
func chains(s Settings, login secrets) []chainadapters.Config {
	ethereum := s.Ports[portAnvil]
	if s.EVM == EVMGeth {
		ethereum = s.Ports[portGeth]
	}
	return []chainadapters.Config{
		{
			Chain: "bitcoin-regtest", Driver: "bitcoin", URL: "http://" + devstack.Loopback(s.Ports[portBtcd]),
			User: nodeUser, Password: login.btcd, Timeout: nodeTimeout,
			Expect: chainadapters.Identity{Network: "regtest", Genesis: devstack.RegtestGenesis},
		},
		{
			Chain: "litecoin-regtest", Driver: "bitcoin", URL: "http://" + devstack.Loopback(s.Ports[portLitecoin]),
			User: nodeUser, Password: login.litecoin, Timeout: nodeTimeout,
			Expect: chainadapters.Identity{Network: "litecoin-regtest", Genesis: devstack.LitecoinGenesis},
		},
		{
			Chain: "ethereum-dev", Driver: "evm", URL: "http://" + devstack.Loopback(ethereum),
			Timeout: nodeTimeout,
			Expect:  chainadapters.Identity{Network: strconv.Itoa(devstack.AnvilChainID), Genesis: s.Genesis},
		},
	}
}

// writeFiles writes the chain, asset and signer policy files.
func (l Layout) writeFiles(s Settings, login secrets, token string) error {
	list, err := json.MarshalIndent(chains(s, login), "", "  ") //nolint:gosec,musttag // readable by us only; read back into the same type
	if err != nil {
		return fmt.Errorf("encode chains: %w", err)
	}
	for name, text := range map[string]string{
		"sanctions/sdn.csv":  sanctionsFile,
		"chains.json":        string(list) + "\n",
		"assets.json":        strings.ReplaceAll(assetsFile, tokenMark, token),
		"signer-policy.json": strings.ReplaceAll(policyFile, tokenMark, token),
		"markets.json":       marketsFile,
		"rights.json":        rightsFile,
	} {
		if err := writeSecret(l.path(name), text); err != nil {
			return err
		}
	}
	return nil
}

// env is what every process of the platform is told, by name.
func (l Layout) env(s Settings, databaseURL string) map[string]string {
	at := func(port string) string { return devstack.Loopback(s.Ports[port]) }
	return map[string]string{
		"STRONGROOM_DATABASE_URL":           databaseURL,
		"STRONGROOM_TEMPORAL_ADDRESS":       at(portTemporal),
		"STRONGROOM_TEMPORAL_NAMESPACE":     Namespace,
		"STRONGROOM_TEMPORAL_UI":            "http://" + at(portTemporalUI),
		"STRONGROOM_SIGNER_ADDRESS":         at(portSigner),
		"STRONGROOM_SIGNER_LISTEN":          at(portSigner),
		"STRONGROOM_SIGNER_OBSERVE":         at(portSignerMetrics),
		"STRONGROOM_SIGNER_DIR":             l.path("signer"),
		"STRONGROOM_SIGNER_POLICY":          l.path("signer-policy.json"),
		"STRONGROOM_SIGNER_CERTS":           l.path("tls"),
		"STRONGROOM_SIGNER_PASSPHRASE_FILE": l.path("secrets", passphraseSecret),
		"STRONGROOM_TLS_DIR":                l.path("tls"),
		"STRONGROOM_PAYLOAD_KEY_FILE":       l.path("secrets", payloadSecret),
		"STRONGROOM_CHAINS_FILE":            l.path("chains.json"),
		"STRONGROOM_ASSETS_FILE":            l.path("assets.json"),
		"STRONGROOM_SANCTIONS":              "ofac-sdn=" + l.path("sanctions"),
		"STRONGROOM_SANCTIONS_MAX_AGE":      "0s", // written at each start
		"STRONGROOM_API_LISTEN":             at(portAPI),
		"STRONGROOM_API_URL":                "http://" + at(portAPI),
		"STRONGROOM_STATE_DIR":              l.Dir,
	}
}

// list returns KEY=VALUE lines in order.
func list(env map[string]string) []string {
	lines := make([]string, 0, len(env))
	for k, v := range env {
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	return lines
}

// writeEnv leaves the settings where commands started by hand find them.
func (l Layout) writeEnv(env map[string]string) error {
	return writeSecret(l.EnvFile(), strings.Join(list(env), "\n")+"\n")
}
