package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Elsewhere is where PostgreSQL's things lie that its user cannot reach in their
// own place: where we are root, it runs as another user, who may be unable to
// pass through a folder above (a clone in a home of mode 0700).
const Elsewhere = "/var/lib/strongroom"

// reachable returns a folder of PostgreSQL's binaries that its user can enter:
// bin itself, or a copy of the package around it.
func reachable(bin string) (string, error) {
	owner, err := PostgresOwner()
	if err != nil || owner == nil || Passable(bin, owner) {
		return bin, err
	}
	native := filepath.Dir(bin)
	sum := sha256.Sum256([]byte(native))
	copied := filepath.Join(Elsewhere, "bin-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(filepath.Join(copied, "bin", "postgres")); err == nil {
		return filepath.Join(copied, "bin"), nil
	}
	if err := os.MkdirAll(Elsewhere, 0o755); err != nil { //nolint:gosec // the server's user passes through
		return "", fmt.Errorf("create %s: %w", Elsewhere, err)
	}
	half, err := os.MkdirTemp(Elsewhere, "copy-*") // a copy that is cut short is never taken for whole
	if err != nil {
		return "", fmt.Errorf("make folder for PostgreSQL: %w", err)
	}
	defer func() { _ = os.RemoveAll(half) }()
	err = errors.Join(os.Chmod(half, 0o755), os.CopyFS(half, os.DirFS(native))) //nolint:gosec // the server's user passes through
	if err == nil {
		err = os.Rename(half, copied)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("copy PostgreSQL to %s: %w", copied, err)
	}
	return filepath.Join(copied, "bin"), nil
}

// Passable reports whether a user can enter path through every folder above it.
func Passable(path string, who *syscall.Credential) bool {
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
