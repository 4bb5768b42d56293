package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	matchingbench "strongroom/internal/bench/matching"
)

// benchMatchingCommand measures the matching engine in this process, and its service in
// processes of its own, in a folder that goes with it.
type benchMatchingCommand struct {
	Only     string        `help:"What to measure: engine, replay, service or all." enum:"engine,replay,service,all" default:"all"`
	Nodes    []int         `help:"Service: shards to measure, by their number of nodes." default:"1,3"`
	Runs     int           `help:"Runs of each figure; the median counts." default:"5"`
	Duration time.Duration `help:"Service: length of one measurement." default:"5s"`
	Lines    int           `help:"Service: sessions that send at once." default:"4"`
	Rates    []int         `help:"Service: orders a second at which waits are measured." default:"10000,50000,100000,200000"`
	Dir      string        `help:"Folder for the nodes' data; a temporary one where left out." placeholder:"DIR"`
}

var errFlags = errors.New("--runs, --lines, --rates and --duration must be above zero")

// Run measures and prints.
func (c *benchMatchingCommand) Run(e *env) (err error) {
	if c.Runs < 1 || c.Lines < 1 || c.Duration <= 0 || len(c.Rates) == 0 {
		return errFlags
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "strongroom-bench-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	var report matchingbench.Report
	for _, part := range []struct {
		name string
		run  func(e *env, dir string, report *matchingbench.Report) error
	}{{"engine", c.engine}, {"replay", c.replay}, {"service", c.service}} {
		if c.Only == part.name || c.Only == "all" {
			if err := part.run(e, dir, &report); err != nil {
				return err
			}
		}
	}
	e.printf("\n%s\n", report)
	return nil
}

func (c *benchMatchingCommand) engine(e *env, _ string, report *matchingbench.Report) (err error) {
	for _, load := range matchingbench.Loads() {
		figures, err := matchingbench.RunEngine(load, c.Runs)
		if err != nil {
			return err
		}
		e.printf("%s: %.1f ns a command\n", load.Name, figures.Nanos)
		report.Engine = append(report.Engine, figures)
	}
	report.Stalls, err = matchingbench.RunStalls(e.clock)
	return err
}

func (c *benchMatchingCommand) service(e *env, dir string, report *matchingbench.Report) error {
	bin, err := matchingBin()
	if err != nil {
		return err
	}
	for _, nodes := range c.Nodes {
		figures, err := matchingbench.RunService(e.ctx, c.config(e, bin, dir, nodes))
		if err != nil {
			return err
		}
		report.Service = append(report.Service, figures)
	}
	return nil
}

func (c *benchMatchingCommand) replay(e *env, dir string, report *matchingbench.Report) error {
	bin, err := matchingBin()
	if err == nil {
		report.Replay, err = matchingbench.RunReplay(e.ctx, c.config(e, bin, dir, 1))
	}
	return err
}

func (c *benchMatchingCommand) config(e *env, bin, dir string, nodes int) matchingbench.ServiceConfig {
	return matchingbench.ServiceConfig{
		Bin: bin, Dir: dir, Nodes: nodes, Lines: c.Lines, Rates: c.Rates, Duration: c.Duration, Runs: c.Runs, Clock: e.clock,
		Progress: func(line string) { e.printf("%s\n", line) },
	}
}

// matchingBin is the program matching, which lies beside this one.
func matchingBin() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	bin := filepath.Join(filepath.Dir(self), "matching")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("find matching: %w", err)
	}
	return bin, nil
}
