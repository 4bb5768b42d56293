package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

var errUsage = errors.New("wrong usage")

// pgURLEnv carries the connection string, so that its password is in no process
// list.
const pgURLEnv = "STRONGROOM_DEVSTACK_PG_URL"

// options is what one server is started with.
type options struct {
	postgresURL string // of any database of the cluster; empty: SQLite
	database    string
	visibility  string
	sqliteFile  string // empty: in memory
	ip          string
	port        int
	uiPort      int // 0: no web interface
	metricsPort int // 0: no metrics
	namespace   string
	logLevel    string
	logFormat   string
	attributes  attributes
	dynamic     dynamicValues
	uiWritable  bool
	headless    bool
}

// parse reads the flags of `server start` or `server start-dev`.
func parse(command string, args []string) (options, error) {
	o := options{attributes: attributes{}, dynamic: dynamicValues{}}
	fs := flag.NewFlagSet("server "+command, flag.ContinueOnError)
	fs.StringVar(&o.ip, "ip", "127.0.0.1", "loopback address to listen on")
	fs.IntVar(&o.port, "port", 7233, "port of the gRPC frontend")
	fs.IntVar(&o.metricsPort, "metrics-port", 0, "port of /metrics; 0 for none")
	fs.StringVar(&o.namespace, "namespace", "default", "namespace to create where it is missing")
	fs.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	fs.StringVar(&o.logFormat, "log-format", "json", "json or console")
	fs.Var(o.attributes, "search-attribute", "`Name=Type` of a search attribute to register; repeatable")
	fs.Var(o.dynamic, "dynamic-config-value", "`key=json` of a dynamic setting; repeatable")
	fs.IntVar(&o.uiPort, "ui-port", 0, "port of the web interface; 0 for none")
	switch command {
	case "start":
		fs.StringVar(&o.postgresURL, "pg-url", os.Getenv(pgURLEnv), "connection string of the cluster; better given as "+pgURLEnv)
		fs.StringVar(&o.database, "pg-database", "temporal", "database of histories")
		fs.StringVar(&o.visibility, "pg-visibility-database", "temporal_visibility", "database of the visibility store")
	case "start-dev":
		fs.StringVar(&o.sqliteFile, "db-filename", "", "SQLite file; in memory where it is left out")
		fs.BoolVar(&o.headless, "headless", false, "no web interface, whatever --ui-port says")
		fs.BoolVar(&o.uiWritable, "ui-write-actions", false, "let the web interface change workflows")
	default:
		return o, fmt.Errorf("%w: unknown command %q; it is start or start-dev", errUsage, command)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.headless {
		o.uiPort = 0
	}
	return o, o.check(command, fs.Args())
}

func (o *options) check(command string, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%w: unexpected argument %q", errUsage, rest[0])
	case command == "start" && o.postgresURL == "":
		return fmt.Errorf("%w: set %s (or --pg-url)", errUsage, pgURLEnv)
	case o.port < 1 || o.port > 65535:
		return fmt.Errorf("%w: --port %d is not a port", errUsage, o.port)
	case o.namespace == "":
		return fmt.Errorf("%w: --namespace is empty", errUsage)
	case o.logFormat == "pretty":
		o.logFormat = "console" // the name that other dev servers give it
	}
	if o.ip == "localhost" {
		o.ip = "127.0.0.1"
	}
	if ip := net.ParseIP(o.ip); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%w: --ip %s is not a loopback address; this server has no authentication", errUsage, o.ip)
	}
	return nil
}

// attributes maps search attribute names to types.
type attributes map[string]enumspb.IndexedValueType

// String is part of flag.Value.
func (attributes) String() string { return "" }

// Set reads Name=Type.
func (a attributes) Set(s string) error {
	name, kind, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("want Name=Type")
	}
	t, err := enumspb.IndexedValueTypeFromString(kind)
	if err != nil || t == enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
		return fmt.Errorf("%q is not a type: Keyword, KeywordList, Text, Int, Double, Bool or Datetime", kind)
	}
	a[name] = t
	return nil
}

// dynamicValues maps dynamic setting names to values.
type dynamicValues map[string]any

// String is part of flag.Value.
func (dynamicValues) String() string { return "" }

// Set reads key=json; whole numbers become int, which the server insists on.
func (d dynamicValues) Set(s string) error {
	key, text, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return errors.New("want key=json")
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if f, isNumber := value.(float64); isNumber && f == float64(int(f)) {
		value = int(f)
	}
	d[key] = value
	return nil
}
