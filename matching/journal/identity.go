package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	identityName  = "identity"
	identityMagic = "SRJID1\n"
	snapFolder    = "snapshots"
)

// shardIdentity is a number for cluster and shard, in files and between nodes.
func shardIdentity(cluster, shard string) uint64 {
	text := fmt.Appendf(nil, "%d:%s%d:%s", len(cluster), cluster, len(shard), shard)
	return uint64(castagnoli(text))<<32 | uint64(castagnoli(append(text, text...)))
}

// identityText is what the folder's identity file says.
func identityText(cfg Config) []byte {
	p := fmt.Appendf(nil, "%scluster %q\nshard %q\nnode %d\n", identityMagic, cfg.Cluster, cfg.Shard, cfg.Node)
	return binary.BigEndian.AppendUint32(p, castagnoli(p))
}

// lockFolder opens the data folder for this process alone, makes it first where asked
// to, and checks whose it is. Closing the file gives it up.
func lockFolder(cfg Config) (*os.File, error) {
	if err := checkFolder(cfg); err != nil {
		return nil, err
	}
	d, err := os.Open(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open journal folder: %w", err)
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrLocked, cfg.Dir), d.Close())
	}
	have, err := os.ReadFile(filepath.Join(cfg.Dir, identityName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("%w: no identity in %s", ErrForeign, cfg.Dir)
	case err != nil:
		err = fmt.Errorf("read journal identity: %w", err)
	case string(have) != string(identityText(cfg)):
		err = checkIdentity(have, cfg.Dir)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// checkIdentity says what is wrong with an identity that is not ours.
func checkIdentity(have []byte, dir string) error {
	if n := len(have) - 4; n < 0 || binary.BigEndian.Uint32(have[n:]) != castagnoli(have[:n]) {
		return fmt.Errorf("%w: identity in %s", ErrCorrupt, dir)
	}
	return fmt.Errorf("%w: %s", ErrForeign, dir)
}

func checkFolder(cfg Config) error {
	files, err := os.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into journal folder: %w", err)
	}
	switch {
	case cfg.Create && len(files) > 0:
		return fmt.Errorf("%w: %s", ErrNotEmpty, cfg.Dir)
	case cfg.Create:
		return createFolder(cfg)
	case len(files) == 0:
		return fmt.Errorf("%w: %s", ErrNoLog, cfg.Dir)
	}
	return nil
}

// createFolder builds the log beside its place and puts it there in one step, so that a
// crash leaves no half-made log.
func createFolder(cfg Config) error {
	building := filepath.Clean(cfg.Dir) + ".new"
	if err := os.RemoveAll(building); err != nil {
		return fmt.Errorf("remove unfinished journal: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(building, snapFolder), dirMode); err != nil {
		return fmt.Errorf("create journal folder: %w", err)
	}
	if err := createWAL(building, shardIdentity(cfg.Cluster, cfg.Shard), cfg.SegmentBytes); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(building, identityName), identityText(cfg)); err != nil {
		return err
	}
	if err := syncDir(building); err != nil {
		return err
	}
	if err := os.Remove(cfg.Dir); err != nil && !errors.Is(err, os.ErrNotExist) { // only an empty one goes
		return fmt.Errorf("replace journal folder: %w", err)
	}
	if err := os.Rename(building, cfg.Dir); err != nil {
		return fmt.Errorf("name journal folder: %w", err)
	}
	return syncDir(filepath.Dir(filepath.Clean(cfg.Dir)))
}

func writeSynced(name string, p []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	_, err = f.Write(p)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}
