package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/internal/devstack/people"
)

// What of a Safe is not as described is a line for each vault that it is.
func TestDriftedSafesAreTold(t *testing.T) {
	cfg := people.Config{
		Dir: t.TempDir(), Environment: "development", Origin: "http://localhost:18082",
		Clock: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) },
		Safe:  "0x8ba1f109551bD432803012645Ac136ddd64DBA72", SafeDeployer: "0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7",
	}
	if err := people.Make(cfg); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cfg.Dir, people.HouseFile)
	chains := []chainadapters.Config{nodes.NewAnvil(t).Config()}
	lines, err := drifted(t.Context(), file, chains)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%q, %v", lines, err)
	}
	for i, vault := range []string{"cold-eth", "cold-usdc"} {
		if !strings.HasPrefix(lines[i], "vaults are as described: "+vault+": ") || !strings.Contains(lines[i], "is no Safe 1.4.1") {
			t.Errorf("it says %s", lines[i])
		}
	}
	chains[0].URL = "http://127.0.0.1:1"
	if lines, err := drifted(t.Context(), file, chains); err == nil {
		t.Errorf("no node answers, and it says %q", lines)
	}
	if lines, err := drifted(t.Context(), "", chains); err != nil || len(lines) > 0 {
		t.Errorf("without a treasury: %q, %v", lines, err)
	}
}
