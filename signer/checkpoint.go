package signer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkpoints are the ends of the journal that were written down: the first beside the
// journal, and one in a folder of its own where there is such. The second is what shows
// that the first and the journal were put back together.
type checkpoints []chainHead

// readCheckpoints reads the checkpoint of a state folder, and the one in the file remote
// unless that is empty. A remote one that is missing is none only while the journal holds
// nothing but its opening: else it was taken away, or Witness was never called.
func readCheckpoints(dir, remote string) (checkpoints, error) {
	local, err := readCheckpoint(filepath.Join(dir, checkpointFile))
	if err != nil || remote == "" {
		return checkpoints{local}, err
	}
	if err := checkApart(dir, remote); err != nil {
		return nil, err
	}
	far, err := readCheckpoint(remote)
	if errors.Is(err, os.ErrNotExist) && local.seq == 1 {
		return checkpoints{local}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint elsewhere: %w", err)
	}
	return checkpoints{local, far}, nil
}

// checkApart refuses a second checkpoint in the folder that it shall watch over: it would
// be put back with it.
func checkApart(dir, remote string) error {
	root, errRoot := filepath.Abs(filepath.Dir(dir))
	at, errAt := filepath.Abs(remote)
	if err := errors.Join(errRoot, errAt); err != nil {
		return fmt.Errorf("find checkpoint: %w", err)
	}
	if inside, err := filepath.Rel(root, at); err == nil && inside != ".." && !strings.HasPrefix(inside, ".."+string(filepath.Separator)) {
		return fmt.Errorf("%w: the checkpoint elsewhere is in the signer's own folder: name a file outside of %s", ErrPolicy, root)
	}
	return nil
}

// agree compares the record just read with the checkpoints at it.
func (c checkpoints) agree(head chainHead) error {
	for _, known := range c {
		if head.seq == known.seq && head.hash != known.hash {
			return fmt.Errorf("%w: record %d is not the one of the checkpoint", ErrJournal, head.seq)
		}
	}
	return nil
}

// covered says whether a journal that ends at head reaches each checkpoint.
func (c checkpoints) covered(head chainHead) error {
	for _, known := range c {
		if head.seq < known.seq {
			return fmt.Errorf("%w: %d records, the checkpoint knows %d: an older copy was put back; restore the newest journal",
				ErrJournal, head.seq, known.seq)
		}
	}
	return nil
}

// checkpoint writes down the journal's end wherever it is kept.
func (j *journal) checkpoint(head chainHead) error {
	if err := writeCheckpoint(filepath.Join(j.dir, checkpointFile), head); err != nil {
		return err
	}
	if j.remote == "" {
		return nil
	}
	if err := writeCheckpoint(j.remote, head); err != nil {
		return fmt.Errorf("checkpoint elsewhere: %w", err)
	}
	return nil
}

// Witness writes the present end of a signer's journal into a file that must not exist
// yet, which Config.Checkpoint then names. It is for a signer that worked without one:
// whoever calls it answers for this journal being the newest. The signer must not run.
// Errors wrap ErrJournal or ErrPolicy.
func Witness(dir, file string) (entries uint64, err error) {
	state := filepath.Join(dir, StateFolder)
	if err := checkApart(state, file); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%w: %s exists already, and is what the journal has to reach", ErrPolicy, file)
	}
	local, err := readCheckpoint(filepath.Join(state, checkpointFile))
	if err != nil {
		return 0, err
	}
	return local.seq, writeCheckpoint(file, local)
}

// writeCheckpoint replaces a checkpoint in one step, durably.
func writeCheckpoint(name string, head chainHead) error {
	temporary := name + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old checkpoint: %w", err)
	}
	if err := writeSynced(temporary, fmt.Appendf(nil, "%d %x\n", head.seq, head.hash)); err != nil {
		return err
	}
	if err := os.Rename(temporary, name); err != nil {
		return fmt.Errorf("replace checkpoint: %w", err)
	}
	return syncFolder(filepath.Dir(name))
}

func readCheckpoint(name string) (chainHead, error) {
	raw, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return chainHead{}, fmt.Errorf("%w: checkpoint: %w", ErrJournal, err)
	}
	var head chainHead
	var digits string
	if _, err := fmt.Sscanf(string(raw), "%d %64s\n", &head.seq, &digits); err != nil {
		return chainHead{}, fmt.Errorf("%w: checkpoint: %w", ErrJournal, err)
	}
	if n, err := hex.Decode(head.hash[:], []byte(digits)); err != nil || n != len(head.hash) || head.seq == 0 {
		return chainHead{}, fmt.Errorf("%w: checkpoint is malformed", ErrJournal)
	}
	return head, nil
}
