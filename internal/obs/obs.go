// Package obs gives every process of the platform the same eyes: structured
// logs, metrics and health over HTTP, traces. It decides nothing, and a trace
// collector that is not there stops nobody.
package obs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// ErrSetting reports a log level or format that does not exist.
var ErrSetting = errors.New("no such setting")

// Logger returns a logger that writes to w. level is debug, info, warn or error;
// format is json or text. Every record names the service.
func Logger(w io.Writer, service, level, format string) (*slog.Logger, error) {
	var at slog.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %.20q: %w", level, ErrSetting)
	}
	options := &slog.HandlerOptions{Level: at}
	var handler slog.Handler
	switch format {
	case "json":
		handler = slog.NewJSONHandler(w, options)
	case "text":
		handler = slog.NewTextHandler(w, options)
	default:
		return nil, fmt.Errorf("log format %.20q: %w", format, ErrSetting)
	}
	return slog.New(handler).With("service", service), nil
}

// NewRegistry returns a registry that already knows the Go runtime and the
// process. Every metric of it carries the service's name as a label.
func NewRegistry(service string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, r)
	wrapped.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
