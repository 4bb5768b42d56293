//go:build chaos

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strongroom/internal/chaos"
	"strongroom/internal/crash"
	"strongroom/internal/devstack/stack"
)

// ChaosCommands are there only in builds with the tag chaos.
type ChaosCommands struct {
	Chaos chaosCommand `cmd:"" help:"Kill everything by a seeded plan while customers use the platform, wait for rest, check all invariants."`

	ChaosTreasury chaosTreasuryCommand `cmd:"" help:"Kill whoever carries sweeps, refills and payments with consent at each labelled point, then look whether each happened once."`
	ChaosMatching chaosMatchingCommand `cmd:"" help:"Kill nodes of a shard of matching under load, then hold what was acknowledged against what the shard says."`
}

// chaosCommand runs on servers of its own, in a folder that stays where a run fails.
type chaosCommand struct {
	Operations int    `help:"How many operations." default:"4000"`
	Seed       uint64 `help:"Decides the plan of faults and the order of operations." default:"1"`
	Minutes    int    `help:"How long the operations take." default:"8"`
	Rest       int    `help:"Minutes within which all must come to rest afterwards." default:"5"`
	Kills      int    `help:"Kills per point and process." default:"4"`
	Customers  int    `help:"Customers." default:"12"`
	Dir        string `help:"Folder for the servers' data and the artefacts; a temporary one where left out." placeholder:"DIR"`
}

// errChaos ends a run that found something, or in which too little happened.
var errChaos = errors.New("chaos run failed")

// fullSize is from how many operations on a run must have passed every point often.
const fullSize = 4000

// chaosRun is one run's wiring.
type chaosRun struct {
	*chaosCommand

	dir   string
	plan  chaos.Plan
	begun time.Time
	links []*chaos.Link
	err   error // of children, which cannot return one
}

// Run plays the run and keeps its folder where it failed.
func (c *chaosCommand) Run(e *env) (err error) {
	run := &chaosRun{chaosCommand: c, dir: c.Dir, begun: e.clock(), plan: chaos.NewPlan(c.Seed, c.Kills, c.Operations, time.Duration(c.Minutes)*time.Minute)}
	if run.dir == "" {
		if run.dir, err = os.MkdirTemp("", "strongroom-chaos-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if err := errors.Join(os.MkdirAll(run.dir, 0o755), os.Chmod(run.dir, 0o755)); err != nil { //nolint:gosec // the database's user passes through; what is inside guards itself
		return fmt.Errorf("open folder: %w", err)
	}
	if err := os.WriteFile(run.file("plan"), []byte(run.plan.String()), 0o600); err != nil {
		return fmt.Errorf("keep plan: %w", err)
	}
	e.printf("seed %d: %d operations in %d minutes, %d faults by the clock, %d kills per point and process; plan in %s\n",
		c.Seed, c.Operations, c.Minutes, len(run.plan.Faults), c.Kills, run.file("plan"))
	if err := run.play(e); err != nil {
		e.printf("logs, hits, plan and databases of this run stay in %s\n", run.dir)
		return err
	}
	if c.Dir != "" {
		return nil
	}
	layout, err := stack.OpenLayout(run.file("stack"))
	if err != nil {
		return err
	}
	return errors.Join(stack.Reset(layout, func(string) {}), os.RemoveAll(run.dir))
}

func (r *chaosRun) file(name string) string { return filepath.Join(r.dir, name) }

func (r *chaosRun) play(e *env) (err error) {
	if err := r.calm(true); err != nil {
		return err
	}
	s, err := r.stack(e)
	if err != nil {
		return errors.Join(err, r.err)
	}
	defer func() {
		err = errors.Join(err, stopStack(e, s))
		for _, l := range r.links {
			err = errors.Join(err, l.Close())
		}
	}()
	if r.err != nil {
		return r.err
	}
	cfg, books, err := r.config(e, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.close(e.ctx)) }()
	log, err := os.OpenFile(r.file("faults.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cfg.Log = func(line string) { _, _ = fmt.Fprintf(log, "%s %s\n", e.clock().Format(time.TimeOnly), line) }
	ready := e.clock()
	e.printf("set up in %s; %d operations begin\n", ready.Sub(r.begun).Round(time.Second), r.Operations)
	report, err := chaos.Run(e.ctx, cfg)
	if err != nil {
		return err
	}
	e.printf("\nseed %d\n%s\n", r.Seed, report)
	return r.judge(e, s, report, ready.Sub(r.begun))
}

// judge checks the books and says whether the run was one.
func (r *chaosRun) judge(e *env, s *stack.Stack, report *chaos.Report, setUp time.Duration) error {
	began := e.clock()
	err := checkInvariants(e, s.Env())
	whole := func(d time.Duration) time.Duration { return d.Round(time.Second) }
	e.printf("time: set-up %s, load %s, rest %s, promises %s, invariants %s, all %s\n", whole(setUp), whole(report.Loaded),
		whole(report.Rested), whole(report.Held), whole(e.clock().Sub(began)), whole(e.clock().Sub(r.begun)))
	if n := len(report.Violations); n > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d violations", errChaos, n))
	}
	if missed := report.Missed(); len(missed) > 0 && r.Operations >= fullSize {
		err = errors.Join(err, fmt.Errorf("%w: points passed less than %d times or not killed at: %v", errChaos, chaos.LeastHits, missed))
	}
	if report.Total() < r.Operations {
		err = errors.Join(err, fmt.Errorf("%w: %d of %d operations", errChaos, report.Total(), r.Operations))
	}
	return err
}

// stack is the platform as `up` runs it, with a second worker, bad links between its
// processes, and a plan for each.
func (r *chaosRun) stack(e *env) (*stack.Stack, error) {
	layout, err := stack.OpenLayout(r.file("stack"))
	if err != nil {
		return nil, err
	}
	root, err := toolRoot()
	if err != nil {
		return nil, err
	}
	say := &speaker{env: e}
	quiet := func(line string) {
		if r.links == nil { // deaths are no news once the run goes
			say.note(line)
		}
	}
	return stack.Up(e.ctx, stack.Config{
		Layout: layout, Root: root, Migrate: migrate, Clock: e.clock, Step: say.step, Note: quiet, LongestPause: time.Second,
		Children:   func(at stack.Ports) []stack.Child { return r.children(layout, at) },
		LoadAssets: func(ctx context.Context, url, file string) error { return loadAssets(ctx, e.clock, url, file) },
	})
}

func (r *chaosRun) config(e *env, s *stack.Stack) (cfg chaos.Config, books *tourBooks, err error) {
	vars := s.Env()
	if _, _, err := bootstrap(e, vars["STRONGROOM_DATABASE_URL"], sealFile("", vars["STRONGROOM_STATE_DIR"]), vars["STRONGROOM_STATE_DIR"]); err != nil {
		return cfg, nil, err
	}
	if books, err = openTourBooks(e, vars); err != nil {
		return cfg, nil, err
	}
	world, err := openOutside(vars)
	if err != nil {
		return cfg, books, err
	}
	cfg = chaos.Config{
		Seed: r.Seed, Operations: r.Operations, Length: time.Duration(r.Minutes) * time.Minute, Rest: time.Duration(r.Rest) * time.Minute,
		Plan: r.plan, Outside: world, Pool: books.pool, Hits: r.hits, Calm: r.calm, Clock: e.clock, Progress: func(line string) { e.printf("%s\n", line) },
		Target: chaos.Target{Processes: func() map[string]int { return processes(s) }, Links: r.links, Still: s.Still},
	}
	if cfg.Target.Coins, cfg.Target.Ethereum, err = reachedNodes(vars["STRONGROOM_CHAINS_FILE"], world); err != nil {
		return cfg, books, err
	}
	if cfg.Assets, err = books.chaosAssets(e.ctx, world); err != nil {
		return cfg, books, err
	}
	if cfg.Customers, err = r.enroll(e, vars, world, cfg.Assets); err != nil {
		return cfg, books, err
	}
	return cfg, books, cfg.Ready(e.ctx)
}

// calm tells every process that its plan rests, or that it is in force.
func (r *chaosRun) calm(on bool) error {
	for process := range r.plan.Crashes {
		name := r.file(process + ".hits" + crash.Calm)
		change := os.Remove
		if on {
			change = func(name string) error { return os.WriteFile(name, nil, 0o600) }
		}
		if err := change(name); err != nil {
			return fmt.Errorf("change plan of %s: %w", process, err)
		}
	}
	return nil
}

// hits reads what each process has noted.
func (r *chaosRun) hits() (map[string]map[crash.Point]int, error) {
	all := map[string]map[crash.Point]int{}
	for process := range r.plan.Crashes {
		var err error
		if all[process], err = crash.CountHits(r.file(process + ".hits")); err != nil {
			return nil, err
		}
	}
	return all, nil
}
