package signer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// signedState is the folder of a signer that gave three signatures and ended.
func signedState(t *testing.T) (Config, []byte) {
	t.Helper()
	cfg := testConfig(t.TempDir(), newClock())
	s := openSigner(t, cfg)
	for i := range uint64(3) {
		wantSigned(t, s, ethWithdrawal(t, fmt.Sprintf("wdr_%d", i), i, 5), "prepare")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(journalPath(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, raw
}

func journalPath(cfg Config) string { return filepath.Join(cfg.Dir, StateFolder, journalFile) }

func overwrite(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantUnreadable opens only the journal: deriving keys anew takes longer.
func wantUnreadable(t *testing.T, cfg Config, fingerprint, why string) {
	t.Helper()
	j, err := openJournal(filepath.Join(cfg.Dir, StateFolder), cfg.Checkpoint, fingerprint, func(record) {})
	if err == nil {
		_ = j.close()
	}
	if !errors.Is(err, ErrJournal) {
		t.Fatalf("%s: got %v, want ErrJournal", why, err)
	}
}

func fingerprintOf(t *testing.T, cfg Config) string {
	t.Helper()
	secret, err := openSeed(filepath.Join(cfg.Dir, StateFolder, seedFile), cfg.Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return secret.fingerprint()
}

func wantRefusesToStart(t *testing.T, cfg Config, why string) {
	t.Helper()
	s, err := New(cfg)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, ErrJournal) {
		t.Fatalf("%s: got %v, want ErrJournal", why, err)
	}
}

// A journal that lost anything it had acknowledged is a journal that forgot a
// slot: wherever it was cut, the signer does not start.
func TestCutJournalIsRefused(t *testing.T) {
	cfg, raw := signedState(t)
	fingerprint := fingerprintOf(t, cfg)
	for n := range raw {
		overwrite(t, journalPath(cfg), raw[:n])
		wantUnreadable(t, cfg, fingerprint, fmt.Sprintf("first %d of %d bytes", n, len(raw)))
	}
}

func TestDamagedJournalIsRefused(t *testing.T) {
	cfg, raw := signedState(t)
	fingerprint := fingerprintOf(t, cfg)
	for i := 0; i < len(raw); i += 3 {
		damaged := slices.Clone(raw)
		damaged[i] ^= 0x10
		overwrite(t, journalPath(cfg), damaged)
		wantUnreadable(t, cfg, fingerprint, fmt.Sprintf("byte %d changed", i))
	}
	lines := bytes.SplitAfter(raw, []byte{'\n'})
	overwrite(t, journalPath(cfg), slices.Concat(lines[0], lines[2], lines[1], lines[3]))
	wantRefusesToStart(t, cfg, "two records swapped")
	overwrite(t, journalPath(cfg), slices.Concat(lines[0], lines[1], lines[3]))
	wantRefusesToStart(t, cfg, "a record left out")
	overwrite(t, journalPath(cfg), slices.Concat(raw, lines[3]))
	if s, err := New(cfg); err == nil { // a copy beyond the checkpoint was never acknowledged
		if s.journal.head.seq != 4 {
			t.Errorf("%d records", s.journal.head.seq)
		}
		_ = s.Close()
	}
}

// A record that was being written when the power failed was not acknowledged and
// nothing was signed for it: it is cut off.
func TestTornRecordIsCutOff(t *testing.T) {
	cfg, raw := signedState(t)
	torn := bytes.SplitAfter(raw, []byte{'\n'})[3]
	tails := map[string][]byte{
		"half a line": torn[:len(torn)/2], "a line without its end": torn[:len(torn)-1],
		"one byte": torn[:1], "zeros": make([]byte, 300), "a line with a hole": slices.Concat(make([]byte, 40), torn[40:]),
	}
	for name, tail := range tails {
		overwrite(t, journalPath(cfg), slices.Concat(raw, tail))
		s, err := New(cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantRefused(t, s, ethWithdrawal(t, "wdr_new", 2, 5), name+": a used nonce")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(journalPath(cfg)); !bytes.Equal(now, raw) {
			t.Errorf("%s: the journal has %d bytes, want %d", name, len(now), len(raw))
		}
	}
}

func TestJournalBelongsToItsSeedAndCheckpoint(t *testing.T) {
	cfg, raw := signedState(t)
	other, _ := signedState(t)
	overwrite(t, journalPath(other), raw)
	wantRefusesToStart(t, other, "the journal of another signer")

	head := filepath.Join(cfg.Dir, StateFolder, checkpointFile)
	checkpoint, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "x", "4\n", "0 " + string(checkpoint[2:]), "5 " + string(checkpoint[2:]), "4 00\n"} {
		overwrite(t, head, []byte(content))
		wantRefusesToStart(t, cfg, fmt.Sprintf("checkpoint %q", content))
	}
	if err := os.Remove(head); err != nil {
		t.Fatal(err)
	}
	wantRefusesToStart(t, cfg, "no checkpoint")
}

func TestSecondSignerIsRefused(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	s := openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	wantRefusesToStart(t, cfg, "a second signer on the same folder")
}

// After a write that failed nobody knows what the disk holds: nothing more is
// signed until a restart has read it.
func TestFailedWriteStopsSigning(t *testing.T) {
	s := newSigner(t)
	if err := s.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Sign(ethWithdrawal(t, "wdr_1", 0, 5)); !errors.Is(err, ErrJournal) {
			t.Errorf("got %v, want ErrJournal", err)
		}
	}
	if status, err := s.Status(); err != nil || !status.GetFrozen() {
		t.Errorf("status %v: %v", status, err)
	}
}

func FuzzRecord(f *testing.F) {
	line, _, err := encodeRecord(record{Seq: 2, Type: recordSign, Sign: &permission{Attempt: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line[:len(line)-1])
	f.Add([]byte("00000000 {}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decodeRecord(line)
		if err != nil {
			if !errors.Is(err, ErrJournal) {
				t.Fatal(err)
			}
			return
		}
		if _, _, err := encodeRecord(r); err != nil {
			t.Fatalf("%q was read and cannot be written: %v", line, err)
		}
	})
}
