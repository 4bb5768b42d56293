package site

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var shared embed.FS

// Static is the files that pages load. All have one hash in their path, so that scripts
// find each other beside themselves, and browsers may keep them for ever.
type Static struct {
	// Base is "<prefix>/<hash>/".
	Base  string
	files map[string][]byte
}

// NewStatic reads the folder "static" of own beside what all pages share: vendor/htmx.min.js
// and icon.svg. They are served below prefix, as "/static".
func NewStatic(prefix string, own fs.FS) (*Static, error) {
	s := &Static{files: map[string][]byte{}}
	sum := sha256.New()
	for _, from := range []fs.FS{shared, own} {
		err := fs.WalkDir(from, "static", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(from, name)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			one := sha256.Sum256(data)
			_, _ = fmt.Fprintf(sum, "%s\x00%x\n", name, one) // a hash takes everything
			s.files[strings.TrimPrefix(name, "static/")] = data
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read static files: %w", err)
		}
	}
	s.Base = prefix + "/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	return s, nil
}

// contentType of what there is; nothing else is served.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (s *Static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, s.Base)
	data, found := s.files[name]
	kind := contentType(name)
	if !ok || !found || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data) // the reader is gone where this fails
}
