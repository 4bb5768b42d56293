package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"strongroom/internal/devstack"
)

// record is the state of a service as run/<service>.json keeps it.
type record struct {
	devstack.State

	// Born is the kernel's start time of the process, so that a reused process id
	// is not taken for it.
	Born string `json:"born,omitempty"`
}

func (l Layout) recordFile(name string) string { return l.path("run", name+".json") }

// writeRecord notes the state of a service.
func (l Layout) writeRecord(state devstack.State) error {
	raw, err := json.Marshal(record{State: state, Born: born(state.PID)})
	if err != nil {
		return fmt.Errorf("encode state of %s: %w", state.Name, err)
	}
	return writeSecret(l.recordFile(state.Name), string(raw)+"\n")
}

// readRecords returns what the folder knows of its services.
func (l Layout) readRecords() ([]record, error) {
	files, err := filepath.Glob(l.path("run", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list states: %w", err)
	}
	records := make([]record, 0, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // our own folder
		if err != nil {
			return nil, fmt.Errorf("read state: %w", err)
		}
		var r record
		if json.Unmarshal(raw, &r) == nil {
			records = append(records, r)
		}
	}
	return records, nil
}

func (r record) alive() bool { return r.PID > 0 && r.Born != "" && born(r.PID) == r.Born }

const (
	orphansLeaveWithin = 15 * time.Second
	orphanProbe        = 50 * time.Millisecond
)

// endOrphans waits for services of a run that was killed: the kernel has told
// them to end. Those that stay are killed.
func (l Layout) endOrphans() error {
	records, err := l.readRecords()
	if err != nil {
		return err
	}
	for _, r := range records {
		for waited := time.Duration(0); r.alive(); waited += orphanProbe {
			if waited >= orphansLeaveWithin {
				if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					return fmt.Errorf("end %s of the last run (process %d): %w", r.Name, r.PID, err)
				}
			}
			time.Sleep(orphanProbe) //nolint:forbidigo // waits for another process
		}
		if err := os.Remove(l.recordFile(r.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget %s: %w", r.Name, err)
		}
	}
	return nil
}

// born returns the kernel's start time of a process; empty where there is none.
func born(pid int) string {
	if pid <= 0 {
		return ""
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the name in parentheses and may hold anything; the
	// start time is the 22nd, the 20th after it.
	_, rest, ok := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
