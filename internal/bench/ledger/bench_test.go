package ledgerbench_test

import (
	"os"
	"strings"
	"testing"
	"time"

	ledgerbench "strongroom/internal/bench/ledger"
	"strongroom/internal/testenv"
)

// clock is the real one: this package measures.
func clock() time.Time { return time.Now() } //nolint:forbidigo // see above

func TestRunMeasuresBothWays(t *testing.T) {
	report, err := ledgerbench.Run(t.Context(), testenv.PostgresDurable(t), ledgerbench.Config{
		Clock: clock, Accounts: 500, Callers: []int{1, 16}, Duration: 100 * time.Millisecond, Runs: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 4 {
		t.Fatalf("%d rows, want 4", len(report.Rows))
	}
	for _, row := range report.Rows {
		for _, f := range []ledgerbench.Figures{row.Ledger, row.Baseline} {
			if f.Transfers == 0 || f.PerSecond <= 0 || f.P50 <= 0 || f.P99 < f.P50 {
				t.Errorf("%s: %+v", row, f)
			}
		}
	}
	if text := report.String(); !strings.Contains(text, "fsync on") || !strings.Contains(text, "hot") {
		t.Errorf("table lacks its circumstances:\n%s", text)
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	for _, cfg := range []ledgerbench.Config{{}, {Clock: clock, Accounts: 1}, {Clock: clock, Callers: []int{0}}} {
		if _, err := ledgerbench.Run(t.Context(), "postgres://localhost:1/none", cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

// BenchmarkLedger is the whole measurement: go test -bench Ledger -benchtime 1x.
func BenchmarkLedger(b *testing.B) {
	for b.Loop() {
		report, err := ledgerbench.Run(b.Context(), testenv.PostgresDurable(b), ledgerbench.Config{
			Clock: clock, Progress: func(line string) { b.Log(line) },
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Log("\n" + report.String())
		_, _ = os.Stdout.WriteString(report.String())
	}
}
