// Command signer is the signing process: it opens the seed, serves the signer
// over mutual TLS, and can be frozen. It wires packages and holds no rules.
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
	Config kong.ConfigFlag `help:"JSON file with values of these flags." env:"STRONGROOM_SIGNER_CONFIG" placeholder:"FILE"`
	Dir    string          `help:"Folder of seed and journal." env:"STRONGROOM_SIGNER_DIR" default:".strongroom/signer"`

	Serve     serveCommand     `cmd:"" help:"Sign for the platform; creates seed and journal on the first start."`
	Init      initCommand      `cmd:"" help:"Create seed and journal, and end."`
	Status    statusCommand    `cmd:"" help:"Print what a running signer says of itself, as JSON."`
	LoadToken loadTokenCommand `cmd:"" help:"Move the hot keys into a PKCS#11 token, with the signer stopped, and end."`
	Witness   witnessCommand   `cmd:"" help:"Write the journal's end into a first --checkpoint file, with the signer stopped, and end."`
	Freeze    freezeCommand    `cmd:"" help:"Stop all signing at once, also after restarts."`
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
	parser, err := kong.New(&commands, kong.Name("signer"),
		kong.Description("Holds the hot keys of the platform, and signs only what it has decoded itself and found to be exactly what the intent says."),
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
	log := slog.New(slog.NewJSONHandler(errOut, nil)).With(slog.String("process", "signer"))
	if err := parsed.Run(&env{ctx: ctx, out: out, log: log, clock: clock}, &commands); err != nil {
		return fail(errOut, 1, err)
	}
	return 0
}

func fail(w io.Writer, code int, err error) int {
	_, _ = fmt.Fprintf(w, "signer: %v\n", err) // there is nowhere else to say it
	return code
}
