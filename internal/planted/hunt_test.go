//go:build planted

package planted_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/internal/planted"
	"strongroom/internal/testenv"
)

const (
	// mostRuns is within how many runs each bug must be found.
	mostRuns = 50
	// actions is how many things happen in a run.
	actions = 100
	// signerRuns is enough for what is decided without chance.
	signerRuns = 1
)

// runs is how often each bug is hunted, at least; until it is found, at most mostRuns.
func runs(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("STRONGROOM_PLANTED_RUNS"))
	if err != nil || n < 1 {
		return 4
	}
	return min(n, mostRuns)
}

// bySigner are the bugs inside the signer: its own tests hunt them, in a process of
// their own. The others are hunted by a house on chains in memory.
func bySigner(b planted.Bug) bool {
	return b == planted.SignerForgets || b == planted.NoCommonInput
}

// bySettlement are the bugs in settlement: its model test hunts them, in a process of
// its own too.
func bySettlement(b planted.Bug) bool {
	return b == planted.GapSkipped || b == planted.NoFence || b == planted.NoDedupe
}

// byTreasury are the bugs in what people agree to and what moves between vaults: which
// tests of which package hunt each, in a process of their own.
func byTreasury(b planted.Bug) (pkg, tests string) {
	switch b { //nolint:exhaustive // the others are hunted elsewhere
	case planted.PartlyApproved, planted.ChangedAfterwards:
		return "signer", "ApprovalsOfOneIntent|ConsentIsWorthNothing|EachFieldOfTheIntent|NoMutantOfASigned"
	case planted.RequesterCounts:
		return "signer", "WholeQuorumMatrix"
	case planted.PersonTwice: // the signer refuses a case with any word in it that does not count
		return "treasury/consent", "QuorumMatrix"
	case planted.StaleRoster:
		return "treasury/consent", "Roster"
	case planted.PendingForgotten:
		return "treasury/vault", "AThousandSteps|AgainstSearch"
	}
	return "", ""
}

// treasuryFlags keep a hunt from leaving files in a package.
func treasuryFlags(pkg string) []string {
	if pkg == "treasury/vault" {
		return []string{"-rapid.nofailfile"}
	}
	return nil
}

// Without a bug nothing is found: what finds bugs must not cry wolf.
func TestNothingIsFoundWhereNothingIsPlanted(t *testing.T) {
	planted.Plant("")
	for seed := range runs(t) {
		if found := disorder(t, uint64(seed)); len(found) > 0 {
			t.Errorf("seed %d: %v", seed, found)
		}
	}
}

func TestEveryPlantedBugIsFound(t *testing.T) {
	var table strings.Builder
	for _, bug := range planted.Bugs() {
		t.Run(string(bug), func(t *testing.T) {
			began := time.Now() //nolint:forbidigo // for people to read
			level, hunt, least := "house on fake chains", disorder, runs(t)
			if bySigner(bug) {
				level, least = "tests of the signer", signerRuns
				hunt = func(t *testing.T, _ uint64) []string {
					t.Helper()
					return testsOf(t, "signer", "Nonce|Replacement|Slots|Book", bug, "-rapid.nofailfile")
				}
			}
			if bySettlement(bug) {
				level, least = "model of settlement", signerRuns
				hunt = func(t *testing.T, _ uint64) []string { t.Helper(); return testsOf(t, "matching/settle", "Model", bug) }
			}
			if pkg, tests := byTreasury(bug); pkg != "" {
				level, least = "tests of "+pkg, signerRuns
				hunt = func(t *testing.T, _ uint64) []string {
					t.Helper()
					return testsOf(t, pkg, tests, bug, treasuryFlags(pkg)...)
				}
			}
			planted.Plant(bug)
			defer planted.Plant("")
			hits, done, rules := 0, 0, map[string]int{}
			for ; done < mostRuns && (done < least || hits == 0); done++ {
				found := hunt(t, uint64(done))
				if len(found) > 0 {
					hits++
				}
				for _, rule := range found {
					rules[rule]++
				}
			}
			fmt.Fprintf(&table, "%-34s found in %d of %d runs  (%s, %s)\n%s", bug, hits, done, level, time.Since(began).Round(time.Second), ranked(rules))
			if hits == 0 {
				t.Errorf("not found in %d runs", done)
			}
		})
	}
	t.Log("\n" + table.String())
}

// ranked lists the rules that found a bug, most often first.
func ranked(rules map[string]int) string {
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if rules[a] != rules[b] {
			return rules[b] - rules[a]
		}
		return strings.Compare(a, b)
	})
	var out strings.Builder
	for _, name := range names[:min(len(names), 6)] {
		fmt.Fprintf(&out, "    %3d × %s\n", rules[name], name)
	}
	return out.String()
}

// disorder is one run of the house.
func disorder(t *testing.T, seed uint64) []string {
	t.Helper()
	return caught(t, func(t *trap) {
		h := newHouse(t, seed)
		h.fund()
		for range actions {
			h.disturb()
		}
		h.calm()
		h.judge()
	})
}

// testsOf runs tests of a package with a bug live and returns which fail.
func testsOf(t *testing.T, pkg, tests string, bug planted.Bug, flags ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-tags", "planted", "-run", tests, "./" + pkg}, flags...)...)
	cmd.Dir = testenv.Root(t)
	cmd.Env = append(os.Environ(), planted.Variable+"="+string(bug))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if name, is := strings.CutPrefix(line, "--- FAIL: "); is {
			test, _, _ := strings.Cut(name, " ")
			found = append(found, pkg+" "+test)
		}
	}
	if len(found) == 0 {
		t.Fatalf("the tests of %s do not run: %v\n%s", pkg, err, out)
	}
	return found
}
