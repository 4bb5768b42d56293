package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const probeInterval = 25 * time.Millisecond

// awaitFrontend returns when the frontend knows the namespace and the search
// attributes are registered in it.
func awaitFrontend(ctx context.Context, address, namespace string, want attributes) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial frontend: %w", err)
	}
	defer func() { _ = conn.Close() }()
	client := workflowservice.NewWorkflowServiceClient(conn)
	for {
		_, err := client.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace}, grpc.WaitForReady(true))
		if err == nil {
			return register(ctx, operatorservice.NewOperatorServiceClient(conn), namespace, want)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("frontend does not answer: %w", errors.Join(err, ctx.Err()))
		case <-time.After(probeInterval):
		}
	}
}

// register adds the search attributes that the namespace lacks: one from before
// an upgrade has only the older ones. An upsert of an unknown attribute would
// hang its workflow in retries.
func register(ctx context.Context, client operatorservice.OperatorServiceClient, namespace string, want attributes) error {
	if len(want) == 0 {
		return nil
	}
	have, err := client.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, kind := range want {
		switch was, ok := have.CustomAttributes[name]; {
		case !ok:
			missing[name] = kind
		case was != kind:
			return fmt.Errorf("search attribute %s is %s and cannot become %s", name, was, kind)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = client.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	if err != nil {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return nil
}

// serveUI serves the web interface until it fails. It shows and changes nothing,
// unless asked: money moves through workflows, not through a browser.
func serveUI(o options, frontend string) error {
	cfg := &uiconfig.Config{
		TemporalGRPCAddress: frontend, Host: o.ip, Port: o.uiPort, EnableUI: true,
		DefaultNamespace: o.namespace, DisableWriteActions: !o.uiWritable,
		DisableNewsFetch: true, HideLogs: true, Distribution: "server",
		CORS: uiconfig.CORS{CookieInsecure: true}, // plain http on loopback
	}
	if err := uiserver.NewServer(server_options.WithConfigProvider(cfg)).Start(); err != nil {
		return fmt.Errorf("serve web interface: %w", err)
	}
	return errors.New("web interface stopped")
}
