package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strongroom/internal/devstack/stack"
)

// children are the platform's own processes, in the order of their start.
func children(at stack.Ports) []stack.Child {
	self, beside := binaries()
	return []stack.Child{
		{
			Name: "signer", Command: []string{beside("signer"), "serve"}, Endpoint: at.Signer,
			ReadyURL: "http://" + at.SignerMetrics + "/healthz",
			// The passphrase is random and as long as the key: stretching it adds
			// nothing but a slow start.
			Env: map[string]string{"STRONGROOM_SIGNER_WORK_FACTOR": "10"},
		},
		{
			Name: "worker", Command: []string{self, "worker"}, Endpoint: at.WorkerMetrics,
			ReadyURL: "http://" + at.WorkerMetrics + "/readyz", Env: map[string]string{"STRONGROOM_WORKER_OBSERVE": at.WorkerMetrics},
		},
		{Name: "api", Command: []string{self, "api"}, Endpoint: "http://" + at.API, ReadyURL: "http://" + at.API + "/readyz"},
	}
}

// withTrading adds what trades to the children: matching before everything that asks it,
// then its markets; and last, where somebody is to play on them, who does.
func withTrading(e *env, list []stack.Child, at stack.Ports, sim bool) []stack.Child {
	self, program := binaries()
	matching := stack.Child{
		Name: "matching", Command: append([]string{program("matching")}, stack.MatchingFlags()...), Endpoint: at.Matching,
		ReadyURL: "http://" + at.MatchingMetrics + "/healthz",
	}
	markets := stack.Child{Name: "markets", Task: func(ctx context.Context, vars map[string]string) (string, error) {
		return applyMarkets(ctx, e, vars)
	}}
	trading := stack.Child{
		Name: "trading", Command: []string{self, "trading"}, Endpoint: at.TradingMetrics,
		ReadyURL: "http://" + at.TradingMetrics + "/readyz",
	}
	all := append([]stack.Child{matching, markets, trading}, list...)
	if !sim {
		return all
	}
	return append(all, stack.Child{
		Name: "sim", Command: []string{self, "sim"}, Endpoint: at.SimMetrics,
		ReadyURL: "http://" + at.SimMetrics + "/healthz", Env: map[string]string{"STRONGROOM_SIM_OBSERVE": at.SimMetrics},
	})
}

// marketsWithin bounds how long a new shard may take to have its markets.
const marketsWithin = 30 * time.Second

// applyMarkets makes the shard's markets as the file says, and returns their names.
func applyMarkets(ctx context.Context, whole *env, vars map[string]string) (string, error) {
	var said bytes.Buffer
	e := *whole
	e.ctx, e.out = ctx, &said
	apply := applyMarketsCommand{marketFlags: marketFlags{
		shardFlags: shardIn(vars),
		Database:   vars["STRONGROOM_DATABASE_URL"], Certs: vars["STRONGROOM_TLS_DIR"], As: "worker", Wait: marketsWithin,
	}}
	err := apply.Run(&e) //nolint:contextcheck // it is in e
	var names []string
	for line := range strings.Lines(said.String()) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	return strings.Join(names, ", "), err
}

// binaries are this program and how to find the one beside it.
func binaries() (self string, beside func(string) string) {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return self, func(name string) string { return filepath.Join(filepath.Dir(self), name) }
}

// farewell says where everything is.
func farewell(e *env, s *stack.Stack) {
	status := s.Status()
	e.printf(`
API           %s   (documentation: %s)
Trade page    %s   (strongroom page prints a link that logs in)
Treasury      %s   (docs/treasury-page.md says how to log in as ada, bob or cem)
Temporal UI   %s   (read-only, no login)
Keys          the operator's: %[6]s/secrets/admin.json, the tour's customer: %[6]s/secrets/customer.json
Everything listens on loopback. State, secrets and logs: %[6]s

Try, in another terminal:
  bin/strongroom status
  bin/strongroom balances
  bin/strongroom markets list
  bin/strongroom logs -f worker
Ctrl-C stops everything; nothing is lost.

`, status.URLs["api"], status.URLs["docs"], status.URLs["trade"], status.URLs["treasury"], status.URLs["temporal-ui"], status.Dir)
}
