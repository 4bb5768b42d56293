//go:build !chaos

package main

// ChaosCommands are there only in builds with the tag chaos.
type ChaosCommands struct{}
