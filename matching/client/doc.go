// Package client speaks to a shard of matching: it finds the node that leads, keeps a
// session through lost connections and new leaders, and gives each command its result
// once. It never asks for the same thing twice under two numbers: a command is sent
// again under its own until its result is known, and where a session is lost, so that
// results cannot be known by their numbers, it says so.
package client
