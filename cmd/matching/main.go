// Command matching is a node of the matching engine: it takes orders in over mutual
// TLS, keeps them in the shard's journal, and streams what they led to. It wires
// packages and holds no rules.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line. Each flag can be given by environment or by the
// configuration file too; the command line wins, then the environment.
type cli struct {
	Config kong.ConfigFlag `help:"JSON file with values of these flags." env:"STRONGROOM_MATCHING_CONFIG" placeholder:"FILE"`

	Serve  serveCommand  `cmd:"" help:"Run a node of a shard."`
	Init   initCommand   `cmd:"" help:"Create an empty node, and end. A node that lost its folder gets a new number, never its old one."`
	Status statusCommand `cmd:"" help:"Print what running nodes say of themselves, as JSON."`
}

// env is what commands take from the process.
type env struct {
	ctx   context.Context //nolint:containedctx // kong binds values, and a command lives as long as its context
	out   io.Writer
	log   *slog.Logger
	clock func() time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errHelp ends parsing after help was printed.
var errHelp = errors.New("help was printed")

// run parses args and runs one command. It returns the exit code: 0 well, 1
// failed, 2 wrong usage.
func run(ctx context.Context, args []string, out, errOut io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			if err, ok := r.(error); !ok || !errors.Is(err, errHelp) {
				panic(r)
			}
		}
	}()
	var commands cli
	parser, err := kong.New(&commands, kong.Name("matching"),
		kong.Description("Matches orders of one shard's markets, and acknowledges nothing that is not on disk."),
		kong.Configuration(kong.JSON), kong.Writers(out, errOut),
		kong.Exit(func(int) { panic(errHelp) }))
	if err != nil {
		return fail(errOut, 1, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fail(errOut, 2, err)
	}
	clock := time.Now //nolint:forbidigo // the one place that binds the real clock
	log := slog.New(slog.NewJSONHandler(errOut, nil)).With(slog.String("process", "matching"))
	if err := parsed.Run(&env{ctx: ctx, out: out, log: log, clock: clock}); err != nil {
		return fail(errOut, 1, err)
	}
	return 0
}

func fail(w io.Writer, code int, err error) int {
	_, _ = fmt.Fprintf(w, "matching: %v\n", err) // there is nowhere else to say it
	return code
}
