package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"strongroom/internal/devstack/stack"
)

// upCommand runs the platform.
type upCommand struct {
	stackFlags

	NoTour bool `help:"Do not play the tour of deposits, trades and withdrawals."`
}

// stackFlags say which platform is started.
type stackFlags struct {
	stateFlag

	Reset bool   `help:"Wipe the state folder first: databases, chains, keys, logs."`
	EVM   string `name:"evm" help:"Node of the Ethereum chain, anvil or geth; a chain stays with the node that made it." enum:",anvil,geth" default:""`
	Sim   bool   `help:"Play a market maker and takers on the markets, and let the tour trade." negatable:"" default:"true"`
}

// stateFlag names the state folder.
type stateFlag struct {
	Dir string `help:"State folder." env:"STRONGROOM_STATE_DIR" default:".strongroom" placeholder:"DIR"`
}

func (f stateFlag) layout() (stack.Layout, error) {
	layout, err := stack.OpenLayout(f.Dir)
	if err != nil {
		return layout, err
	}
	if info, err := os.Stat(layout.Dir); err == nil && !info.IsDir() {
		return layout, fmt.Errorf("%w: --dir %s is not a folder", errUsage, f.Dir)
	}
	return layout, nil
}

// Run starts everything and stays until it is told to stop.
func (c *upCommand) Run(e *env) error {
	s, err := startStack(e, c.stackFlags)
	if err != nil {
		return err
	}
	farewell(e, s)
	if !c.NoTour {
		if err := playTour(e, s.Env()); err != nil && e.ctx.Err() == nil {
			e.printf("tour: %v\n", err)
		}
	}
	<-e.ctx.Done()
	return stopStack(e, s)
}

// startStack starts the platform and says each step as it happens.
func startStack(e *env, f stackFlags) (*stack.Stack, error) {
	layout, err := f.layout()
	if err != nil {
		return nil, err
	}
	root, err := toolRoot()
	if err != nil {
		return nil, err
	}
	say := &speaker{env: e}
	if f.Reset {
		if err := stack.Reset(layout, say.note); err != nil {
			return nil, err
		}
	}
	extra := map[string]string{}
	if f.Sim {
		extra[simVariable] = "yes"
	}
	began := e.clock()
	s, err := stack.Up(e.ctx, stack.Config{
		Layout: layout, Root: root, EVM: f.EVM, Migrate: migrate, Clock: e.clock, Trading: true, Treasury: true, Env: extra,
		Children: func(at stack.Ports) []stack.Child {
			return withTrading(e, withTreasury(e, children(at), at), at, f.Sim)
		},
		LoadAssets: func(ctx context.Context, url, file string) error { return loadAssets(ctx, e.clock, url, file) },
		Step:       say.step, Note: say.note,
	})
	if err != nil {
		if e.ctx.Err() != nil {
			return nil, errors.New("stopped before the start was complete")
		}
		return nil, err
	}
	say.step("ready", e.clock().Sub(began), "")
	return s, nil
}

func stopStack(e *env, s *stack.Stack) error {
	e.printf("\nstopping, last started first\n")
	if err := s.Down(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	e.printf("stopped; `strongroom up` goes on from here\n")
	return nil
}

// speaker prints from several goroutines, a line at a time.
type speaker struct {
	env *env
	mu  sync.Mutex
}

func (s *speaker) step(name string, took time.Duration, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env.printf("%-14s %8s  %s\n", name, took.Round(time.Millisecond), detail)
}

func (s *speaker) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env.printf("  · %s\n", line)
}

// toolRoot finds the folder in which `make tools` put the servers: the one that
// is named, or the nearest above the binary or the working folder.
func toolRoot() (string, error) {
	if root := os.Getenv("STRONGROOM_ROOT"); root != "" {
		return root, nil
	}
	var starts []string
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	for _, dir := range starts {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "tools", "npm", "package.json")); err == nil {
				return dir, nil
			}
		}
	}
	return "", errors.New("the servers of development are in the repository: run from there, or set STRONGROOM_ROOT to it")
}
