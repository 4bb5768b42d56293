package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"strongroom/internal/devstack"
)

// elsewhere is where a cluster lives that cannot live in the state folder.
const elsewhere = "/var/lib/strongroom"

// clusterDir returns where PostgreSQL keeps its data, and a note where that is
// not simply the state folder: where we are root, PostgreSQL runs as another
// user, who may be unable to pass through a folder above (a clone in a home of
// mode 0700).
func (l Layout) clusterDir() (dir, note string, err error) {
	link := l.path("postgres")
	if target, err := os.Readlink(link); err == nil {
		return target, "", nil
	}
	owner, err := devstack.PostgresOwner()
	if err != nil {
		return "", "", fmt.Errorf("find a user for PostgreSQL: %w", err)
	}
	if owner == nil || passable(l.Dir, owner) {
		return link, "", nil
	}
	sum := sha256.Sum256([]byte(l.Dir))
	home := filepath.Join(elsewhere, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(home, 0o755); err != nil { //nolint:gosec // the server's user passes through
		return "", "", fmt.Errorf("create %s: %w", home, err)
	}
	dir = filepath.Join(home, "postgres")
	if err := os.Symlink(dir, link); err != nil {
		return "", "", fmt.Errorf("link %s: %w", link, err)
	}
	return dir, fmt.Sprintf("PostgreSQL's user cannot pass through %s: its data is in %s", l.Dir, dir), nil
}

// serverBin returns the folder of PostgreSQL's binaries, copied to where its user
// can reach it if need be.
func serverBin(root string) (string, error) {
	bin, err := devstack.PostgresBinDir(root)
	if err != nil {
		return "", err
	}
	owner, err := devstack.PostgresOwner()
	if err != nil {
		return "", fmt.Errorf("find a user for PostgreSQL: %w", err)
	}
	if owner == nil || passable(bin, owner) {
		return bin, nil
	}
	native := filepath.Dir(bin)
	sum := sha256.Sum256([]byte(native))
	copied := filepath.Join(elsewhere, "bin-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(filepath.Join(copied, "bin", "postgres")); err == nil {
		return filepath.Join(copied, "bin"), nil
	}
	if err := os.MkdirAll(elsewhere, 0o755); err != nil { //nolint:gosec // the server's user passes through
		return "", fmt.Errorf("create %s: %w", elsewhere, err)
	}
	if err := os.CopyFS(copied, os.DirFS(native)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("copy PostgreSQL to %s: %w", copied, err)
	}
	return filepath.Join(copied, "bin"), nil
}

// passable reports whether a user can enter path through every folder above it.
func passable(path string, who *syscall.Credential) bool {
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && !mayEnter(info, who) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

func mayEnter(info os.FileInfo, who *syscall.Credential) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := info.Mode().Perm()
	switch {
	case stat.Uid == who.Uid:
		return mode&0o100 != 0
	case stat.Gid == who.Gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// wipe removes the state folder and what it keeps elsewhere. The caller holds
// the lock, which goes too.
func (l Layout) wipe() error {
	if target, err := os.Readlink(l.path("postgres")); err == nil {
		if err := os.RemoveAll(target); err != nil {
			return fmt.Errorf("remove %s: %w", target, err)
		}
	}
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return fmt.Errorf("list state folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue // we hold it
		}
		if err := os.RemoveAll(l.path(e.Name())); err != nil {
			return fmt.Errorf("remove %s: %w", l.path(e.Name()), err)
		}
	}
	return nil
}
