package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName = "active"
	// retention is how long a closed workflow stays readable. Development keeps
	// histories for a month: they are what an auditor is shown.
	retention = 30 * 24 * time.Hour
	// readyWithin bounds the start.
	readyWithin = 60 * time.Second
)

// serve starts the server, says when it answers, and stops it when ctx ends.
func serve(ctx context.Context, o options) error {
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: o.logLevel, Format: o.logFormat}))
	store, err := stores(ctx, o, logger)
	if err != nil {
		return err
	}
	if err := createNamespace(store, o); err != nil {
		return err
	}
	server, err := newServer(store, o, logger)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}
	failed := make(chan error, 1)
	if err := open(ctx, o, failed); err != nil {
		return errors.Join(err, server.Stop())
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	return errors.Join(err, server.Stop())
}

// open waits for the frontend, completes the namespace, starts the web interface
// and prints the line that says so.
func open(ctx context.Context, o options, failed chan<- error) error {
	ready, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	address := net.JoinHostPort(o.ip, strconv.Itoa(o.port))
	if err := awaitFrontend(ready, address, o.namespace, o.attributes); err != nil {
		return err
	}
	line := "ready frontend=" + address + " namespace=" + o.namespace
	if o.uiPort != 0 {
		go func() { failed <- serveUI(o, address) }()
		line += " ui=http://" + net.JoinHostPort(o.ip, strconv.Itoa(o.uiPort))
	}
	fmt.Fprintln(os.Stdout, line)
	return nil
}

func newServer(store config.Persistence, o options, logger log.Logger) (temporal.Server, error) {
	services, hosts, err := listeners(o)
	if err != nil {
		return nil, err
	}
	cfg := serverConfig(store, services, o)
	dynamic := dynamicconfig.StaticClient{}
	for k, v := range dynamicDefaults() {
		dynamic[dynamicconfig.MakeKey(k)] = v
	}
	for k, v := range o.dynamic {
		dynamic[dynamicconfig.MakeKey(k)] = v
	}
	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		return nil, fmt.Errorf("make authorizer: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return nil, fmt.Errorf("make claim mapper: %w", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts), // one process: there is no ring to gossip in
		temporal.WithLogger(logger),
		temporal.WithDynamicConfigClient(dynamic),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
	)
	if err != nil {
		return nil, fmt.Errorf("make Temporal server: %w", err)
	}
	return server, nil
}

// dynamicDefaults undoes throttles that are meant for large clusters: by default
// a shard polls its queues 20 times a second, which costs 50 ms per step.
func dynamicDefaults() map[string]any {
	const polls = 2000
	return map[string]any{
		"history.transferProcessorMaxPollRPS":            polls,
		"history.timerProcessorMaxPollRPS":               polls,
		"history.visibilityProcessorMaxPollRPS":          polls,
		"history.outboundProcessorMaxPollRPS":            polls,
		"history.longPollExpirationInterval":             "1500ms",
		"matching.numTaskqueueReadPartitions":            1,
		"matching.numTaskqueueWritePartitions":           1,
		"frontend.rps":                                   20000,
		"frontend.namespaceRPS":                          20000,
		"system.forceSearchAttributesCacheRefreshOnRead": true,
		"frontend.enableServerVersionCheck":              false, // nothing calls home
	}
}

func serverConfig(store config.Persistence, services map[string]config.Service, o options) *config.Config {
	frontend := net.JoinHostPort(o.ip, strconv.Itoa(o.port))
	cfg := &config.Config{
		Persistence: store,
		Services:    services,
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: frontend},
	}
	if o.metricsPort != 0 {
		cfg.Global.Metrics = &metrics.Config{Prometheus: &metrics.PrometheusConfig{
			ListenAddress: net.JoinHostPort(o.ip, strconv.Itoa(o.metricsPort)), HandlerPath: "/metrics",
		}}
	}
	return cfg
}

// listeners gives the frontend the port asked for and the inner services free ones.
func listeners(o options) (map[string]config.Service, map[primitives.ServiceName]static.Hosts, error) {
	services := map[string]config.Service{}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range temporal.DefaultServices {
		port := o.port
		if name != string(primitives.FrontendService) {
			free, err := freePort(o.ip)
			if err != nil {
				return nil, nil, err
			}
			port = free
		}
		services[name] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: o.ip}}
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(net.JoinHostPort(o.ip, strconv.Itoa(port)))
	}
	return services, hosts, nil
}

func freePort(ip string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// createNamespace writes the namespace into the store before the server starts,
// so that it exists from the first answer on. It leaves an existing one alone.
func createNamespace(store config.Persistence, o options) error {
	ns, err := sqlite.NewNamespaceConfig(clusterName, o.namespace, false, o.attributes)
	if err != nil {
		return fmt.Errorf("describe namespace: %w", err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	// The function is at home in the sqlite package and works for each store.
	if err := sqlite.CreateNamespaces(store.DataStores[historyStore].SQL, ns); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	return nil
}
