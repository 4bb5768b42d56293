package testenv

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browseWithin bounds what a script does in a browser.
const browseWithin = 4 * time.Minute

// Chromium is the browser: the one that make tools fetched, else the one that is
// installed. Where it is missing the test fails.
func Chromium(t *testing.T) string {
	t.Helper()
	if own := filepath.Join(Root(t), ".tools/bin/chromium"); isFile(own) {
		return own
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium; make tools fetches one: %v", err)
	}
	return path
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Axe is the script that finds what people with disabilities cannot use.
func Axe(t *testing.T) string {
	t.Helper()
	return filepath.Join(Root(t), "tools/npm/node_modules/axe-core/axe.min.js")
}

// Browse runs a script of node, named from the root of the repository, with a plan on its
// standard input, and returns what it said. Where it ends with an error the test fails.
func Browse(t *testing.T, script string, plan any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browseWithin)
	defer cancel()
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", script) //nolint:gosec // a script of the repository
	cmd.Dir = Root(t)
	cmd.Stdin = strings.NewReader(string(data))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // the browser's folders end with the test
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
	return string(out)
}
