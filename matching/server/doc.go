// Package server is the process around a shard's engine: sessions come in over gRPC with
// mutual TLS, their commands are put into one order, stamped with log time, packed into
// log entries, and applied once they are committed; results and events go out. Nothing
// leaves it that is not committed. It never decides what a command does, never reorders a
// session's commands, never applies one twice, and never holds more than its stated
// bounds for a client that floods or does not read.
//
// What a shard consists of is a Machine, stepped by the log alone, so that followers and
// replays come to the same state: the engine, the last command and the last results of
// each session, and the hash chain of event batches. What only the leader has, queues
// and frames on their way, is in links and is made anew by whoever leads next.
package server
