package stack

import (
	_ "embed"
	"strconv"

	"strongroom/internal/devstack"
)

var (
	// What trades in development.
	//go:embed markets.json
	marketsFile string
	// Who may ask matching for what, by the name in a certificate.
	//go:embed rights.json
	rightsFile string
)

// Bounds of development's shard, small beside a production one: about 200 MB of memory,
// most of it touched only when it is used. A node's folder keeps them for ever.
const (
	matchingOrders    = 1 << 18
	matchingAccounts  = 1 << 16
	matchingKeys      = 1 << 20
	matchingTransfers = 1 << 20
	matchingHistory   = 4 << 30 // bytes of events
)

// MatchingFlags are those of `matching serve` for the shard of development, beside what
// its environment says.
func MatchingFlags() []string {
	number := func(flag string, n int) string { return "--" + flag + "=" + strconv.Itoa(n) }
	return []string{
		"serve", "--create", "--retention=24h",
		number("orders", matchingOrders), number("accounts", matchingAccounts),
		number("keys", matchingKeys), number("transfers", matchingTransfers), number("history", matchingHistory),
	}
}

// tradingEnv is what every process is told where the platform trades.
func (l Layout) tradingEnv(s Settings) map[string]string {
	at := func(port string) string { return devstack.Loopback(s.Ports[port]) }
	return map[string]string{
		"STRONGROOM_MATCHING_ADDRESSES": at(portMatching),
		"STRONGROOM_MATCHING_LISTEN":    at(portMatching),
		"STRONGROOM_MATCHING_OBSERVE":   at(portMatchingMetrics),
		"STRONGROOM_MATCHING_DIR":       l.path("matching", "node"),
		"STRONGROOM_MATCHING_CERTS":     l.path("tls"),
		"STRONGROOM_MATCHING_RIGHTS":    l.path("rights.json"),
		"STRONGROOM_MARKETS_FILE":       l.path("markets.json"),
		"STRONGROOM_TRADING_OBSERVE":    at(portTradingMetrics),
	}
}
