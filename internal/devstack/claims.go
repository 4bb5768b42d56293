package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Claims are ports that this process has promised to its children. Between
// finding a port free and a child listening on it seconds pass; a claim keeps
// other stacks on this machine from choosing it meanwhile. Claims end with the
// process, however that ends.
type Claims struct {
	dir   string
	files []*os.File
}

// NewClaims returns an empty set of claims, shared with all stacks of this user on
// this machine through the system's temporary folder.
func NewClaims() *Claims {
	return &Claims{dir: filepath.Join(os.TempDir(), fmt.Sprintf("strongroom-ports-%d", os.Getuid()))}
}

// Take claims a port and reports whether it could: nobody listens on it and no
// other stack has claimed it.
func (c *Claims) Take(port int) bool {
	if !PortFree(port) {
		return false
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return false
	}
	f, err := os.OpenFile(filepath.Join(c.dir, fmt.Sprintf("%d.lock", port)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return false
	}
	c.files = append(c.files, f)
	return true
}

// Release gives all claims up.
func (c *Claims) Release() error {
	errs := make([]error, 0, len(c.files))
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	c.files = nil
	return errors.Join(errs...)
}
