package cold

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ReadFile reads a file of at most limit bytes.
func ReadFile(name string, limit int) (content []byte, err error) {
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written through this handle
	content, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if len(content) > limit {
		return nil, fmt.Errorf("read file %s: more than %d bytes", name, limit)
	}
	return content, nil
}

// WriteNew writes a file that must not exist yet, for its owner alone, and returns when
// the disk has it. What it could not write to the end it takes away again.
func WriteNew(name string, content []byte) error {
	name = filepath.Clean(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write new file: %w", err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write new file: %w", errors.Join(err, os.Remove(name)))
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close() //nolint:errcheck // nothing was written through this handle
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
