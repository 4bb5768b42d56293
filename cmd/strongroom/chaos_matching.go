//go:build chaos

package main

import (
	"errors"
	"fmt"
	"os"

	matchingbench "strongroom/internal/bench/matching"
	"strongroom/internal/chaos/shardchaos"
)

// chaosMatchingCommand kills nodes of a shard of matching while it is traded on.
type chaosMatchingCommand struct {
	Kills int    `help:"How often a node is killed, of each shard." default:"50"`
	Nodes []int  `help:"Shards to try, by their number of nodes: of several the leader is killed, one alone is started again." default:"3,1"`
	Seed  uint64 `help:"Of the plan." default:"1"`
	Dir   string `help:"Folder for the nodes' data; kept where something was violated. A temporary one where left out." placeholder:"DIR"`
}

var errViolated = errors.New("what was acknowledged does not hold")

// Run kills, judges and prints.
func (c *chaosMatchingCommand) Run(e *env) (err error) {
	bin, err := matchingBin()
	if err != nil {
		return err
	}
	dir, temporary := c.Dir, c.Dir == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "strongroom-chaos-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	violated := false
	for _, nodes := range c.Nodes {
		e.printf("seed %d, %d nodes, %d kills\n", c.Seed, nodes, c.Kills)
		report, err := shardchaos.Run(e.ctx, shardchaos.Config{
			Bin: bin, Dir: dir, Nodes: nodes, Kills: c.Kills, Seed: c.Seed, Clock: e.clock,
			Progress: func(line string) { e.printf("  %s\n", line) },
		})
		if err != nil {
			return fmt.Errorf("%d nodes (see %s): %w", nodes, dir, err)
		}
		e.printf("%s\n", &report)
		violated = violated || len(report.Violations) > 0
	}
	if err := c.replay(e, bin, dir); err != nil {
		return err
	}
	if violated {
		return fmt.Errorf("%w: see %s", errViolated, dir)
	}
	if temporary {
		return os.RemoveAll(dir) //nolint:wrapcheck // it says which
	}
	return nil
}

// restarts is how often a node is started again to see how long it replays.
const restarts = 3

// replay measures how fast a node that was killed replays its log.
func (c *chaosMatchingCommand) replay(e *env, bin, dir string) error {
	r, err := matchingbench.RunReplay(e.ctx, matchingbench.ServiceConfig{
		Bin: bin, Dir: dir, Lines: 4, Runs: restarts, Clock: e.clock, Progress: func(line string) { e.printf("  %s\n", line) },
	})
	if err != nil {
		return err
	}
	e.printf("%s", matchingbench.Report{Replay: r})
	return nil
}
