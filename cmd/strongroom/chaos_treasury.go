//go:build chaos

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"strongroom/internal/chaos"
	"strongroom/internal/crash"
	"strongroom/internal/devstack/stack"
)

// chaosTreasuryCommand kills whoever carries sweeps, refills and payments that people
// agree to, at each labelled point, and then looks whether each happened once.
type chaosTreasuryCommand struct {
	Rounds int    `help:"How often each asset is swept, paid out by people's consent, and refilled." default:"3"`
	Kills  int    `help:"Kills per point and process." default:"2"`
	Rest   int    `help:"Minutes within which a round has to end." default:"15"`
	Dir    string `help:"Folder for the servers' data and the artefacts; a temporary one where left out." placeholder:"DIR"`
}

// staffProcess is the command line of people of the house.
const staffProcess = "staff"

// treasuryPlan kills at the first passes of each point, and some later.
func treasuryPlan(kills int) chaos.Plan {
	p := chaos.Plan{Crashes: map[string]crash.Plan{}}
	add := func(process string, points ...crash.Point) {
		for _, point := range points {
			for n := range kills {
				p.Crashes[process] = append(p.Crashes[process], crash.Rule{Point: point, Hit: 1 + 2*n})
			}
		}
	}
	words := []crash.Point{crash.WordBefore, crash.WordAfter, crash.BroughtBefore, crash.BroughtAfter}
	elsewhere := slices.Concat(words, []crash.Point{
		crash.JournalBefore, crash.JournalAfter, crash.SignBeforeReply, crash.HoldBefore, crash.HoldAfter, crash.RewindBefore, crash.RewindAfter,
	})
	add(chaos.Signer, crash.JournalBefore, crash.JournalAfter, crash.SignBeforeReply)
	add(chaos.API, crash.HoldBefore, crash.HoldAfter)
	add(staffProcess, words...)
	add(chaos.Worker, slices.DeleteFunc(slices.Concat(crash.Points(), crash.TreasuryPoints()), func(p crash.Point) bool { return slices.Contains(elsewhere, p) })...)
	return p
}

// treasuryRun is one run's wiring.
type treasuryRun struct {
	chaosRun

	cmd    *chaosTreasuryCommand
	stack  *stack.Stack
	books  *tourBooks
	staff  *tourTreasury
	world  chaos.Outside
	legs   []*treasuryLeg
	begun  time.Time
	deaths int // of the staff's commands
}

// Run plays the rounds and keeps the folder where they failed.
func (c *chaosTreasuryCommand) Run(e *env) (err error) {
	r := &treasuryRun{cmd: c, begun: e.clock()}
	r.chaosRun = chaosRun{chaosCommand: &chaosCommand{Customers: 1}, dir: c.Dir, begun: r.begun, plan: treasuryPlan(c.Kills)}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "strongroom-chaos-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if err := errors.Join(os.MkdirAll(r.dir, 0o755), os.Chmod(r.dir, 0o755)); err != nil { //nolint:gosec // the database's user passes through; what is inside guards itself
		return fmt.Errorf("open folder: %w", err)
	}
	if err := r.play(e); err != nil {
		e.printf("logs, hits and databases of this run stay in %s\n", r.dir)
		return err
	}
	if c.Dir != "" {
		return nil
	}
	layout, err := stack.OpenLayout(r.file("stack"))
	if err != nil {
		return err
	}
	return errors.Join(stack.Reset(layout, func(string) {}), os.RemoveAll(r.dir))
}

func (r *treasuryRun) play(e *env) (err error) {
	if err := r.calm(true); err != nil {
		return err
	}
	if err := r.up(e); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopStack(e, r.stack)) }()
	if err := r.open(e); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.books.close(e.ctx)) }()
	e.printf("set up in %s; %d rounds begin\n", e.clock().Sub(r.begun).Round(time.Second), r.cmd.Rounds)
	if err := r.calm(false); err != nil {
		return err
	}
	for round := range r.cmd.Rounds {
		if err := r.round(e, round+1); err != nil {
			return err
		}
	}
	if err := r.calm(true); err != nil {
		return err
	}
	return r.verdict(e)
}

// up starts the platform with a treasury, each process with its plan.
func (r *treasuryRun) up(e *env) error {
	layout, err := stack.OpenLayout(r.file("stack"))
	if err != nil {
		return err
	}
	root, err := toolRoot()
	if err != nil {
		return err
	}
	say := &speaker{env: e}
	quiet := func(line string) {
		if r.books == nil { // deaths are no news once the run goes
			say.note(line)
		}
	}
	r.stack, err = stack.Up(e.ctx, stack.Config{
		Layout: layout, Root: root, Migrate: migrate, Clock: e.clock, Step: say.step, Note: quiet, LongestPause: time.Second, Treasury: true,
		Children: func(at stack.Ports) []stack.Child {
			list := withTreasury(e, children(at), at)
			for i := range list {
				if len(r.plan.Crashes[list[i].Name]) > 0 {
					list[i] = r.told(list[i])
				}
				if list[i].Name == chaos.Worker {
					list[i].Env["STRONGROOM_COLLECT_EVERY"] = "10s"
				}
			}
			return list
		},
		LoadAssets: func(ctx context.Context, url, file string) error { return loadAssets(ctx, e.clock, url, file) },
	})
	return err
}

// open opens what the run looks with, and makes its customer.
func (r *treasuryRun) open(e *env) (err error) {
	vars := r.stack.Env()
	if _, _, err := bootstrap(e, vars["STRONGROOM_DATABASE_URL"], sealFile("", vars["STRONGROOM_STATE_DIR"]), vars["STRONGROOM_STATE_DIR"]); err != nil {
		return err
	}
	if r.books, err = openTourBooks(e, vars); err != nil {
		return err
	}
	if r.staff, err = r.books.openTourTreasury(e, vars); err != nil {
		return err
	}
	if r.world, err = openOutside(vars); err != nil {
		return err
	}
	return r.openLegs(e, vars)
}

// verdict waits for nothing: everything has ended. It says what was passed and killed, and
// what is wrong.
func (r *treasuryRun) verdict(e *env) error {
	kills, missed, err := r.tally(e)
	if err != nil {
		return err
	}
	wrong, err := r.wrong(e)
	if err != nil {
		return err
	}
	for _, line := range wrong {
		e.printf("VIOLATION  %s\n", line)
		err = errChaos
	}
	if len(missed) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: not killed at: %v", errChaos, missed))
	}
	e.printf("%d kills, %d rounds of %d assets, %d deaths of the staff's commands, %d violations, in %s\n",
		kills, r.cmd.Rounds, len(r.legs), r.deaths, len(wrong), e.clock().Sub(r.begun).Round(time.Second))
	return errors.Join(err, checkInvariants(e, r.stack.Env()))
}

// tally prints how often each point was passed and killed at, and lists those that were not.
func (r *treasuryRun) tally(e *env) (kills int, missed []crash.Point, err error) {
	hits, err := r.hits()
	if err != nil {
		return 0, nil, err
	}
	passed, killed := make(map[crash.Point]int), make(map[crash.Point]int)
	for process, points := range hits {
		for point, n := range points {
			passed[crash.Point(strings.TrimPrefix(string(point), crash.Idle))] += n
		}
		for _, rule := range r.plan.Crashes[process] {
			if points[rule.Point] >= rule.Hit {
				killed[rule.Point]++
			}
		}
	}
	e.printf("\n%-26s %8s %8s\n", "point", "passed", "killed")
	for _, p := range slices.Concat(crash.Points(), crash.TreasuryPoints()) {
		if p == crash.RewindBefore || p == crash.RewindAfter { // nothing is reorganised here
			continue
		}
		e.printf("%-26s %8d %8d\n", p, passed[p], killed[p])
		kills += killed[p]
		if killed[p] < min(r.cmd.Kills, r.cmd.Rounds) {
			missed = append(missed, p)
		}
	}
	return kills, missed, nil
}

// command runs this program as people of the house do, and tells whether it died.
func (r *treasuryRun) command(ctx context.Context, args ...string) (string, error) {
	self, _ := binaries()
	cmd := staffCommand(ctx, self, args)
	cmd.Env = append(os.Environ(), "STRONGROOM_STATE_DIR="+filepath.Join(r.dir, "stack"),
		crash.PlanVariable+"="+r.plan.Crashes[staffProcess].String(), crash.HitsVariable+"="+r.file(staffProcess+".hits"))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState != nil && !cmd.ProcessState.Exited() {
		r.deaths++
	}
	return string(out), err
}
