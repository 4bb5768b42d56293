// Command strongroom-devstack is the Temporal server of development and tests,
// with its web interface, in one process. It is a module of its own so that the
// product does not link the server. It listens on loopback only and is never
// part of production, which runs a Temporal cluster.
//
//	strongroom-devstack server start      PostgreSQL; what `strongroom up` runs
//	strongroom-devstack server start-dev  SQLite in memory or in a file; the flags
//	                                      are those that the SDK's test suite passes
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const usage = `usage: strongroom-devstack COMMAND [flags]

  server start        Temporal on PostgreSQL (both databases are created and kept up to date)
  server start-dev    Temporal on SQLite: in memory, or in --db-filename
  version             the versions of the server and of its web interface

Flags of a command: strongroom-devstack server start --help
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "strongroom-devstack:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "strongroom-devstack:", err)
		os.Exit(1)
	}
}

// run carries out one command and returns when ctx ends or the server fails.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "version":
		printVersions()
		return nil
	case len(args) >= 1 && (args[0] == "--help" || args[0] == "-h" || args[0] == "help"):
		fmt.Print(usage)
		return nil
	case len(args) < 2 || args[0] != "server":
		return fmt.Errorf("%w: expected a command\n%s", errUsage, usage)
	}
	opts, err := parse(args[1], args[2:])
	if err != nil {
		return err
	}
	return serve(ctx, opts)
}

func printVersions() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		fmt.Println("strongroom-devstack (no build information)")
		return
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "go.temporal.io/server", "github.com/temporalio/ui-server/v2":
			fmt.Println(m.Path, m.Version)
		}
	}
}
