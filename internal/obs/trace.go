package obs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Tracing is where spans go.
type Tracing struct {
	Provider trace.TracerProvider
	// Propagator carries the trace across processes: W3C trace context.
	Propagator propagation.TextMapPropagator
	stop       func(context.Context) error
}

// NewTracing reads the standard environment of OpenTelemetry: spans are sent by
// gRPC where OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is
// set, unless OTEL_SDK_DISABLED is true or OTEL_TRACES_EXPORTER is none; sampling
// follows OTEL_TRACES_SAMPLER. Without an endpoint nothing is recorded.
func NewTracing(ctx context.Context, service string) (*Tracing, error) {
	t := &Tracing{Provider: noop.NewTracerProvider(), Propagator: propagation.TraceContext{}, stop: func(context.Context) error { return nil }}
	if !wanted() {
		return t, nil
	}
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("make trace exporter: %w", err)
	}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithProcessPID(), resource.WithSchemaURL(""))
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe process: %w", err)
	}
	if os.Getenv("OTEL_SERVICE_NAME") == "" {
		if about, err = resource.Merge(about, resource.NewSchemaless(serviceName(service))); err != nil {
			return nil, fmt.Errorf("describe process: %w", err)
		}
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.Provider, t.stop = provider, provider.Shutdown
	return t, nil
}

// Stop sends what is still waiting. After it, spans are lost.
func (t *Tracing) Stop(ctx context.Context) error { return t.stop(ctx) }

func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// serviceName is the attribute by which OpenTelemetry's semantic conventions name
// a process.
func serviceName(name string) attribute.KeyValue { return attribute.String("service.name", name) }
