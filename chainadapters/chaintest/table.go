package chaintest

import (
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
)

// Table collects what became of each case on each node. It is safe for concurrent
// use; its zero value is empty.
type Table struct {
	mu      sync.Mutex
	nodes   []string
	results map[string]map[string]Result // node → case
}

// Add notes the results of one node.
func (t *Table) Add(node string, results []Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.results == nil {
		t.results = map[string]map[string]Result{}
	}
	byCase := map[string]Result{}
	for _, r := range results {
		byCase[r.Case] = r
	}
	t.results[node] = byCase
	t.nodes = append(t.nodes, node)
}

// Whole reports whether each of these nodes has a result for each case and none
// failed.
func (t *Table) Whole(nodes []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, node := range nodes {
		for _, c := range names() {
			if r, known := t.results[node][c]; !known || (!r.Passed && r.Inexpressible == "") {
				return false
			}
		}
	}
	return true
}

// Format writes the table with these nodes as columns, and below it the reasons why
// a case cannot be expressed.
func (t *Table) Format(nodes []string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out, notes strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "case\t"+strings.Join(nodes, "\t"))
	reasons := map[string]int{}
	for _, c := range names() {
		_, _ = fmt.Fprint(w, c)
		for _, node := range nodes {
			_, _ = fmt.Fprint(w, "\t"+mark(t.results[node], c, reasons, &notes))
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	return out.String() + notes.String()
}

// mark is one cell; a reason is written out once and numbered.
func mark(byCase map[string]Result, c string, reasons map[string]int, notes *strings.Builder) string {
	r, known := byCase[c]
	switch {
	case !known:
		return "not run"
	case r.Passed:
		return "passed"
	case r.Inexpressible == "":
		return "FAILED"
	}
	if reasons[r.Inexpressible] == 0 {
		reasons[r.Inexpressible] = len(reasons) + 1
		_, _ = fmt.Fprintf(notes, "(%d) cannot be expressed here: %s\n", reasons[r.Inexpressible], r.Inexpressible)
	}
	return fmt.Sprintf("(%d)", reasons[r.Inexpressible])
}

// names lists the cases in their order.
func names() []string {
	list := make([]string, 0, len(all()))
	for _, c := range all() {
		list = append(list, c.name)
	}
	return list
}
