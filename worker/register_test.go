package worker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"strongroom/internal/testenv"
	"strongroom/worker"
	"strongroom/worker/workertest"
)

// recorder remembers what is registered.
type recorder struct{ workflows, activities []string }

func (r *recorder) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	r.activities = append(r.activities, o.Name)
}

func (r *recorder) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.workflows = append(r.workflows, o.Name)
}

// Every token declared anywhere below workflows/ is registered under its name,
// each once, and nothing else is.
func TestEachTokenIsRegisteredAndNothingElse(t *testing.T) {
	var got recorder
	worker.Register(&got, workertest.Activities(t, nil, nil))
	want := declared(t)
	equal(t, "workflows", got.workflows, want["Workflow"])
	equal(t, "activities", got.activities, slices.Concat(want["Activity"], want["LocalActivity"]))
	if len(want["Workflow"]) < 3 || len(want["Activity"]) < 3 {
		t.Fatalf("found only %v: the test does not see the tokens", want)
	}
}

func equal(t *testing.T, kind string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s registered: %v\ndeclared: %v", kind, got, want)
	}
}

// declared reads the token constants from the source: kind → names.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.Root(t), "workflows/*/*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	found := map[string][]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if kind, name, ok := tokenOf(n); ok {
				found[kind] = append(found[kind], name)
			}
			return true
		})
	}
	for kind := range maps.Keys(found) {
		slices.Sort(found[kind])
	}
	return found
}

// tokenOf recognises temporalx.Kind[…]("name").
func tokenOf(n ast.Node) (kind, name string, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall || len(call.Args) != 1 {
		return "", "", false
	}
	lit, isLit := call.Args[0].(*ast.BasicLit)
	fun := call.Fun
	switch generic := fun.(type) {
	case *ast.IndexExpr:
		fun = generic.X
	case *ast.IndexListExpr:
		fun = generic.X
	}
	sel, isSel := fun.(*ast.SelectorExpr)
	if !isLit || !isSel {
		return "", "", false
	}
	if pkg, isIdent := sel.X.(*ast.Ident); !isIdent || pkg.Name != "temporalx" {
		return "", "", false
	}
	name, err := strconv.Unquote(lit.Value)
	return sel.Sel.Name, name, err == nil
}
