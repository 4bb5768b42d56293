//go:build !chaos

package main

// chaosCommands are there only in builds with the tag chaos.
type chaosCommands struct{}
