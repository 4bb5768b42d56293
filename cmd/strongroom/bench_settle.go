package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	settlebench "strongroom/internal/bench/settle"
)

// benchSettleCommand measures settlement between a node and a PostgreSQL of its own, in
// a folder that goes with it.
type benchSettleCommand struct {
	Fills     int           `help:"Fills of one run." default:"100000"`
	Runs      int           `help:"Runs; the median counts." default:"5"`
	Long      int           `help:"Fills of one long run; zero for none." default:"500000"`
	Step      int           `help:"Fills of the long run after which its rate is told." default:"50000"`
	Rates     []int         `help:"Fills a second at which the lag is measured." default:"10000,25000"`
	Duration  time.Duration `help:"How long each rate lasts." default:"10s"`
	Customers int           `help:"Customers that trade." default:"500"`
	Cold      bool          `help:"Without the log files that a server has which has been running, and with its stock settings."`
	Dir       string        `help:"Folder for the servers' data; a temporary one where left out." placeholder:"DIR"`
}

// Run measures and prints.
func (c *benchSettleCommand) Run(e *env) (err error) {
	bin, err := matchingBin()
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "strongroom-bench-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	// The database server is another user where this process is root.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // what is inside guards itself
		return fmt.Errorf("open folder: %w", err)
	}
	cfg, err := benchServer(filepath.Join(dir, "postgres"))
	if err != nil {
		return err
	}
	if c.Cold {
		cfg.Settings = nil
	}
	server, err := startBenchServer(e, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	report, err := settlebench.Run(e.ctx, settlebench.Config{
		Bin: bin, Dir: dir, Database: server.URL(benchDatabase), Clock: e.clock, Progress: func(line string) { e.printf("%s\n", line) },
		Customers: c.Customers, Fills: c.Fills, Runs: c.Runs, Long: c.Long, Step: c.Step, Rates: c.Rates, Duration: c.Duration, Cold: c.Cold,
	})
	if err != nil {
		return err
	}
	e.printf("\n%s\n", report)
	return nil
}
