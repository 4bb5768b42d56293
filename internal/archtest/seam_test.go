package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What a product is built from has the empty halves of the seams for crashes and
// planted bugs, which import nothing, and nothing of the harness that uses them.
func TestNoProductBuildContainsTheSeams(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,GoFiles,Imports", "./cmd/...")
	list.Dir = root
	var said strings.Builder
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list what the product is built from: %v\n%s", err, said.String())
	}
	want := map[string][]string{
		module + "internal/crash":   {"off.go", "points.go"},
		module + "internal/planted": {"off.go", "planted.go"},
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string   `json:"ImportPath"` //nolint:tagliatelle // as go list writes it
			GoFiles    []string `json:"GoFiles"`    //nolint:tagliatelle // as go list writes it
			Imports    []string `json:"Imports"`    //nolint:tagliatelle // as go list writes it
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(pkg.ImportPath, module+"internal/chaos") {
			t.Errorf("the product is built from %s", pkg.ImportPath)
		}
		files, is := want[pkg.ImportPath]
		if !is {
			continue
		}
		if !slices.Equal(pkg.GoFiles, files) || len(pkg.Imports) != 0 {
			t.Errorf("%s is built from %v and imports %v, want %v and nothing", pkg.ImportPath, pkg.GoFiles, pkg.Imports, files)
		}
		delete(want, pkg.ImportPath)
	}
	for missing := range want {
		t.Errorf("%s is not among what the product is built from: the test sees nothing", missing)
	}
}
