package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const folderPrefix = "strongroom-test-"

// clusterDir returns an empty data folder that names this process, and sweeps
// away those of processes that are gone: a test process has no end at which it
// could clean up by itself.
func clusterDir() (string, error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return "", fmt.Errorf("list old folders: %w", err)
	}
	for _, dir := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
	base, err := os.MkdirTemp("", folderPrefix+strconv.Itoa(os.Getpid())+"-*")
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	if err := os.Chmod(base, 0o755); err != nil { //nolint:gosec // the server's user has to pass through
		return "", fmt.Errorf("open folder: %w", err)
	}
	return filepath.Join(base, "data"), nil
}
