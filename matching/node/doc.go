// Package node is one node of a shard of matching: the engine behind the server's
// machine, stepped by the journal, with the history of events beside it. It wires these
// packages together and decides what is durable before what: an answer leaves after
// its command is in the journal, and the journal forgets commands only when the state
// and the events that they led to are on the disk.
package node
