package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// logsCommand prints a service's log.
type logsCommand struct {
	stateFlag

	Follow  bool   `short:"f" help:"Go on printing what is added."`
	Lines   int    `short:"n" help:"Print only the last lines; 0 for all." default:"200"`
	Service string `arg:"" help:"postgres, anvil, btcd, temporal, signer, matching, trading, worker or api."`
}

const (
	followEvery = 200 * time.Millisecond
	maxLogTail  = 16 << 20 // read from the end of a log for its last lines
)

// Run prints the log.
func (c *logsCommand) Run(e *env) error {
	layout, err := c.layout()
	if err != nil {
		return err
	}
	if c.Lines < 0 {
		return fmt.Errorf("%w: -n %d is below 0", errUsage, c.Lines)
	}
	path := layout.LogFile(c.Service)
	file, err := os.Open(path) //nolint:gosec // below the state folder
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: no service %q has a log; there are: %s", errUsage, c.Service, services(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := lastLines(e.out, file, c.Lines); err != nil {
		return err
	}
	for c.Follow {
		select {
		case <-e.ctx.Done():
			return nil
		case <-time.After(followEvery): //nolint:forbidigo // waits for another process
		}
		if file, err = current(file, path); err != nil {
			return err
		}
		if _, err := io.Copy(e.out, file); err != nil {
			return fmt.Errorf("print log: %w", err)
		}
	}
	return nil
}

// current returns the file at path: the open one, or the one that replaced it.
func current(open *os.File, path string) (*os.File, error) {
	was, err := open.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at log: %w", err)
	}
	is, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && os.SameFile(was, is)) {
		return open, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at log: %w", err)
	}
	next, err := os.Open(path) //nolint:gosec // below the state folder
	if err != nil {
		return nil, fmt.Errorf("reopen log: %w", err)
	}
	_ = open.Close() // it was only read
	return next, nil
}

// lastLines copies the last n lines and leaves the file at its end.
func lastLines(w io.Writer, file *os.File, n int) error {
	if n == 0 {
		_, err := io.Copy(w, file)
		return printed(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measure log: %w", err)
	}
	from := max(0, size-maxLogTail)
	text := make([]byte, size-from)
	if _, err := file.ReadAt(text, from); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read log: %w", err)
	}
	at := len(text)
	for range n + 1 {
		at = bytes.LastIndexByte(text[:max(at, 0)], '\n')
		if at < 0 {
			break
		}
	}
	_, err = w.Write(text[at+1:])
	return printed(err)
}

func printed(err error) error {
	if err != nil {
		return fmt.Errorf("print log: %w", err)
	}
	return nil
}

func services(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) == 0 {
		return "none yet"
	}
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".log"))
	}
	return strings.Join(names, ", ")
}
