// Command strongroom is the platform: one binary whose subcommands are its
// processes and its tools. It wires packages together and holds no rules.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line: one line per subcommand, each in a file of its own.
// A flag with an env tag can be given by environment, by the configuration file
// or by the env file of the state folder too; the command line wins, then the
// environment.
type cli struct {
	Config kong.ConfigFlag `help:"JSON file with values of these flags." env:"STRONGROOM_CONFIG" placeholder:"FILE"`

	Up      upCommand      `cmd:"" help:"Run the whole platform on this machine; Ctrl-C stops it."`
	Status  statusCommand  `cmd:"" help:"Show what runs, where, and since when."`
	Logs    logsCommand    `cmd:"" help:"Print the log of one service."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is missing on this machine and how to get it."`
	Migrate migrateCommand `cmd:"" help:"Bring the platform's database to the newest version."`
	API     apiCommand     `cmd:"" name:"api" help:"Serve the REST interface."`
	Worker  workerCommand  `cmd:"" help:"Work the workflows, watch the chains, plan collections."`

	Sim     simCommand     `cmd:"" help:"Play a market maker and takers on a development stack."`
	Trading tradingCommand `cmd:"" help:"Follow a shard of matching: settle its trades into the ledger, keep candles."`

	Demo  demoCommand  `cmd:"" help:"Start the platform, play the tour, check all invariants, stop; fails where anything is off."`
	Check checkCommand `cmd:"" help:"Check all invariants, read-only; fails where one is broken."`

	Bench benchCommand `cmd:"" help:"Measure the ledger, and deposits and withdrawals through the whole platform."`

	BenchMatching benchMatchingCommand `cmd:"" help:"Measure the matching engine, and its service on one node and on three."`

	BenchSettle benchSettleCommand `cmd:"" help:"Measure how fast trades get into the ledger, and how far behind it is."`

	Bootstrap bootstrapCommand `cmd:"" help:"Make the operator's first API key, once."`
	Chains    chainsCommand    `cmd:"" help:"Show the chains, and clear one that waits for a person."`
	Markets   marketsCommand   `cmd:"" help:"Make, show, open and halt the markets that trade."`
	Secrets   secretsCommand   `cmd:"" help:"Make the passwords, keys and certificates that docker-compose.yml mounts."`
	Treasury  treasuryCommand  `cmd:"" help:"As treasury staff: see what waits, agree or deny, watch the vaults, stop signing."`
	Roster    rosterCommand    `cmd:"" help:"Who may agree: draw officers' keys, sign rosters, put one in force."`
	Policy    policyCommand    `cmd:"" help:"Show and change the treasury's policy; say which rule asked for what, and who can do what alone."`
	Cold      coldCommand      `cmd:"" help:"Without network: inspect, sign and join transactions of cold vaults."`
	Faucet    faucetCommand    `cmd:"" help:"Play the world outside on the development chains." group:"Client"`

	clientCommands
	tradeCommands
	ChaosCommands
}

const description = `Custody, ledger and workflows of an exchange, on one machine or many.

Start everything with "strongroom up". Exit codes: 0 done, 1 failed, 2 wrong usage.`

// env is what commands take from the process.
type env struct {
	ctx   context.Context //nolint:containedctx // kong binds values, and a command lives as long as its context
	out   io.Writer
	err   io.Writer
	log   *slog.Logger
	clock func() time.Time
}

// errUsage reports input that is wrong in itself: exit code 2.
var errUsage = errors.New("wrong usage")

// errHelp ends parsing after help was printed.
var errHelp = errors.New("help was printed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

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
	loadEnv(stateDir(args))
	var commands cli
	parser, err := kong.New(&commands, kong.Name("strongroom"), kong.Description(description),
		kong.Configuration(kong.JSON), kong.Writers(out, errOut),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(int) { panic(errHelp) }))
	if err != nil {
		return fail(errOut, 1, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fail(errOut, 2, err)
	}
	clock := time.Now //nolint:forbidigo // the one place that binds the real clock
	log := slog.New(slog.NewJSONHandler(errOut, nil)).With(slog.String("process", parsed.Selected().Name))
	err = parsed.Run(&env{ctx: ctx, out: out, err: errOut, log: log, clock: clock}, &commands)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return fail(errOut, 2, err)
	default:
		return fail(errOut, 1, err)
	}
}

func fail(w io.Writer, code int, err error) int {
	_, _ = fmt.Fprintf(w, "strongroom: %v\n", err)
	return code
}

// printf writes for people. A closed pipe is no reason to fail.
func (e *env) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(e.out, format, args...)
}

const defaultStateDir = ".strongroom"

// stateDir finds the state folder before the flags are parsed, for its env file
// gives defaults to flags.
func stateDir(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--dir="); ok {
			return value
		}
		if arg == "--dir" && i+1 < len(args) {
			return args[i+1]
		}
	}
	if dir := os.Getenv("STRONGROOM_STATE_DIR"); dir != "" {
		return dir
	}
	return defaultStateDir
}

// loadEnv sets what the environment leaves open from the state folder's env
// file, so that a command started by hand reaches the servers of `up`.
func loadEnv(dir string) {
	vars, err := readEnvFile(dir)
	if err != nil {
		return // no stack has run here: flags and environment decide alone
	}
	for key, value := range vars {
		if _, set := os.LookupEnv(key); !set {
			_ = os.Setenv(key, value)
		}
	}
}

// readEnvFile returns the settings that a stack left in its state folder.
func readEnvFile(dir string) (map[string]string, error) {
	file, err := os.Open(filepath.Join(dir, "env")) //nolint:gosec // the user names the folder
	if err != nil {
		return nil, fmt.Errorf("read settings of %s: %w", dir, err)
	}
	defer func() { _ = file.Close() }()
	vars := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(file, 1<<20))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(key, "STRONGROOM_") {
			vars[key] = value
		}
	}
	return vars, nil
}
