package shard

import (
	"slices"
	"testing"
)

// A stack beside it keeps settings of its own node in the environment of who runs this.
func TestNodesTakeNoSettingsFromTheEnvironment(t *testing.T) {
	t.Setenv("STRONGROOM_MATCHING_OBSERVE", "127.0.0.1:1")
	t.Setenv("SOMETHING_ELSE", "stays")
	env := environment()
	if slices.Contains(env, "STRONGROOM_MATCHING_OBSERVE=127.0.0.1:1") || !slices.Contains(env, "SOMETHING_ELSE=stays") {
		t.Errorf("a node gets %q", env)
	}
}
