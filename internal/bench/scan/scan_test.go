package scanbench_test

import (
	"os"
	"strings"
	"testing"
	"time"

	scanbench "strongroom/internal/bench/scan"
	"strongroom/internal/testenv"
)

// clock is the real one: this package measures.
func clock() time.Time { return time.Now() } //nolint:forbidigo // see above

func TestRunMeasures(t *testing.T) {
	report, err := scanbench.Run(t.Context(), testenv.Postgres(t), scanbench.Config{Clock: clock, Addresses: 2_000, Movements: 100, Blocks: 12})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Scans) != 2 || report.Resident <= 0 {
		t.Fatalf("%+v", report)
	}
	for _, s := range report.Scans {
		if s.Movements != 1_100 || s.PerSecond() <= 0 || s.Start <= 0 {
			t.Errorf("%+v", s)
		}
	}
	if text := report.String(); !strings.Contains(text, "2000 watched addresses") {
		t.Error(text)
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	for _, cfg := range []scanbench.Config{{}, {Clock: clock, Addresses: 1}, {Clock: clock, Movements: 1 << 30}} {
		if _, err := scanbench.Run(t.Context(), "postgres://localhost:1/none", cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

// BenchmarkScan is the whole measurement: go test -bench Scan -benchtime 1x.
func BenchmarkScan(b *testing.B) {
	for b.Loop() {
		report, err := scanbench.Run(b.Context(), testenv.PostgresDurable(b), scanbench.Config{
			Clock: clock, Progress: func(line string) { b.Log(line) },
		})
		if err != nil {
			b.Fatal(err)
		}
		_, _ = os.Stdout.WriteString(report.String())
	}
}
