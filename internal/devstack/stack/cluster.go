package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"strongroom/internal/devstack"
)

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
	if owner == nil || devstack.Passable(l.Dir, owner) {
		return link, "", nil
	}
	sum := sha256.Sum256([]byte(l.Dir))
	home := filepath.Join(devstack.Elsewhere, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(home, 0o755); err != nil { //nolint:gosec // the server's user passes through
		return "", "", fmt.Errorf("create %s: %w", home, err)
	}
	dir = filepath.Join(home, "postgres")
	if err := os.Symlink(dir, link); err != nil {
		return "", "", fmt.Errorf("link %s: %w", link, err)
	}
	return dir, fmt.Sprintf("PostgreSQL's user cannot pass through %s: its data is in %s", l.Dir, dir), nil
}

// wipe removes the state folder and what it keeps elsewhere. The caller holds
// the lock, which goes too.
func (l Layout) wipe() error {
	if target, err := os.Readlink(l.path("postgres")); err == nil {
		if err := os.RemoveAll(target); err != nil {
			return fmt.Errorf("remove %s: %w", target, err)
		}
		if home := filepath.Dir(target); filepath.Dir(home) == devstack.Elsewhere {
			_ = os.Remove(home) // empty now; if not, it is not ours
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
