// Package journal keeps the command log of one matching shard: it orders opaque
// batches of bytes, makes them durable, replicates them to the other nodes of the
// shard, and hands them to a Machine in one order on every node. It decides who
// leads and which epoch it is. It never reads an entry, never applies one that is
// not committed, never acknowledges one that is not on disk, and never repairs
// damage by leaving something out: a torn last write is cut, anything else that
// does not check refuses to open.
//
// Agreement is go.etcd.io/raft; the log file, the snapshots and the connections
// between nodes are here. docs/journal.md says why, and what the files look like.
package journal
