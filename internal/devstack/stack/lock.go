package stack

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrRunning reports that another process runs the stack of this folder.
var ErrRunning = errors.New("strongroom is running already")

// lock takes the folder for this process; the kernel gives it back when the
// process ends, however it ends.
func (l Layout) lock() (*os.File, error) {
	f, err := os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid := holder(f)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w in %s (process %s); stop it with Ctrl-C there or `kill %s`", ErrRunning, l.Dir, pid, pid)
		}
		return nil, fmt.Errorf("lock %s: %w", l.Dir, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid()))); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Running returns the process that runs the stack, or 0.
func (l Layout) Running() int {
	f, err := os.Open(l.path("lock"))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0 // nobody holds it; ours ends with the file
	}
	pid, err := strconv.Atoi(holder(f))
	if err != nil {
		return 0
	}
	return pid
}

func holder(f *os.File) string {
	text := make([]byte, 16)
	n, _ := f.ReadAt(text, 0)
	if n == 0 {
		return "unknown"
	}
	return strings.TrimSpace(string(text[:n]))
}

func writeAt(f *os.File, text string) error {
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}
