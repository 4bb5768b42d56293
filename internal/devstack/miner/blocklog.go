package miner

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// BlockLog is an append-only file of raw blocks, one "hash hex" line each. A
// line that a crash cut short is dropped when the log is opened.
type BlockLog struct {
	mu     sync.Mutex
	file   *os.File
	end    int64
	order  []string
	places map[string]place
}

type place struct{ at, length int64 } // of the hex text

// OpenBlockLog opens or creates the log.
func OpenBlockLog(path string) (*BlockLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("open block log: %w", err)
	}
	l := &BlockLog{file: file, places: map[string]place{}}
	if err := l.scan(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// scan reads the index and cuts off an unfinished last line.
func (l *BlockLog) scan() error {
	in := bufio.NewReaderSize(l.file, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if err := l.file.Truncate(l.end); err != nil {
				return fmt.Errorf("cut block log: %w", err)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("read block log: %w", err)
		}
		hash, raw, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if !ok || len(hash) == 0 || len(raw) == 0 {
			return fmt.Errorf("block log is damaged at byte %d", l.end)
		}
		l.note(string(hash), int64(len(raw)))
	}
}

func (l *BlockLog) note(hash string, rawLength int64) {
	l.places[hash] = place{at: l.end + int64(len(hash)) + 1, length: rawLength}
	l.order = append(l.order, hash)
	l.end += int64(len(hash)) + 1 + rawLength + 1
}

// Has reports whether the block is in the log.
func (l *BlockLog) Has(hash string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.places[hash]
	return ok
}

// Blocks returns the hashes in the order in which they were appended.
func (l *BlockLog) Blocks() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.order...)
}

// Newest returns the hash that was appended last; empty for an empty log.
func (l *BlockLog) Newest() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) == 0 {
		return ""
	}
	return l.order[len(l.order)-1]
}

// Raw returns the block's bytes in hex.
func (l *BlockLog) Raw(hash string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.places[hash]
	if !ok {
		return "", fmt.Errorf("block %s is not in the log", hash)
	}
	raw := make([]byte, p.length)
	if _, err := l.file.ReadAt(raw, p.at); err != nil {
		return "", fmt.Errorf("read block %s: %w", hash, err)
	}
	return string(raw), nil
}

// Append adds a block; it is durable after Sync.
func (l *BlockLog) Append(hash, raw string) error {
	if hash == "" || raw == "" || strings.ContainsAny(hash+raw, " \n") {
		return fmt.Errorf("block %q cannot be logged", hash)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.places[hash]; ok {
		return nil
	}
	if _, err := l.file.WriteAt([]byte(hash+" "+raw+"\n"), l.end); err != nil {
		return fmt.Errorf("append block %s: %w", hash, err)
	}
	l.note(hash, int64(len(raw)))
	return nil
}

// Sync makes what was appended durable.
func (l *BlockLog) Sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync block log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *BlockLog) Close() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close block log: %w", err)
	}
	return nil
}
