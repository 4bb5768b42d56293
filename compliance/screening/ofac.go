package screening

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"strongroom/custody"
)

// ofacName is what findings call the list.
const ofacName = "OFAC SDN"

// maxListBytes bounds one file after decompression.
const maxListBytes = 256 << 20

// lookEvery is how often the files are looked at for a change.
const lookEvery = time.Second

// maxAhead is how far in the future a file may have been written: a clock that is
// off by more would keep a list young for ever.
const maxAhead = 24 * time.Hour

// ofac answers from the Specially Designated Nationals list of the US Treasury's
// Office of Foreign Assets Control, in its CSV form. The files are read again
// when they change.
type ofac struct {
	src Source

	mu     sync.Mutex
	looked time.Time // when the files were looked at last
	stamp  string    // of the files that were read: names, sizes, times
	now    loaded
}

// loaded is the list as it was read last.
type loaded struct {
	index   index
	version string    // digest of the files
	written time.Time // of the oldest file
	err     error     // why there is none
}

var _ Provider = (*ofac)(nil)

func openOFAC(src Source) (Provider, error) {
	if src.Path == "" || src.Clock == nil || src.Log == nil {
		return nil, errors.New("source lacks path, clock or log")
	}
	return &ofac{src: src}, nil
}

// Find implements Provider.
func (o *ofac) Find(ctx context.Context, subjects []Subject) ([]custody.Finding, error) {
	list := o.fresh(ctx)
	if list.err != nil {
		return nil, list.err
	}
	if age := o.src.Clock().Sub(list.written); o.src.MaxAge > 0 && age > o.src.MaxAge {
		return nil, fmt.Errorf("%w: it is %s old, %s are allowed", ErrStale, age.Round(time.Minute), o.src.MaxAge)
	} else if age < -maxAhead {
		return nil, fmt.Errorf("%w: it was written in the future, at %s", ErrStale, list.written.UTC().Format(time.RFC3339))
	}
	var found []custody.Finding
	for _, s := range subjects {
		for _, e := range list.index.find(s) {
			found = append(found, custody.Finding{
				Address: s.Address, List: ofacName, Version: list.version, Entry: e.Party, Currency: e.Currency,
			})
		}
	}
	return found, nil
}

// fresh returns the list, read anew where its files have changed.
func (o *ofac) fresh(ctx context.Context) loaded {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.src.Clock()
	if !o.looked.IsZero() && now.Sub(o.looked) < lookEvery && !now.Before(o.looked) {
		return o.now
	}
	o.looked = now
	files, stamp, written, err := o.files()
	if err != nil {
		if o.stamp != "" || o.now.err == nil {
			o.src.Log.ErrorContext(ctx, "sanctions list cannot be used", "list", ofacName, "path", o.src.Path, "error", err)
		}
		o.stamp, o.now = "", loaded{err: err}
		return o.now
	}
	if stamp == o.stamp {
		return o.now
	}
	o.stamp, o.now = stamp, o.load(ctx, files)
	o.now.written = written
	return o.now
}

// files names what makes up the list: one file, or in a folder sdn.csv and, where
// it is there, sdn_comments.csv, each plain or with .gz.
func (o *ofac) files() (files []string, stamp string, written time.Time, err error) {
	at, err := os.Stat(o.src.Path)
	if err != nil {
		return nil, "", written, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	files = []string{o.src.Path}
	if at.IsDir() {
		if files, err = folder(o.src.Path); err != nil {
			return nil, "", written, err
		}
	}
	var text strings.Builder
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, "", written, fmt.Errorf("%w: %w", ErrMissing, err)
		}
		_, _ = fmt.Fprintf(&text, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		if written.IsZero() || info.ModTime().Before(written) {
			written = info.ModTime()
		}
	}
	return files, text.String(), written, nil
}

func folder(dir string) ([]string, error) {
	var files []string
	for i, name := range []string{"sdn.csv", "sdn_comments.csv"} {
		found := ""
		for _, suffix := range []string{"", ".gz"} {
			path := filepath.Join(dir, name+suffix)
			if _, err := os.Stat(path); err == nil {
				found = path
				break
			}
		}
		switch {
		case found != "":
			files = append(files, found)
		case i == 0:
			return nil, fmt.Errorf("%w: no %s in %s", ErrMissing, name, dir)
		}
	}
	return files, nil
}

// load reads the files. A list without any address is refused: that is what a
// changed format would look like.
func (o *ofac) load(ctx context.Context, files []string) loaded {
	digest := sha256.New()
	all := newRemarks()
	for _, file := range files {
		if err := readInto(all, file, digest); err != nil {
			return o.broken(ctx, fmt.Errorf("%s: %w", filepath.Base(file), err))
		}
	}
	entries, cut, err := all.entries()
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%w: %d rows", ErrEmpty, all.rows)
	}
	if err != nil {
		return o.broken(ctx, err)
	}
	list := loaded{index: index{}, version: hex.EncodeToString(digest.Sum(nil))}
	for _, e := range entries {
		list.index.add(e)
	}
	o.src.Log.InfoContext(ctx, "sanctions list read", "list", ofacName, "parties", len(all.order), "addresses", len(entries), "version", list.version)
	if cut > 0 {
		o.src.Log.WarnContext(ctx, "sanctions list names addresses that are cut short; put its sdn_comments.csv beside it", "list", ofacName, "cut", cut)
	}
	return list
}

func (o *ofac) broken(ctx context.Context, err error) loaded {
	o.src.Log.ErrorContext(ctx, "sanctions list cannot be used", "list", ofacName, "path", o.src.Path, "error", err)
	return loaded{err: err}
}

// readInto reads one file, plain or compressed, into remarks and digest.
func readInto(all *remarks, path string, digest hash.Hash) error {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	defer func() { _ = file.Close() }()
	var plain io.Reader = bufio.NewReader(file)
	if filepath.Ext(path) == ".gz" {
		zipped, err := gzip.NewReader(plain)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		defer func() { _ = zipped.Close() }()
		plain = zipped
	}
	bounded := &io.LimitedReader{R: plain, N: maxListBytes + 1}
	if err := all.read(io.TeeReader(bounded, digest)); err != nil {
		return err
	}
	if bounded.N <= 0 {
		return fmt.Errorf("%w: more than %d bytes", ErrFormat, maxListBytes)
	}
	return nil
}
