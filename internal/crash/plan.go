//go:build chaos

package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule says what happens at one hit of a point.
type Rule struct {
	Point Point
	Hit   int           // from 1, counted over all lives of the process
	Pause time.Duration // zero: the process is killed
}

// String is the rule as a plan writes it: "point@3=kill", "point@3=pause:20s".
func (r Rule) String() string {
	act := "kill"
	if r.Pause > 0 {
		act = "pause:" + r.Pause.String()
	}
	return fmt.Sprintf("%s@%d=%s", r.Point, r.Hit, act)
}

// Plan is the rules of one process.
type Plan []Rule

// maxRules bounds a plan: it travels in the environment.
const maxRules = 2000

// ErrPlan reports a plan that cannot be read.
var ErrPlan = errors.New("crash plan is malformed")

// String is the plan as ParsePlan reads it.
func (p Plan) String() string {
	parts := make([]string, len(p))
	for i, r := range p {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}

// ParsePlan reads a plan; an empty text is the empty plan. Errors wrap ErrPlan.
func ParsePlan(text string) (Plan, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxRules {
		return nil, fmt.Errorf("%w: %d rules", ErrPlan, len(parts))
	}
	var plan Plan
	for _, part := range parts {
		r, err := parseRule(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %.80q", err, part)
		}
		plan = append(plan, r)
	}
	return plan, nil
}

func parseRule(text string) (Rule, error) {
	where, act, ok := strings.Cut(text, "=")
	point, hit, at := strings.Cut(where, "@")
	n, err := strconv.Atoi(hit)
	if !ok || !at || err != nil || n < 1 || !slices.Contains(slices.Concat(Points(), TradingPoints(), TreasuryPoints()), Point(point)) {
		return Rule{}, ErrPlan
	}
	r := Rule{Point: Point(point), Hit: n}
	if act == "kill" {
		return r, nil
	}
	length, pause := strings.CutPrefix(act, "pause:")
	if r.Pause, err = time.ParseDuration(length); !pause || err != nil || r.Pause <= 0 {
		return Rule{}, ErrPlan
	}
	return r, nil
}

// While a plan rests, before and after the load, hits are noted but no rule counts them.
const (
	// Calm, after the name of a file of hits, is a file during whose presence the plan rests.
	Calm = ".calm"
	// Idle precedes the points that were passed then.
	Idle = "~"
)

// CountHits counts the lines of a file of hits; a file that is not there has none.
func CountHits(name string) (map[Point]int, error) {
	count := map[Point]int{}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return count, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open crash hits: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read crash hits: %w", err)
		}
		count[Point(strings.TrimSuffix(line, "\n"))]++
	}
}
