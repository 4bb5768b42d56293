//go:build !planted

package planted

// Live is false: this build has no planted bug.
func Live(Bug) bool { return false }
