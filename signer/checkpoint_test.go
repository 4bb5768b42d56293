package signer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// An older copy of the whole folder is whole in itself: seed, journal and the checkpoint
// beside it agree. Only what was kept elsewhere tells.
func TestFolderPutBackIsRefused(t *testing.T) {
	cfg := testConfig(filepath.Join(t.TempDir(), "signer"), newClock())
	cfg.Checkpoint = filepath.Join(t.TempDir(), "head")
	older := t.TempDir()
	s := openSigner(t, cfg)
	wantSigned(t, s, ethWithdrawal(t, "wdr_0", 0, 5), "before the copy")
	if err := os.CopyFS(older, os.DirFS(cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	wantSigned(t, s, ethWithdrawal(t, "wdr_1", 1, 5), "after the copy")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	newest := cfg.Dir
	cfg.Dir = older
	wantRefusesToStart(t, cfg, "an older copy of the folder")
	cfg.Dir = newest
	s = openSigner(t, cfg)
	wantSigned(t, s, ethWithdrawal(t, "wdr_1", 1, 5), "the newest folder goes on")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Another history of the same length.
	cfg.Dir, cfg.Checkpoint = older, ""
	s = openSigner(t, cfg)
	for i := range uint64(3) {
		wantSigned(t, s, ethWithdrawal(t, fmt.Sprintf("wdr_9%d", i), 1+i, 7), "without a checkpoint nobody notices")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Checkpoint = filepath.Join(t.TempDir(), "unknown")
	wantRefusesToStart(t, cfg, "a checkpoint that is gone")
	if _, err := Witness(newest, cfg.Checkpoint); err != nil {
		t.Fatal(err)
	}
	wantRefusesToStart(t, cfg, "another history")
}

func TestCheckpointElsewhereIsKept(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	s := openSigner(t, cfg)
	wantSigned(t, s, ethWithdrawal(t, "wdr_0", 0, 5), "without")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Checkpoint = filepath.Join(t.TempDir(), "head")
	if n, err := Witness(cfg.Dir, cfg.Checkpoint); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := Witness(cfg.Dir, cfg.Checkpoint); !errors.Is(err, ErrPolicy) {
		t.Errorf("witnessed over an older one: %v", err)
	}
	if _, err := Witness(cfg.Dir, filepath.Join(cfg.Dir, "head")); !errors.Is(err, ErrPolicy) {
		t.Errorf("witnessed in the folder itself: %v", err)
	}
	s = openSigner(t, cfg)
	if err := os.RemoveAll(filepath.Dir(cfg.Checkpoint)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(ethWithdrawal(t, "wdr_1", 1, 5)); !errors.Is(err, ErrJournal) {
		t.Errorf("signed without its checkpoint: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantRefusesToStart(t, cfg, "the checkpoint elsewhere is gone")
	inside := cfg
	inside.Checkpoint = filepath.Join(cfg.Dir, "head")
	if _, err := New(inside); !errors.Is(err, ErrPolicy) {
		t.Errorf("opened with its checkpoint inside: %v", err)
	}
}
