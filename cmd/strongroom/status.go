package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// statusCommand shows what runs.
type statusCommand struct {
	stateFlag

	Output string `short:"o" help:"Form of the answer: text or json." enum:"text,json" default:"text"`
}

// errDown ends `status` with exit code 1 where nothing runs.
var errDown = errors.New("not running; start it with `strongroom up`")

// Run prints the status; it fails where the stack does not run.
func (c *statusCommand) Run(e *env) error {
	layout, err := c.layout()
	if err != nil {
		return err
	}
	status, err := layout.Status()
	if err != nil {
		return err
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(e.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(status); err != nil {
			return fmt.Errorf("print status: %w", err)
		}
		if !status.Running {
			return errDown
		}
		return nil
	}
	if !status.Running {
		return fmt.Errorf("%w (%s)", errDown, status.Dir)
	}
	e.printf("running from %s, process %d\n\n", status.Dir, status.PID)
	e.printf("%-10s %-6s %8s %9s %9s  %s\n", "SERVICE", "STATE", "PID", "RESTARTS", "SINCE", "ENDPOINT")
	for _, s := range status.Services {
		state := "ready"
		if !s.Ready {
			state = "down"
		}
		e.printf("%-10s %-6s %8d %9d %9s  %s\n", s.Name, state, s.PID, s.Restarts,
			e.clock().Sub(s.Since).Round(time.Second), s.Endpoint)
	}
	e.printf("\nAPI %s   Temporal UI %s\n", status.URLs["api"], status.URLs["temporal-ui"])
	return nil
}
