package signer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An auditor reads what was allowed while the signer has the journal open, and
// notices a line that was changed.
func TestAuditReadsPermissionsAndNoticesChange(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := createJournal(dir, "seed", now); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(dir, "", "seed", func(record) {})
	if err != nil {
		t.Fatal(err)
	}
	for attempt := range uint32(3) {
		p := permission{Intent: intent{ID: "wdr_1"}, Attempt: attempt + 1, Payload: "00"}
		if _, err := j.append(record{Type: recordSign, Sign: &p}, now); err != nil {
			t.Fatal(err)
		}
	}
	var got []Permission
	if err := Audit(dir, func(p Permission) { got = append(got, p) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[2] != (Permission{Intent: "wdr_1", Attempt: 3, Payload: "00"}) {
		t.Fatalf("audit read %v", got)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, journalFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Audit(dir, func(Permission) {}); !errors.Is(err, ErrJournal) {
		t.Errorf("a changed journal gives %v", err)
	}
}
