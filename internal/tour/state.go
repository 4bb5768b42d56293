package tour

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// state is what a tour remembers across an interruption. What it asks of the
// platform is idempotent by the run's number.
type state struct {
	Run      int               `json:"run"`
	Customer Credential        `json:"customer"`
	Funded   map[string]string `json:"funded"`   // asset → txid of the house's own money; once per state folder
	Paid     map[string]string `json:"paid"`     // asset → txid of the deposit
	Moved    map[string]string `json:"moved"`    // asset → transfer to trading
	Dealt    map[string]string `json:"dealt"`    // deal → order id
	Asked    map[string]string `json:"asked"`    // asset → withdrawal id
	Before   map[string]string `json:"before"`   // asset → outside balance before the withdrawal
	Finished bool              `json:"finished"` // the next start begins a new run
}

func (t *Tour) file() string { return filepath.Join(t.cfg.StateDir, "tour.json") }

// load reads the state of an interrupted run, or begins the next.
func (t *Tour) load() error {
	raw, err := os.ReadFile(t.file())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read tour: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(raw, &t.state); err != nil {
			return fmt.Errorf("read %s: %w", t.file(), err)
		}
	}
	if t.state.Run == 0 || t.state.Finished {
		t.state = state{
			Run: t.state.Run + 1, Funded: t.state.Funded, Customer: t.state.Customer,
			Paid: map[string]string{}, Asked: map[string]string{}, Before: map[string]string{},
		}
	} else {
		t.say("resuming the tour that was interrupted")
	}
	for _, m := range []*map[string]string{&t.state.Funded, &t.state.Moved, &t.state.Dealt} {
		if *m == nil { // a folder of before it was kept
			*m = map[string]string{}
		}
	}
	return t.save()
}

func (t *Tour) save() error {
	raw, err := json.MarshalIndent(t.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encode tour: %w", err)
	}
	next := t.file() + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return fmt.Errorf("write tour: %w", err)
	}
	if err := os.Rename(next, t.file()); err != nil {
		return fmt.Errorf("replace tour: %w", err)
	}
	return nil
}

func (t *Tour) finish() error {
	t.state.Finished = true
	return t.save()
}
