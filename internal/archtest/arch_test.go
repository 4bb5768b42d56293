package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "strongroom/"
)

// source is one file's imports.
type source struct {
	file, pkg string
	imports   []string
}

func (s source) test() bool { return strings.HasSuffix(s.file, "_test.go") }

func TestImportsFollowTheLayout(t *testing.T) {
	sources := read(t)
	if len(sources) < 50 {
		t.Fatalf("read only %d files: the test does not see the module", len(sources))
	}
	for _, s := range sources {
		for _, complaint := range judge(s, layout()) {
			t.Error(complaint)
		}
	}
}

// Each place of the list is real: a rule for what is not there hides a gap.
func TestNoRuleIsForNothing(t *testing.T) {
	sources := read(t)
	for _, r := range layout() {
		if !slices.ContainsFunc(sources, func(s source) bool { return names(r.place, s.pkg) }) {
			t.Errorf("no package is at %s", r.place)
		}
	}
}

// The judge itself, on imports that must not pass.
func TestJudge(t *testing.T) {
	for _, bad := range []source{
		{"workflows/withdrawal/x.go", "workflows/withdrawal", []string{"strongroom/custody/custodydb"}},
		{"workflows/withdrawal/x.go", "workflows/withdrawal", []string{"strongroom/activities/outgoing"}},
		{"workflows/deposit/x.go", "workflows/deposit", []string{"github.com/jackc/pgx/v5"}},
		{"money/x.go", "money", []string{"strongroom/ledger"}},
		{"ledger/x.go", "ledger", []string{"strongroom/custody"}},
		{"api/x.go", "api", []string{"strongroom/chainadapters/evm"}},
		{"api/x.go", "api", []string{"github.com/jackc/pgx/v5/pgxpool"}},
		{"chainadapters/evm/x.go", "chainadapters/evm", []string{"strongroom/chainadapters/bitcoin"}},
		{"signer/x.go", "signer", []string{"strongroom/internal/pg"}},
		{"custody/x.go", "custody", []string{"strongroom/custody/custodydb"}},
		{"custody/desk/x_test.go", "custody/desk", []string{"strongroom/cmd/strongroom"}},
		{"worker/x_test.go", "worker", []string{"go.temporal.io/server/temporal"}},
		{"nowhere/x.go", "nowhere", nil},
	} {
		if len(judge(bad, layout())) == 0 {
			t.Errorf("%s importing %v passes", bad.pkg, bad.imports)
		}
	}
	good := source{"custody/desk/x_test.go", "custody/desk", []string{"strongroom/internal/testenv", "os"}}
	if complaints := judge(good, layout()); len(complaints) != 0 {
		t.Errorf("refused: %v", complaints)
	}
}

// What the signer is built from holds no database and no workflow engine, however
// deep one looks into our own packages.
func TestTheSignerStaysSmall(t *testing.T) {
	builtWithout(t, "cmd/signer", "github.com/jackc/pgx", "go.temporal.io/", "database/sql", "github.com/gin-gonic/")
}

// What signs without network is built of nothing that could reach one, or a database.
func TestWhatSignsOfflineReachesNobody(t *testing.T) {
	builtWithout(t, "treasury/cold", "github.com/jackc/pgx", "database/sql", "net/http", "google.golang.org/grpc",
		"github.com/ethereum/go-ethereum/rpc", "github.com/ethereum/go-ethereum/ethclient", "github.com/btcsuite/btcd/rpcclient")
}

// builtWithout follows our own imports from a package on.
func builtWithout(t *testing.T, root string, heavies ...string) {
	t.Helper()
	imports := map[string][]string{}
	for _, s := range read(t) {
		if !s.test() {
			imports[s.pkg] = append(imports[s.pkg], s.imports...)
		}
	}
	seen, todo := map[string]bool{}, []string{root}
	for len(todo) > 0 {
		pkg := todo[0]
		todo = todo[1:]
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		for _, imported := range imports[pkg] {
			if dep, ours := strings.CutPrefix(imported, module); ours {
				todo = append(todo, dep)
			}
			for _, heavy := range heavies {
				if strings.HasPrefix(imported, heavy) {
					t.Errorf("%s is built from %s, which imports %s", root, pkg, imported)
				}
			}
		}
	}
	if len(seen) < 4 {
		t.Fatalf("followed only %v", seen)
	}
}

// judge returns what is wrong with a file's imports.
func judge(s source, rules []rule) []string {
	forbidden := never()
	if !s.test() {
		forbidden = append(forbidden, bans()...)
	}
	at := slices.IndexFunc(rules, func(r rule) bool { return names(r.place, s.pkg) })
	if at < 0 {
		return []string{fmt.Sprintf("%s: %s has no place in the layout: give it a rule in internal/archtest", s.file, s.pkg)}
	}
	var out []string
	for _, imported := range s.imports {
		for _, b := range forbidden {
			if names(b.place, s.pkg) && (imported == b.module || strings.HasPrefix(imported, b.module+"/")) {
				out = append(out, fmt.Sprintf("%s imports %s: %s", s.file, imported, b.why))
			}
		}
		dep, ours := strings.CutPrefix(imported, module)
		if ours && !allowed(s, rules[at], dep) {
			out = append(out, fmt.Sprintf("%s imports %s; %s may import [%s]", s.file, dep, rules[at].place, rules[at].may))
		}
	}
	return out
}

func allowed(s source, r rule, dep string) bool {
	switch {
	case names("cmd/...", dep):
		return dep == s.pkg // nobody imports cmd
	case s.test() || r.may == "*":
		return true
	}
	return slices.ContainsFunc(strings.Fields(r.may), func(place string) bool { return names(place, dep) })
}

// names reports whether pkg is at a place.
func names(place, pkg string) bool {
	if place == "..." {
		return true
	}
	top, below := strings.CutSuffix(place, "/...")
	return pkg == top || (below && strings.HasPrefix(pkg, top+"/"))
}

// read returns the imports of every Go file of the main module. Folders with a
// go.mod of their own are other modules.
func read(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(file, d.Name())
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return fmt.Errorf("read imports of %s: %w", file, err)
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return fmt.Errorf("name %s: %w", file, err)
		}
		s := source{file: filepath.ToSlash(rel), pkg: filepath.ToSlash(filepath.Dir(rel))}
		for _, spec := range tree.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("read import in %s: %w", file, err)
			}
			s.imports = append(s.imports, path)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func skip(dir, name string) error {
	if dir == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}
